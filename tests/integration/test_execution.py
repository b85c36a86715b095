"""Ordinary nbgrader assignments: executed in warm forks, graded by nbgrader's own rules, with the limits and the proof of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grading_course import GradingCourse, graded_cell, grading_course, notebook, solution_cell
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook
from small_course import COURSE
from sqlalchemy import Engine

from grader.client import RecordsClient
from grader.engine import kinds
from grader.records import journal, work
from grader.records.db import reading
from labs.manifest import Limits

LAB = "squares"


@pytest.fixture
def course(tmp_path: Path, engine: Engine) -> Iterator[GradingCourse]:
    with grading_course(tmp_path, engine) as made:
        yield made


def squares() -> Any:
    return notebook(
        solution_cell("f", "def f(n):\n    ### BEGIN SOLUTION\n    return n * n\n    ### END SOLUTION"),
        graded_cell("visible", "assert f(2) == 4"),
        graded_cell("hidden", "### BEGIN HIDDEN TESTS\nassert f(-3) == 9, 'canary-9481'\n### END HIDDEN TESTS"),
        graded_cell("partial", "0.5 * f(3)", points=9),
    )


def answered(course: GradingCourse, source: str, *more: str) -> Any:
    """The released notebook with the learner's cell filled in, and more cells after it."""
    page = course.released(LAB)
    page.cells[0].source = source
    page.cells[1:1] = [new_code_cell(text) for text in more]
    return page


def graded(course: GradingCourse, source: str, *more: str, **files: Any) -> dict[str, float | None]:
    """Hand in as ann and grade; the score of each cell."""
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": answered(course, source, *more), **files})
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.failed) == (1, 0)
    return {cell: score for (who, _page, cell), score in course.scores(LAB).items() if who == "ann"}


RIGHT = "def f(n):\n    return n * n"


def test_a_right_answer_gets_its_points_and_a_wrong_one_none(course: GradingCourse) -> None:
    course.assign(LAB, squares())
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": answered(course, RIGHT)})
    course.hand_in("bob", LAB, {f"{LAB}.ipynb": answered(course, "def f(n):\n    return abs(n) + 2")})
    summary, seen = course.grade(LAB)
    assert (summary.graded, summary.failed, summary.causes) == (2, 0, {})
    assert (seen[0].total, seen[-1].done, seen[-1].seconds_left) == (2, 2, 0.0)
    scores = course.scores(LAB)
    assert [scores["ann", LAB, cell] for cell in ("visible", "hidden", "partial")] == [10, 10, 4.5]
    assert [scores["bob", LAB, cell] for cell in ("visible", "hidden", "partial")] == [10, 0, 2.5]
    with reading(course.engine) as session:
        grades = {e.subject: e.payload for e in journal.events(session, COURSE, kind=work.GRADED)}
    assert (grades["ann"]["points"], grades["ann"]["final"], grades["bob"]["points"]) == (24.5, True, 12.5)


def test_every_submission_starts_from_nothing(course: GradingCourse) -> None:
    """What one submission leaves in its process, on disk or in memory, the next does not meet."""
    course.assign(LAB, squares())
    leave = """
import os, subprocess, builtins
for folder in ("/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~"), "."):
    open(os.path.join(folder, "left-behind"), "w").write("x")
builtins.left_behind = True
subprocess.Popen(["setsid", "sh", "-c", "while :; do touch /tmp/left-behind; sleep 0.05; done"], start_new_session=True)
"""
    look = """
import os, builtins
found = [folder for folder in ("/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~"), ".")
         if os.path.exists(os.path.join(folder, "left-behind"))]
others = [n for n in os.listdir("/proc") if n.isdigit() and "left-behind" in open(f"/proc/{n}/cmdline").read()]
print("FOUND", found, others, hasattr(builtins, "left_behind"))
"""
    for who, more in (("ann", leave), ("bob", look), ("cat", look)):
        course.hand_in(who, LAB, {f"{LAB}.ipynb": answered(course, RIGHT, more)})
    course.grade(LAB, workers=1)
    for who in ("bob", "cat"):
        page = (course.root / "autograded" / who / LAB / f"{LAB}.ipynb").read_text("utf-8")
        assert "FOUND [] [] False" in page


def test_chance_differs_from_fork_to_fork(course: GradingCourse) -> None:
    course.assign(LAB, squares())
    for who in ("ann", "bob"):
        course.hand_in(who, LAB, {f"{LAB}.ipynb": answered(course, RIGHT, "import random; print(random.random())")})
    course.grade(LAB)
    drawn = set()
    for who in ("ann", "bob"):
        page = json.loads((course.root / "autograded" / who / LAB / f"{LAB}.ipynb").read_text("utf-8"))
        drawn.add(page["cells"][1]["outputs"][0]["text"][0])
    assert len(drawn) == 2


