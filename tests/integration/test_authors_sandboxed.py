"""Looking at a lab in the real sandbox: the tutorial, what a check must not do, and packs that mean harm."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.authors.check import check_lab
from grader.authors.find import labs_meant
from grader.authors.report import LabReport
from grader.authors.sandboxed import NotMade, make
from hub_config.cli import main
from labs import catalog
from labs.catalog import LabFolder
from labs.texts import LANGUAGES, Lang

ROOT = Path(__file__).resolve().parents[2]
SECRET = "nobody may see this"


@pytest.fixture(autouse=True)
def only_installed() -> Iterator[None]:
    """A pack that a test worked on is gone after it."""
    yield
    catalog._at_work.clear()
    catalog.forget()


def practicum(*argv: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(main, list(argv))
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
    return outcome.exit_code, outcome.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new lab's folder, in a pack that is not installed."""
    code, said = practicum("lab", "new", "event-notice", "--in", str(tmp_path / "my-lessons"))
    assert code == 0, said
    return tmp_path / "my-lessons" / "my_lessons" / "labs" / "event_notice"


def looked_at(folder: Path, keep: Path | None = None, languages: Sequence[Lang] = ("en",)) -> LabReport:
    (lab,) = labs_meant([str(folder)])
    return check_lab(lab, keep=keep, languages=languages)


def wrong(report: LabReport) -> list[str]:
    return [f"{finding.place}: {finding.said.en}" for finding in report.wrong]


def write_check(folder: Path, body: str, head: str = "") -> None:
    """Another body for the lab's check; `text` is what was handed in."""
    path = folder.parents[1] / "event_notice_checks.py"
    path.write_text(
        "from pathlib import Path\nfrom labs.checks import CheckResult, failed, passed, read_text\nfrom labs.texts import Text\n"
        f"{head}\ndef names_all(folder, *, file, facts):\n    text = read_text(folder, file)\n    good = all(fact in text for fact in facts) if isinstance(text, str) else False\n"
        + "".join(f"    {line}\n" for line in body.splitlines()),
        "utf-8",
    )


@pytest.mark.long
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_tutorial_can_be_followed(lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "tutorial" / f"write-a-lab.{lang}.md").read_text("utf-8")
    make_it, look, again = (shlex.split(block)[1:] for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))
    monkeypatch.chdir(tmp_path)
    assert practicum(*make_it)[0] == 0
    for named in re.findall(r"`(my-lessons/[\w./-]+)`", text):
        assert (tmp_path / named).exists(), named
    code, said = practicum(*look)
    assert (code, "✘" in said, "✎" in said) == (0, False, True), said
    lab = tmp_path / "my-lessons/my_lessons/labs/event_notice"
    told = re.search(r"`points: (\d+)`\S* (?:to )?`points: (\d+)`", text)
    assert told is not None
    manifest = lab / "lab.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace(f"points: {told[1]}", f"points: {told[2]}"), "utf-8")
    code, said = practicum(*again)
    assert code == 1
    assert "✘ event-notice/lab.yaml: criteria.points" in said
    assert "90" in said
    entry = re.search(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert entry is not None
    assert entry[1] in (tmp_path / "my-lessons" / "pyproject.toml").read_text("utf-8")


@pytest.mark.long
def test_an_unread_answer_that_passes_is_told_and_one_that_fails_is_well(folder: Path) -> None:
    for lang, source in (("ko", "good"), ("en", "fail-facts")):
        target = folder / "reference" / f"raw_ai.{lang}"
        target.mkdir()
        (target / "notice.md").write_bytes((folder / "reference" / f"{source}.{lang}" / "notice.md").read_bytes())
    assert wrong(looked_at(folder, languages=LANGUAGES)) == [
        "reference/raw_ai: ko: The AI's unread answer passes (100% with every point of a person's)."
    ]


def test_what_a_check_gives_is_held_against_what_the_references_promise(folder: Path) -> None:
    write_check(folder, "return passed('좋아요', 'Fine')")
    told = wrong(looked_at(folder))
    assert "reference/fail-facts: en: It should lose points on 'facts' and gets them all." in told
    assert "lab.yaml: criteria.facts.check: No reference submission loses points on this criterion." in told
    assert any(line.startswith("lab.yaml: deliverables.0: No criterion looks at notice.md") for line in told)
    write_check(folder, "return failed(Text(ko='아니요', en='No'))")
    assert "reference/good: en: The good reference loses points: facts. Mend the check or the reference." in wrong(
        looked_at(folder)
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            "import time\nreturn passed(f'{time.time_ns()}', 'x') if good else failed(Text(ko='x', en='x'))",
            marks=pytest.mark.long,
        ),
        pytest.param("import random\nreturn CheckResult(score=random.random() if good else 0)", marks=pytest.mark.long),
        "return passed('x', str(list({*'abcdefghij'}))) if good else failed(Text(ko='x', en='x'))",
    ],
    ids=["clock", "chance", "order of a set"],
)
def test_a_check_that_depends_on_time_chance_or_order_is_found(folder: Path, body: str) -> None:
    write_check(folder, body)
    assert any("gets different results" in line for line in wrong(looked_at(folder)))


