"""Attacks on the sandbox. Each runs bare as well, to show that it would succeed where nothing stops it."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from taken import processes

from grader import sandbox as module
from grader.sandbox import Sandbox, SandboxMissing, lab_folders, why_missing

READ = "import sys; print(open(sys.argv[1], errors='replace').read())"
EXISTS = "import os, sys; print('GOT IT' if os.path.lexists(sys.argv[1]) else 'nothing')"
#: Looks for a word in every process there is; it comes in two halves, so that the search does not find itself.
PROCESSES = """
import pathlib, sys
word = "".join(sys.argv[2:]).encode()
for file in pathlib.Path("/proc").glob("[0-9]*/" + sys.argv[1]):
    try:
        if word in file.read_bytes():
            print("GOT IT", file)
    except OSError:
        pass
"""
LISTED = "import pathlib, sys; print('GOT IT' if list(pathlib.Path(sys.argv[1]).rglob('*')) else 'nothing')"
CONNECT = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 3); print('GOT IT')"
ABSTRACT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(chr(0) + sys.argv[1]); print('GOT IT')"
APPEND = "import os, sys; os.close(os.open(sys.argv[1], os.O_WRONLY)); print('GOT IT')"
CREATE = "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'evil').write_text('x'); print('GOT IT')"
PROC = """
import os
for folder, _, names in os.walk("/proc"):
    if folder.strip("/").split("/")[1:2] and folder.split("/")[2][0].isdigit():
        continue
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.islink(path):
            try:
                os.close(os.open(path, os.O_WRONLY))
                print(path)
            except OSError:
                pass
"""
LEFT_BEHIND = """
import subprocess, sys, time
null = subprocess.DEVNULL
left = subprocess.Popen(["sleep", "".join(sys.argv[2:])], start_new_session=True, stdin=null, stdout=null, stderr=null)
print("started", left.pid, flush=True)
time.sleep(float(sys.argv[1]))
"""


def inside(code: str, *args: str | Path, sandbox: Sandbox | None = None) -> str:
    done = (sandbox or Sandbox()).run([sys.executable, "-c", code, *map(str, args)], timeout_seconds=30)
    return (done.stdout + done.stderr).decode()


def bare(code: str, *args: str | Path) -> str:
    argv = [sys.executable, "-c", code, *map(str, args)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30).stdout


def gone(argument: str) -> bool:
    deadline = time.monotonic() + 3
    while processes(argument) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not processes(argument)


@pytest.fixture
def canary() -> str:
    return f"canary-{secrets.token_hex(8)}"


# --- what cannot be read ---------------------------------------------------------------------------------------------


def test_the_sandbox_works_here() -> None:
    assert why_missing() is None
    assert inside("print('hello')") == "hello\n"


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/shadow", "/etc/group", "/sys/kernel"])
def test_files_of_the_system_that_name_people(path: str) -> None:
    assert "GOT IT" in bare(EXISTS, path)
    assert "GOT IT" not in inside(EXISTS, path)


def test_a_secret_under_the_home_and_one_in_a_temporary_folder(canary: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(canary)
    with tempfile.NamedTemporaryFile("w", dir=Path.home(), prefix=".canary-") as secret:
        secret.write(canary)
        secret.flush()
        for path in (tmp_path / "secret", Path(secret.name)):
            assert canary in bare(READ, path)
            assert canary not in inside(READ, path)
            for way_round in (f"/proc/self/root{path}", f"/proc/1/root{path}", f"/proc/1/cwd/../../../../..{path}"):
                assert canary not in inside(READ, way_round)


def test_the_records(canary: str, tmp_path: Path) -> None:
    database = tmp_path / "records" / "records.db"
    database.parent.mkdir()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE person (name TEXT)")
        connection.execute("INSERT INTO person VALUES (?)", [canary])
    connection.close()
    assert canary in bare(READ, database)
    assert canary not in inside(READ, database)


def test_the_keys_of_other_labs() -> None:
    """A lab's checks get its own `server/`; every pack's `labs/` folder is empty."""
    assert lab_folders()
    for folder in lab_folders():
        assert "GOT IT" in bare(LISTED, folder)
        assert inside(LISTED, folder, sandbox=Sandbox(hidden=lab_folders())) == "nothing\n"


def test_nobody_may_mount() -> None:
    """A learner gets no user namespace of their own, in which they might take the cover off a hidden folder."""
    attack = "import subprocess; print(subprocess.run(['unshare', '-Urm', 'true']).returncode)"
    assert bare(attack).splitlines()[-1] == "0"
    assert inside(attack).splitlines()[-1] != "0"


def test_what_is_kept_in_memory_has_an_end() -> None:
    """Folders in memory are bounded, or a learner would fill the machine's memory with files."""
    attack = """
        import os
        for folder in ("/tmp", "/dev/shm", "/run"):
            data = os.statvfs(folder)
            print(folder, data.f_blocks * data.f_frsize)
    """
    sizes = dict(line.split() for line in inside(textwrap.dedent(attack)).splitlines())
    assert {folder: int(size) // 1_000_000 for folder, size in sizes.items()} == {
        "/tmp": 1000,
        "/dev/shm": 1000,
        "/run": 1000,
    }


def test_a_pack_that_is_reached_through_a_link_is_hidden_too(tmp_path: Path, canary: str) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "labs").mkdir(parents=True)
    (real / "labs" / "key").write_text(canary)
    link.symlink_to(real)
    shown = Sandbox(read_only=[(real, str(real))])
    covered = Sandbox(read_only=[(real, str(real))], hidden=[link / "labs"])
    assert canary in inside(READ, real / "labs" / "key", sandbox=shown)
    assert canary not in inside(READ, real / "labs" / "key", sandbox=covered)