@pytest.mark.parametrize(
    ("cause", "limits", "source"),
    [
        ("time_limit", {"cell_seconds": 1, "wall_seconds": 3}, "import signal\nsignal.signal(2, 1)\nwhile True: pass"),
        ("cpu_limit", {"cpu_seconds": 1}, "while True: pass"),
        ("memory_limit", {"memory_mb": 400}, "import subprocess, sys\nfor _ in range(4): subprocess.Popen([sys.executable, '-c', "
         "'b = bytearray(150_000_000); import time; time.sleep(20)'])\nimport time; time.sleep(20)"),
        ("process_limit", {"processes": 20}, "import os, time\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n"
         "        pass"),
        ("output_limit", {}, "import os\nwhile True: os.write(1, b'x' * 100_000)"),
    ],
)  # fmt: skip
def test_a_limit_ends_what_breaks_it_and_grades_the_rest(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch, cause: str, limits: dict[str, Any], source: str
) -> None:
    monkeypatch.setattr(kinds, "Limits", lambda: Limits(**limits))
    course.assign(LAB, squares())
    page = answered(course, RIGHT)
    page.cells.insert(2, new_code_cell(source))  # after the visible test
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": page})
    course.hand_in("bob", LAB, {f"{LAB}.ipynb": answered(course, RIGHT)})
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.causes) == (2, {cause: 1})
    scores = course.scores(LAB)
    assert [scores["ann", LAB, cell] for cell in ("visible", "hidden", "partial")] == [10, 0, 0]
    assert [scores["bob", LAB, cell] for cell in ("visible", "hidden", "partial")] == [10, 10, 4.5]
    assert cause in (course.root / "logs" / "ann" / f"{LAB}.log").read_text("utf-8")


def test_an_endless_loop_is_interrupted_and_later_cells_run(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "Limits", lambda: Limits(cell_seconds=1))
    course.assign(LAB, squares())
    assert graded(course, RIGHT, "while True: pass") == {"visible": 10, "hidden": 10, "partial": 4.5}


def test_points_by_hand_survive_and_wait_only_for_a_new_submission(course: GradingCourse) -> None:
    essay = notebook(solution_cell("f", "f = 1"), graded_cell("t", "assert f"),
                     _manual("essay", "your answer"))  # fmt: skip
    course.assign(LAB, essay)
    page = course.released(LAB)
    page.cells[2].source = "a good answer"
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": page})
    course.grade(LAB)
    _judge(course, 7.0)
    course.grade(LAB, force=True)
    assert _essay(course) == (7.0, False)
    page.cells[2].source = "another answer"
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": page})
    course.grade(LAB)
    assert _essay(course) == (7.0, True)


def _manual(grade_id: str, source: str) -> Any:
    cell = solution_cell(grade_id, source)
    cell.metadata.nbgrader.update(grade=True, points=10)
    return cell


def _judge(course: GradingCourse, points: float) -> None:
    with Gradebook(f"sqlite:///{course.root}/gradebook.db", COURSE) as gradebook:
        grade = gradebook.find_grade("essay", LAB, LAB, "ann")
        assert grade.needs_manual_grade
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def _essay(course: GradingCourse) -> tuple[float | None, bool]:
    with Gradebook(f"sqlite:///{course.root}/gradebook.db", COURSE) as gradebook:
        grade = gradebook.find_grade("essay", LAB, LAB, "ann")
        return grade.manual_score, grade.needs_manual_grade


def test_an_assignment_may_replace_builtins_for_its_own_tests(course: GradingCourse) -> None:
    """Asking for input is played by many an instructor's test."""
    source = notebook(
        solution_cell("f", "def f():\n    ### BEGIN SOLUTION\n    return int(input()) + 1\n    ### END SOLUTION"),
        graded_cell("played", "import builtins\nbuiltins.input = lambda prompt='': '41'\nassert f() == 42"),
        graded_cell("again", "assert f() == 42"),
        graded_cell(
            "mocked",
            "from unittest.mock import patch\nwith patch('builtins.input', return_value='1'):\n    assert f() == 2",
        ),
    )
    course.assign(LAB, source)
    page = course.released(LAB)
    page.cells[0].source = "def f():\n    return int(input()) + 1"
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": page})
    page.cells[0].source = "def f():\n    return 42"
    course.hand_in("bob", LAB, {f"{LAB}.ipynb": page})
    course.grade(LAB)
    scores = course.scores(LAB)
    assert [scores["ann", LAB, cell] for cell in ("played", "again", "mocked")] == [10, 10, 10]
    assert [scores["bob", LAB, cell] for cell in ("played", "again", "mocked")] == [10, 10, 0]


def test_a_grade_belongs_to_the_submission_that_it_was_made_of(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learners hand in again while a run begins: before it takes submissions, and after."""
    course.assign(LAB, squares())
    wrong, right = "def f(n):\n    return 0", RIGHT
    first = course.hand_in("ann", LAB, {f"{LAB}.ipynb": answered(course, wrong)})
    real = RecordsClient.submissions
    later: list[str] = []

    def slowly(self: RecordsClient, *args: str) -> Any:
        if not later:
            later.append(course.hand_in("ann", LAB, {f"{LAB}.ipynb": answered(course, right)}))
        return real(self, *args)

    monkeypatch.setattr(RecordsClient, "submissions", slowly)
    assert course.grade(LAB)[0].graded == 1
    assert graded_points(course) == {first: 0}
    assert course.grade(LAB)[0].graded == 1
    assert graded_points(course) == {first: 0, later[0]: 24.5}


def graded_points(course: GradingCourse) -> dict[str, float]:
    with reading(course.engine) as session:
        events = journal.events(session, COURSE, kind=work.GRADED)
        return {event.payload["submission"]: event.payload["points"] for event in events}