@pytest.mark.long
def test_the_author_is_told_why_a_check_broke(folder: Path) -> None:
    write_check(folder, "return {}['nothing']")
    told = [line for line in wrong(looked_at(folder)) if "raised an error" in line]
    assert told
    assert "KeyError: 'nothing' (event_notice_checks.py:8)" in told[0]
    (folder.parents[1] / "event_notice_checks.py").unlink()
    told = [line for line in wrong(looked_at(folder)) if "raised an error" in line]
    assert "ModuleNotFoundError" in told[0]


@pytest.mark.long
def test_what_a_learner_gets_is_kept_without_the_solution(folder: Path, tmp_path: Path) -> None:
    report = looked_at(folder, tmp_path / "kept", LANGUAGES)
    kept = tmp_path / "kept" / "my_lessons" / "event-notice"
    assert LabReport.model_validate_json((kept / "report.json").read_text("utf-8")) == report
    for lang, word in (("ko", "다섯 문장으로"), ("en", "in five sentences")):
        files = {path.name for path in (kept / lang / "files").iterdir()}
        assert files == {"event-notice.ipynb", "lab.json", f"brief.{lang}.md"}
        page = (kept / lang / "page.html").read_text("utf-8")
        assert word not in page
        assert word not in (kept / lang / "files" / "event-notice.ipynb").read_text("utf-8")
        assert f'lang="{lang}"' in page


@pytest.mark.long
def test_a_solution_in_a_read_only_cell_is_a_leak(folder: Path) -> None:
    source = folder / "lab.md"
    line = re.search(r"BEGIN SOLUTION\n(.*)\n", source.read_text("utf-8"))
    assert line is not None
    source.write_text(source.read_text("utf-8").replace("form.widget", f"# form\n{line[1]}\nform.widget"), "utf-8")
    assert any("event-notice.ipynb: A solution or a key is left" in told for told in wrong(looked_at(folder)))


def _lab(folder: Path) -> LabFolder:
    (lab,) = labs_meant([str(folder)])
    return lab


@pytest.mark.long
def test_a_check_that_loops_is_ended_and_the_author_told(folder: Path) -> None:
    manifest = folder / "lab.yaml"
    limits = "limits: {wall_seconds: 2, cpu_seconds: 2}\ncriteria:"
    manifest.write_text(manifest.read_text("utf-8").replace("criteria:", limits, 1), "utf-8")
    write_check(folder, "while True:\n    pass")
    begun = time.monotonic()
    told = looked_at(folder)
    assert time.monotonic() - begun < 150
    assert any("loses points: facts" in line for line in wrong(told))
    found = next(tried for tried in told.tried if tried.name == "good").results[0].findings[0]
    assert "limit" in found.found.en


@pytest.mark.alone  # it looks whether any process of the kind is left on the machine
def test_a_check_that_forks_takes_the_machine_down_for_nobody(folder: Path) -> None:
    manifest = folder / "lab.yaml"
    limits = "limits: {wall_seconds: 3, processes: 100000}\ncriteria:"
    manifest.write_text(manifest.read_text("utf-8").replace("criteria:", limits, 1), "utf-8")
    write_check(folder, "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass")
    told = looked_at(folder)
    assert any("loses points: facts" in line for line in wrong(told))
    mine = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"grader.engine.warm" in _read(path)]
    assert mine == [], "nothing of it is left"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("do", ["material", "references"])
