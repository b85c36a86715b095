"""An instructor's own assignment from its source folder to a learner, over the records service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import nbformat
import pytest
from click.testing import CliRunner
from grading_course import GradingCourse, graded_cell, grading_course, marked, notebook, solution_cell
from nbformat.v4 import new_markdown_cell, new_output
from small_course import COURSE
from sqlalchemy import Engine
from turns import few

from grader.client import Refusal
from grader.engine.grade import release_feedback
from grader.nbgrader_setup import course_api
from grader.own.hand_out import NotHandedOut, hand_out
from grader.own.terms import OwnTerms
from grader.records import journal, work
from grader.records.db import reading
from grader.records.state import find_course
from hub_config import cli

LAB, CANARY, SOLVED = "squares", "canary-77aa", "solved-12bc"
TERMS = OwnTerms(title_ko="제곱", title_en="Squares", minutes=30, pass_percent=70)


@pytest.fixture
def course(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[GradingCourse]:
    for name in ("PRACTICUM_RECORDS_URL", "PRACTICUM_RECORDS_TOKEN", "PRACTICUM_LANG"):
        monkeypatch.setenv(name, "")
    with grading_course(tmp_path, engine) as made:
        made.become_grader()
        yield made


def written(course: GradingCourse, test: str = "assert f(2) == 4", page: Any = None) -> Path:
    """The assignment as its instructor leaves it, run once."""
    task = marked(new_markdown_cell(f"Say why.\n### BEGIN MARK SCHEME\n{CANARY}\n### END MARK SCHEME"), "why", task=True,
                  points=5, locked=True)  # fmt: skip
    made = page or notebook(
        solution_cell("f", f"### BEGIN SOLUTION\ndef f(n):\n    return n * n  # {SOLVED}\n### END SOLUTION"),
        graded_cell("t", f"{test}\n### BEGIN HIDDEN TESTS\nassert f(3) == 9, '{CANARY}'\n### END HIDDEN TESTS"),
        task,
    )
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [new_output("stream", name="stdout", text=f"{CANARY} {SOLVED}")]
    folder = course.root / "source" / LAB
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, folder / f"{LAB}.ipynb")
    (folder / "data.csv").write_text("n\n2\n")
    (folder / ".ipynb_checkpoints").mkdir(exist_ok=True)
    nbformat.write(made, folder / ".ipynb_checkpoints" / f"{LAB}-checkpoint.ipynb")
    return folder


def get(course: GradingCourse, path: str, token: str = "ann") -> httpx.Response:
    headers = {"Authorization": f"token token-{token}"}
    return httpx.get(f"{course.api}/courses/{COURSE}/{path}", headers=headers, trust_env=False)


def released(course: GradingCourse) -> dict[str, str]:
    """What a learner can fetch of the assignment."""
    found = [lab for lab in get(course, "labs").json() if lab["lab"] == LAB]
    files = found[0]["manifest"]["files"] if found else []
    return {f["path"]: get(course, f"labs/{LAB}/release/{f['sha256']}").text for f in files}


def test_what_is_handed_out_holds_no_solution_and_no_hidden_test(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(course)
    monkeypatch.setenv("PRACTICUM_RECORDS_TOKEN", "token-eve")
    hand_out(course.root, COURSE, LAB, TERMS)
    files = released(course)
    assert sorted(files) == ["data.csv", f"{LAB}.ipynb"]
    assert "assert f(2) == 4" in files[f"{LAB}.ipynb"]
    for secret in (CANARY, SOLVED, "BEGIN"):
        assert secret not in "".join(files.values()), secret
    with reading(course.engine) as session:
        row = work.lab_of(find_course(session, COURSE), LAB)
        assert (row.title_ko, row.title_en, row.minutes, row.pass_percent, row.required) == (
            "제곱",
            "Squares",
            30,
            70,
            False,
        )
        (event,) = journal.events(session, COURSE, kind=work.RELEASED)
        assert event.actor == "eve"
        assert {name: event.payload[name] for name in TERMS.model_dump()} == TERMS.model_dump()
        assert journal.verify(session) is None


@pytest.mark.long
def test_a_changed_version_is_handed_out_again_and_the_same_one_is_not(course: GradingCourse) -> None:
    written(course)
    for test in ("assert f(2) == 4", "assert f(2) == 4", "assert f(5) == 25"):
        written(course, test)
        hand_out(course.root, COURSE, LAB, TERMS if test == "assert f(2) == 4" else None)
    assert "f(5)" in released(course)[f"{LAB}.ipynb"]
    with reading(course.engine) as session:
        assert len(journal.events(session, COURSE, kind=work.RELEASED)) == 2


def test_from_handing_out_to_feedback(course: GradingCourse) -> None:
    written(course)
    hand_out(course.root, COURSE, LAB, TERMS)
    page = course.released(LAB)
    page.cells[0].source = "def f(n):\n    return n * n"
    receipt = course.hand_in("ann", LAB, {f"{LAB}.ipynb": page})
    assert course.grade(LAB)[0].graded == 1
    assert release_feedback(course.root, COURSE, LAB).graded == 1
    told = get(course, f"submissions/{receipt}/feedback/results").json()
    assert [(row["id"], row["points"]) for row in told["criteria"]] == [("t", 10), ("why", None)]
    everything = json.dumps(told) + get(course, f"submissions/{receipt}/feedback/html").text
    assert "Say why." in everything
    assert CANARY not in everything


@pytest.mark.long
def test_an_error_of_nbgrader_is_one_line(course: GradingCourse) -> None:
    written(course, page=notebook(graded_cell("t", "### BEGIN HIDDEN TESTS\nassert 1")))
    with pytest.raises(NotHandedOut, match="No end hidden tests statement found") as caught:
        hand_out(course.root, COURSE, LAB, TERMS)
    assert "\n" not in caught.value.text.en
    assert released(course) == {}


@pytest.mark.parametrize("where", few(("a copy in another cell", "another cell's comment", "a file"), {"a file"}))
def test_what_is_left_of_a_hidden_test_is_not_handed_out(course: GradingCourse, where: str) -> None:
    hidden = graded_cell("t", f"### BEGIN HIDDEN TESTS\nassert 3 == 3, '{CANARY}'\n### END HIDDEN TESTS")
    more = {
        "a copy in another cell": "### begin hidden tests\nx = 1\n# END HIDDEN TESTS",
        "another cell's comment": "# BEGIN  HIDDEN TEST\nx = 1",
    }.get(where, "pass")
    page = notebook(hidden, graded_cell("u", more))
    folder = written(course, page=page)
    if where == "a file":
        (folder / "helper.py").write_text("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")
    with pytest.raises((NotHandedOut, Refusal)):
        hand_out(course.root, COURSE, LAB, TERMS)
    assert released(course) == {}


def test_nothing_of_a_notebook_is_run_outside_of_the_sandbox(course: GradingCourse, tmp_path: Path) -> None:
    """nbgrader writes AUTOTEST tests by running the notebook's cells: here that would be outside of the sandbox."""
    code = f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).write_text('x')"
    page = notebook(solution_cell("f", code), graded_cell("t", "### AUTOTEST f"))
    written(course, page=page)
    with pytest.raises(NotHandedOut, match="autotest"):
        hand_out(course.root, COURSE, LAB, TERMS)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_becomes_a_link_is_not_opened(course: GradingCourse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the copy an instructor's server can put a link to a file of the machine in a file's place."""
    from grader.own import hand_out as module

    folder, secret = written(course), course.root.parent / "secret"
    secret.write_text("root:")
    real = module.look_at

    def looked(root: Path, name: str) -> Any:
        found = real(root, name)
        (folder / "data.csv").unlink()
        (folder / "data.csv").symlink_to(secret)
        return found

    monkeypatch.setattr(module, "look_at", looked)
    with pytest.raises(OSError, match="symbolic link"):
        hand_out(course.root, COURSE, LAB, TERMS)
    assert released(course) == {}


def test_a_link_in_the_place_of_the_release_folder_is_not_followed(course: GradingCourse) -> None:
    written(course)
    outside = course.root.parent / "outside"
    outside.mkdir()
    (course.root / "release").symlink_to(outside)
    with pytest.raises(NotHandedOut, match="link"):
        hand_out(course.root, COURSE, LAB, TERMS)
    assert list(outside.iterdir()) == []


def test_formgraders_release_says_where_to_hand_out_and_works_afterwards(course: GradingCourse) -> None:
    written(course)
    api = course_api(course.root, COURSE)
    assert api.generate_assignment(LAB, force=True)["success"]
    refused = api.release_assignment(LAB)
    assert not refused["success"]
    assert "Own assignments" in refused["log"]
    hand_out(course.root, COURSE, LAB, TERMS)
    written(course, "assert f(7) == 49")
    assert api.generate_assignment(LAB, force=True)["success"]
    assert api.release_assignment(LAB)["success"]
    assert "f(7)" in released(course)[f"{LAB}.ipynb"]
    # Not generated: nobody's notebook is taken with its hidden tests in it.
    nbformat.write(
        nbformat.read(course.root / "source" / LAB / f"{LAB}.ipynb", 4), course.root / "release" / LAB / f"{LAB}.ipynb"
    )
    assert not api.release_assignment(LAB)["success"]
    assert CANARY not in "".join(released(course).values())


@pytest.mark.long
def test_the_command_hands_out_and_says_in_one_line_what_is_in_the_way(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SimpleNamespace(
        course_root=lambda name: course.root.parent / name, records_url=course.api, gateway_url="", language="en",
        secret=lambda _name: "token-grader",
    )  # fmt: skip
    monkeypatch.setattr(cli, "in_force", lambda: settings)
    monkeypatch.setenv("PRACTICUM_RECORDS_TOKEN", "token-eve")
    written(course, page=notebook(graded_cell("t", "1"), graded_cell("t", "2")))
    run = CliRunner()
    refused = run.invoke(cli.main, ["release", COURSE, LAB, "--json", "--title-ko=제곱"])
    said = json.loads(refused.stdout.splitlines()[-1])
    assert (refused.exit_code, said["failed"], said["finished"]) == (1, 1, True)
    assert f"duplicate {LAB}.ipynb: t" in said["message"]
    written(course)
    untitled = run.invoke(cli.main, ["release", COURSE, LAB])
    assert untitled.exit_code == 1
    assert "Own assignments" in untitled.output
    assert "Traceback" not in untitled.output
    assert released(course) == {}
    told = run.invoke(cli.main, ["release", COURSE, LAB, "--json", "--title-ko=제곱", "--minutes=45", "--required"])
    assert (told.exit_code, json.loads(told.stdout.splitlines()[-1])) == (0, {"graded": 1, "finished": True})
    with reading(course.engine) as session:
        row = work.lab_of(find_course(session, COURSE), LAB)
        assert (row.title_en, row.minutes, row.pass_percent, row.required) == ("제곱", 45, 60, True)
        assert [event.actor for event in journal.events(session, COURSE, kind=work.RELEASED)] == ["eve"]
