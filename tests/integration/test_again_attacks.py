"""Hostile notebooks that are executed again: what they try comes to nothing, costs a bounded time, and the next one meets none of it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from turns import few

from grader.engine.again.report import MOST_CHARACTERS, Rerun
from grader.engine.again.rerun import Rerunner
from grader.engine.warm import box
from grader.engine.warm.worker import Cell
from grader.replay import request_key
from grader.sandbox import Sandbox
from labs.build import build_lab
from labs.catalog import find_lab
from labs.manifest import Again, Limits
from publishing.reference import build as build_reference

LAB = find_lab("book-proposal")
KEY = LAB.folder / "server" / "key.ko.yaml"
LIMITS = Limits(wall_seconds=20, cell_seconds=3, processes=40, file_mb=50, memory_mb=1500)
ASK = """
from openai import OpenAI
said = OpenAI(max_retries=0).chat.completions.create(model="lab-default", messages=[{"role": "user", "content": "나"}])
"""


class Gateway(BaseHTTPRequestHandler):
    """Gives each learner's recording: one call, answered with the learner's own name."""

    def do_GET(self) -> None:
        (learner,) = parse_qs(urlsplit(self.path).query)["learner"]
        body = json.dumps(_call(learner)).encode() + b"\n"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        pass


def _call(learner: str) -> dict[str, str]:
    asked = {"model": "lab-default", "messages": [{"role": "user", "content": "나"}]}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"answer of {learner}"}}
    answer = {"id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return {"receipt": "r", "at": "", "endpoint": "chat", "request_sha256": request_key("chat", asked),
            "content_type": "application/json", "answer": json.dumps(answer)}  # fmt: skip


@pytest.fixture(autouse=True)
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PRACTICUM_GATEWAY_URL", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Rerunner]]:
    """Starts what executes notebooks, once the test has set it up."""
    material, handed_in, scratch = tmp_path / "material", tmp_path / "handed-in", tmp_path / "scratch"
    scratch.mkdir()
    build_lab(LAB, "course-a", "ko", material)
    build_reference(LAB.folder / "reference" / "good.yaml", LAB.folder, handed_in, "ko")
    started: list[Rerunner] = []

    def begin() -> Rerunner:
        lab = replace(LAB, lab=LAB.lab.model_copy(update={"limits": LIMITS}))
        asked = Again(starts_from=("facts.json", "evidence.json"))
        started.append(Rerunner(lab, asked, material, scratch))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    return tmp_path / "handed-in"


def run(rerunner: Rerunner, folder: Path, *sources: str, learner: str = "bob") -> Rerun:
    cells = [(number, Cell(str(number), source, locked=False)) for number, source in enumerate(sources, 1)]
    return rerunner.run(learner, folder, cells)


def outcome(rerun: Rerun, path: str = "proposal.md") -> str:
    return next(made.outcome for made in rerun.made if made.path == path)


def is_well(rerunner: Rerunner, folder: Path) -> bool:
    """Whether the next submission is executed as if nothing had been before, and finds nothing."""
    look = """