def test_other_processes_and_their_environments(canary: str) -> None:
    halves = (canary[:10], canary[10:])
    other = subprocess.Popen(["sleep", "60"], env={"SECRET": canary, "PATH": os.environ["PATH"]})
    try:
        assert "GOT IT" in bare(PROCESSES, "environ", *halves)
        assert inside(PROCESSES, "environ", *halves) == ""
        kill = "import os, sys; os.kill(int(sys.argv[1]), 0); print('GOT IT')"
        assert "GOT IT" in bare(kill, str(other.pid))
        assert "GOT IT" not in inside(kill, str(other.pid))
    finally:
        other.kill()
        other.wait()


def test_the_environment_of_who_started_it(canary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVIDER_KEY", canary)
    own = "import os; print(os.environ.get('PROVIDER_KEY'))"
    assert canary in bare(own)
    assert inside(own) == "None\n"
    assert inside(PROCESSES, "environ", canary[:10], canary[10:]) == ""
    assert inside(PROCESSES, "cmdline", canary[:10], canary[10:]) == ""


# --- what cannot be reached or changed -------------------------------------------------------------------------------


def test_the_loopback_network(canary: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{canary}")
        local.listen()
        port = str(listener.getsockname()[1])
        assert "GOT IT" in bare(CONNECT, port)
        assert "GOT IT" not in inside(CONNECT, port)
        assert "GOT IT" in bare(ABSTRACT, canary)
        assert "GOT IT" not in inside(ABSTRACT, canary)
        assert "GOT IT" in inside(CONNECT, port, sandbox=Sandbox(network=True))  # who is let, is let


def test_the_system_and_the_submission_are_read_only(tmp_path: Path) -> None:
    submission = Sandbox(read_only=[(tmp_path, "/submission")])
    assert "GOT IT" not in inside(CREATE, "/submission", sandbox=submission)
    assert not (tmp_path / "evil").exists()
    assert "GOT IT" in bare(CREATE, tmp_path)
    ours = Path(module.__file__)
    assert "GOT IT" in bare(APPEND, ours)
    assert "GOT IT" not in inside(APPEND, ours)
    assert "GOT IT" not in inside(CREATE, "/usr")
    assert "GOT IT" in inside(CREATE, "/tmp")  # its own, gone with it


def test_the_settings_of_the_machine() -> None:
    """As root in a container a program in bubblewrap may write /proc/sys: with core_pattern it is out."""
    core_pattern = "/proc/sys/kernel/core_pattern"
    assert ("GOT IT" in bare(APPEND, core_pattern)) == os.access(core_pattern, os.W_OK)
    assert "GOT IT" not in inside(APPEND, core_pattern)
    writable = [line for line in inside(PROC).splitlines() if line.startswith(("/proc/sys", "/proc/irq", "/proc/bus"))]
    assert writable == []
    again = "import subprocess; subprocess.run(['unshare', '-Urmpf', '--mount-proc', 'sh', '-c', 'echo GOT IT'])"
    assert "GOT IT" not in inside(again)  # a fresh /proc of its own would be without the cover


def test_it_has_no_rights() -> None:
    status = inside(READ, "/proc/self/status")
    rights = [line.split()[1] for line in status.splitlines() if line.startswith(("CapInh", "CapPrm", "CapEff"))]
    assert rights == ["0" * 16] * 3
    assert "NoNewPrivs:\t1" in status


# --- nothing is left -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", ["0", "60"], ids=["after its end", "after its time limit"])
def test_nothing_outlives_a_run(waits: str) -> None:
    seconds = f"300.{secrets.randbelow(10**12):012d}"
    halves = (seconds[:8], seconds[8:])
    with subprocess.Popen(
        [sys.executable, "-c", LEFT_BEHIND, waits, *halves], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        left = int(started.stdout.readline().split()[1])
        started.kill()
    assert processes(seconds) == [left]  # bare, it is still there
    os.kill(left, 9)
    assert gone(seconds)

    argv = [sys.executable, "-c", LEFT_BEHIND, waits, *halves]
    if waits == "0":
        assert b"started" in Sandbox().run(argv).stdout
    else:
        with pytest.raises(subprocess.TimeoutExpired) as late:
            Sandbox().run(argv, timeout_seconds=1.5)
        assert b"started" in (late.value.stdout or b"")
    assert gone(seconds)


@pytest.mark.parametrize("channel", [1, 2])
def test_endless_output_is_not_held(channel: int) -> None:
    started = time.monotonic()
    done = Sandbox().run(
        [sys.executable, "-c", f"import os\nwhile True: os.write({channel}, b'x' * 65536)"], max_output_bytes=1_000_000
    )
    assert sorted([len(done.stdout), len(done.stderr)]) == [0, 1_000_000]
    assert done.returncode != 0
    assert time.monotonic() - started < 10


def test_input_that_nobody_reads_does_not_hang() -> None:
    assert Sandbox().run(["/bin/true"], stdin=b"x" * 10_000_000).returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):
        Sandbox().run(["sleep", "60"], stdin=b"x" * 10_000_000, timeout_seconds=0.5)


def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    why_missing.cache_clear()
    monkeypatch.setattr(module, "bwrap", lambda: tmp_path / "not-there")
    try:
        with pytest.raises(SandboxMissing) as refused:
            Sandbox(writable=[(tmp_path, str(tmp_path))]).run([sys.executable, "-c", CREATE, str(tmp_path)])
    finally:
        why_missing.cache_clear()
    assert not (tmp_path / "evil").exists()
    assert "격리 환경" in refused.value.text.ko