def test_a_builder_that_means_harm_reaches_nothing_outside(do: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    evil = folder.parents[1] / "evil.py"
    evil.write_text(
        "import os, socket, pathlib\n"
        "def attack(out):\n"
        "    told = []\n"
        f"    for way in (lambda: open({str(tmp_path / 'secret')!r}).read(), lambda: open({str(tmp_path / 'written')!r}, 'w').write('x'),\n"
        "                lambda: open(__file__, 'a').write('x'), lambda: socket.create_connection(('127.0.0.1', 8000), 1)):\n"
        "        try:\n            told.append(str(way()))\n        except OSError as error:\n            told.append(type(error).__name__)\n"
        "    out.mkdir(exist_ok=True)\n    (out / 'link').symlink_to('/etc/hosts')\n    print('{\"finished\": true}')\n"
        "    (out / 'told.txt').write_text('|'.join(told))\n"
        "def material(lab_folder, out, lang): attack(out)\n"
        "def references(lab_folder, name, material, out, lang): attack(out)\n"
    )
    before = evil.read_bytes()
    manifest = folder / "lab.yaml"
    manifest.write_text(f"{do}: my_lessons.evil:{do}\n" + manifest.read_text("utf-8"), "utf-8")
    source = tmp_path / "material"
    source.mkdir()
    made = tmp_path / "made"
    if do == "material":
        make(_lab(folder), "build", made, languages=["ko"])
    else:
        make(_lab(folder), "references", made, lang="ko", names=["good"], material=source)
    (told_in,) = made.rglob("told.txt")
    told = told_in.read_text()
    assert SECRET not in told
    assert re.fullmatch(r"FileNotFoundError\|(1|\w*Error)\|OSError\|\w*Error", told), told
    assert not (tmp_path / "written").exists()
    assert evil.read_bytes() == before
    # In the learner's copy it is what it led to inside the sandbox, as a file; nothing leads anywhere outside.
    assert not any(path.is_symlink() for path in made.rglob("*"))


@pytest.mark.long
def test_a_builder_that_never_ends_or_fills_the_disk_is_ended(folder: Path, tmp_path: Path) -> None:
    pack, manifest = folder.parents[1], folder / "lab.yaml"
    (pack / "evil.py").write_text(
        "def slow(lab_folder, name, material, out, lang):\n    while True: pass\n"
        "def big(lab_folder, name, material, out, lang):\n    open(out / 'x', 'wb').truncate(10**12)\n"
        "def many(lab_folder, name, material, out, lang):\n    [open(out / str(n), 'w').close() for n in range(5000)]\n"
    )
    text = manifest.read_text("utf-8")
    for name, said in (("slow", "longer"), ("many", "refused")):
        manifest.write_text(f"references: my_lessons.evil:{name}\n{text}", "utf-8")
        with pytest.raises(NotMade, match=said):
            make(_lab(folder), "references", tmp_path / name, lang="ko", names=["good"], seconds=10)
    manifest.write_text(f"references: my_lessons.evil:big\n{text}", "utf-8")
    make(_lab(folder), "references", tmp_path / "big", lang="ko", names=["good"])
    assert "File too large" in (tmp_path / "big" / "good.problem").read_text()


@pytest.mark.long
def test_json_lines_say_each_step_and_each_finding(folder: Path) -> None:
    code, said = practicum("lab", "check", str(folder), "--json", "--draft", "--lang", "ko")
    lines = [json.loads(line) for line in said.splitlines()]
    steps = [line for line in lines if "total" in line]
    assert [step["done"] for step in steps] == list(range(steps[0]["total"]))
    assert {line["kind"] for line in lines if "kind" in line} == {"to_write"}
    assert (code, lines[-1]) == (0, {"finished": True, "failed": 0})


@pytest.mark.long
def test_no_name_of_the_machine_is_inherited(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PRACTICUM_RECORDS_TOKEN", SECRET)
    write_check(
        folder, "import os\nreturn passed(str(dict(os.environ)), 'x') if good else failed(Text(ko='x', en='x'))"
    )
    assert SECRET not in looked_at(folder).model_dump_json()