import os
from pathlib import Path
import labs
# An installation below /tmp is seen there, read-only.
installed = Path(labs.__file__).resolve()
places = [p for d in ("/tmp", "/run", "/dev/shm", "/var/tmp", "/home/learner") for p in Path(d).iterdir()]
left = [str(p) for p in places if p not in installed.parents]
others = [p for p in os.listdir("/proc") if p.isdigit() and p not in ("1", str(os.getpid()), str(os.getpid() + 1))]
assert not left and not others and not Path("loot").exists(), (left, others)
"""
    good = run(rerunner, folder, look, "from pathlib import Path\nPath('proposal.md').write_text('x')", learner="next")
    assert good.whole, good
    return outcome(good) == "different"


ENDINGS = {
    "loops": ("while True: pass", ("time_limit",)),
    "ignores the interrupt": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        ("time_limit",),
    ),
    "forks": ("import os\nwhile True: os.fork()", ("process_limit", "memory_limit")),
    "ends itself": ("import os\nos._exit(0)", ("killed",)),
    "kills itself and all others": (
        "import os, signal\nos.kill(-1, signal.SIGKILL)\nos.kill(os.getpid(), 9)",
        ("killed",),
    ),
    "eats memory": ("held = []\nwhile True: held.append(bytearray(100_000_000))", ("memory_limit", "time_limit", "")),
}


@pytest.mark.parametrize("name", few(ENDINGS, {"loops", "forks"}))
def test_a_notebook_that_does_not_stop_is_stopped(start: Any, handed_in: Path, name: str) -> None:
    source, causes = ENDINGS[name]
    rerunner, begun = start(), time.monotonic()
    rerun = run(rerunner, handed_in, "open('loot', 'w').write('x')", source)
    assert time.monotonic() - begun < LIMITS.wall_seconds + 10
    assert (rerun.whole, rerun.stopped_at, outcome(rerun)) == (False, 2, "not_made")
    assert rerun.cause in causes, rerun
    assert rerun.cause or rerun.error
    assert is_well(rerunner, handed_in)


def test_ten_gigabytes_are_not_written(start: Any, handed_in: Path) -> None:
    rerunner = start()
    flood = "for n in range(200):\n    with open(f'proposal.md' if n == 0 else f'f{n}', 'wb') as out:\n        for _ in range(50): out.write(bytes(1_000_000))"
    rerun = run(rerunner, handed_in, flood)
    assert not rerun.whole
    assert outcome(rerun) in ("unreadable", "different")
    assert is_well(rerunner, handed_in)


FORGERIES = {
    "a word of its own on the channel": """
import json, os
for outcome in ("same", "given"):
    for body in ({"path": "proposal.md", "outcome": outcome}, {"offsets": [0, 0], "nonce": "", "done": 1, "error": None, "tampered": [], "outputs": []}):
        data = json.dumps(body).encode()
        for descriptor in range(3, 20):
            try:
                os.write(descriptor, len(data).to_bytes(4, "big") + data)
            except OSError:
                pass
""",
    "modules where the comparison begins": """
from pathlib import Path
for name in ("PIL", "imageio_ffmpeg", "json", "subprocess", "encodings", "sitecustomize", "PIL/PngImagePlugin", "grader/records/blobs"):
    path = Path(name + ".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("import os\\nos.write(3, (46).to_bytes(4, 'big') + b'{\\"path\\": \\"proposal.md\\", \\"outcome\\": \\"same\\"}  ')")
""",
    "a process that waits for what was handed in": """
import os, shutil, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(64):
            try: os.close(fd)
            except OSError: pass
        while True:
            try: shutil.copy("/submission/proposal.md", "/assignment/proposal.md")
            except OSError: time.sleep(0.001)
    os._exit(0)
""",
    "a look for it": """
import glob, shutil
for path in glob.glob("/**/proposal.md", recursive=True): shutil.copy(path, "/assignment/proposal.md")
""",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_no_notebook_says_how_its_result_came_out(start: Any, handed_in: Path, name: str) -> None:
    rerunner = start()
    rerun = run(rerunner, handed_in, FORGERIES[name])
    assert outcome(rerun) == "not_made"
    assert is_well(rerunner, handed_in)


def test_shown_its_result_a_notebook_would_copy_it(start: Any, handed_in: Path) -> None:
    rerunner = start()
    rerunner._results = frozenset()  # undefended
    (copied,) = (text for name, text in FORGERIES.items() if name == "a look for it")
    assert outcome(run(rerunner, handed_in, copied)) == "same"


@pytest.mark.parametrize("defended", [True, False])
def test_there_is_no_network(start: Any, handed_in: Path, monkeypatch: pytest.MonkeyPatch, defended: bool) -> None:
    if not defended:
        monkeypatch.setattr(box, "Sandbox", lambda **given: Sandbox(**given, network=True))
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(3)
        connect = f"import socket\nsocket.create_connection(('127.0.0.1', {listening.getsockname()[1]}), 2)"
        rerun = run(start(), handed_in, connect)
        assert rerun.whole is not defended, rerun
        if defended:
            assert "refused" in rerun.error
            with pytest.raises(TimeoutError):
                listening.accept()


@pytest.mark.parametrize("defended", [True, False])
def test_nothing_of_the_institution_can_be_read(
    start: Any, handed_in: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    (handed_in.parent / "courses").mkdir()
    (handed_in.parent / "courses" / "gradebook.db").write_text("grades-of-everybody")
    if not defended:
        monkeypatch.setattr(box, "lab_folders", list)
    look = f"""
import os
from pathlib import Path
found = []
for name in ("{KEY}", "/server/key.ko.yaml", "{handed_in.parent}/courses/gradebook.db", "/proc/1/environ"):
    try: found.append(Path(name).read_text()[:40])
    except OSError: pass
assert "PRACTICUM_RECORDS_TOKEN" not in os.environ
assert not found, found
"""
    rerun = run(start(), handed_in, look)
    assert rerun.whole is defended, rerun
    assert ("grades" in rerun.error, KEY.read_text("utf-8")[:10] in rerun.error) == (False, not defended)


INSTEAD = {
    "a link out": "import os\nos.symlink('/etc/passwd', 'proposal.md')",
    "a link to what was handed in": "import os\nos.symlink('/submission/proposal.md', 'proposal.md')",
    "a pipe": "import os\nos.mkfifo('proposal.md')",
    "a folder": "import os\nos.mkdir('proposal.md')",
    "a folder that is a link": "import os, shutil\nos.chdir('/')\nshutil.rmtree('/assignment', True)\nos.chdir('/assignment')\nos.symlink('/submission', 'd')",
}


@pytest.mark.parametrize("name", few(INSTEAD, {"a link to what was handed in"}))
def test_what_stands_in_for_a_deliverable_is_none(start: Any, handed_in: Path, name: str) -> None:
    rerunner = start()
    assert outcome(run(rerunner, handed_in, INSTEAD[name])) == "not_made"
    assert is_well(rerunner, handed_in)


SPY = """
import glob, os
seen = []
for path in glob.glob("/proc/[0-9]*"):
    pid = int(path.rpartition("/")[2])
    if pid in (1, os.getpid()):
        continue
    for part in ("environ", "mem", "maps"):
        try: seen.append(open(f"{path}/{part}", "rb+" if part == "mem" else "rb").read(1))
        except OSError: pass
    try:
        for fd in os.listdir(f"{path}/fd"):
            os.pwrite(os.open(f"{path}/fd/{fd}", os.O_RDWR), b"\\xff" * 16, 0)
            seen.append(fd)
    except OSError: pass
assert not seen, seen
"""


def test_the_counts_of_calls_are_the_replays_own(start: Any, handed_in: Path) -> None:
    rerunner = start()
    rerun = run(rerunner, handed_in, ASK, SPY, ASK, ASK.replace("나", "다"))
    assert (rerun.stopped_at, rerun.replayed, rerun.refused) == (4, 2, 1), rerun
    assert "NotFoundError" in rerun.error
    ended = run(rerunner, handed_in, ASK, "import os, signal, subprocess\nfor p in os.listdir('/proc'):\n"
                "    if p.isdigit() and int(p) not in (1, os.getpid()): os.kill(int(p), signal.SIGKILL)", ASK)  # fmt: skip
    assert (ended.stopped_at, ended.replayed, ended.refused) == (3, 1, 0), ended
    assert is_well(rerunner, handed_in)


def test_a_learners_recording_is_for_that_learner_only(start: Any, handed_in: Path) -> None:
    rerunner = start()
    check = "assert said.choices[0].message.content == 'answer of {0}', said\n" \
            "assert 'answer of {0}' in open('/replay/calls.jsonl').read()\nassert '{1}' not in open('/replay/calls.jsonl').read()"  # fmt: skip
    for me, other in (("bob", "ann"), ("ann", "bob")):
        rerun = run(rerunner, handed_in, ASK + check.format(me, other), learner=me)
        assert rerun.whole, rerun


def test_an_error_is_one_bounded_sentence_without_folders(start: Any, handed_in: Path) -> None:
    rerunner = start()
    rerun = run(rerunner, handed_in, "raise ValueError('\\x1b[31m\\u202e\\n' + '/assignment/secret/x.py ' * 1000)")
    assert rerun.error.startswith("ValueError: [31m x.py x.py")
    assert len(rerun.error) <= MOST_CHARACTERS
    assert "/" not in rerun.error
    assert (
        len(run(rerunner, handed_in, "class E(Exception): pass\nE.__name__ = 'x' * 10**5\nraise E()").error)
        <= MOST_CHARACTERS
    )
    assert run(rerunner, handed_in, "raise SystemExit").stopped_at == 1
