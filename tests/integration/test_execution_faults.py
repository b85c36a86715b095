"""Kills in the middle: every submission has its result, once, and the same as in a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grading_course import GradingCourse, graded_cell, grading_course, notebook, solution_cell
from small_course import COURSE
from sqlalchemy import Engine

from grader.records import journal, work
from grader.records.db import reading

LAB = "sums"
ROUNDS = int(os.environ.get("PRACTICUM_ROUNDS", "1"))
RUN = """
import sys
from pathlib import Path
from grader.engine.start import grade
summary = grade(Path(sys.argv[1]), sys.argv[2], sys.argv[3], force=False, workers=2, report=lambda _progress: None)
sys.exit(1 if summary.failed else 0)
"""


@pytest.fixture
def course(tmp_path: Path, engine: Engine) -> Iterator[GradingCourse]:
    with grading_course(tmp_path, engine) as made:
        yield made


def handed_in(course: GradingCourse, count: int) -> list[str]:
    source = notebook(
        solution_cell("add", "def add(a, b):\n    ### BEGIN SOLUTION\n    return a + b\n    ### END SOLUTION"),
        graded_cell("works", "import time\ntime.sleep(0.05)\nassert add(2, 3) == 5"),
        graded_cell("partial", "sum(add(n, 1) == n + 1 for n in range(10))"),
    )
    course.assign(LAB, source)
    receipts = []
    for number in range(count):
        page = course.released(LAB)
        page.cells[0].source = f"def add(a, b):\n    return a + b if a != {number % 4} else 0"
        receipts.append(course.hand_in(f"l{number:03}", LAB, {f"{LAB}.ipynb": page}))
    course.become_grader()
    return receipts


def engine_process(course: GradingCourse) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUN, str(course.root), COURSE, LAB]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def sandboxes_of(process: int) -> list[int]:
    """The sandboxes that an engine has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(stat[1]) == process and b"bwrap" in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def grades(engine: Engine) -> Counter[str]:
    with reading(engine) as session:
        return Counter(event.payload["submission"] for event in journal.events(session, COURSE, kind=work.GRADED))


def test_kills_of_workers_and_of_the_engine_lose_nothing_and_double_nothing(
    course: GradingCourse, engine: Engine
) -> None:
    count, kills = 25 * ROUNDS, 6 * ROUNDS
    receipts, chance = handed_in(course, count), random.Random(7)
    process = engine_process(course)
    done = Counter[str]()
    until = time.monotonic() + 240
    while time.monotonic() < until:
        if process.poll() is not None:
            if process.returncode == 0 and sum(grades(engine).values()) == count:
                break
            process = engine_process(course)
        time.sleep(chance.uniform(0.3, 1.2))
        if done.total() < kills and process.poll() is None:
            workers = sandboxes_of(process.pid)
            target = chance.choice([process.pid, *workers])
            done["engine" if target == process.pid else "worker"] += 1
            os.kill(target, signal.SIGKILL)
    assert process.wait(60) == 0
    assert grades(engine) == Counter(receipts)
    disturbed = course.scores(LAB)
    summary, _ = course.grade(LAB, force=True)
    assert (summary.graded, summary.failed) == (count, 0)
    assert course.scores(LAB) == disturbed
    assert len(set(disturbed.values())) > 2
    assert grades(engine) == Counter(receipts)  # the same result once more is no new event
    with reading(engine) as session:
        assert journal.verify(session) is None


def test_ctrl_c_ends_everything_and_gives_back_what_was_taken(course: GradingCourse, engine: Engine) -> None:
    receipts = handed_in(course, 60)  # far more than are done when the first results are in
    process = engine_process(course)
    until = time.monotonic() + 60
    while not grades(engine) and time.monotonic() < until:
        time.sleep(0.05)
    workers = sandboxes_of(process.pid)
    assert len(workers) == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    begun = grades(engine)
    again = engine_process(course)
    assert again.wait(120) == 0
    assert grades(engine) == Counter(receipts)
    assert begun <= grades(engine)


@pytest.mark.parametrize("attack", ["os.kill(os.getppid(), 9)", "os.kill(-1, 9)"])
def test_a_submission_cannot_end_its_sandbox(course: GradingCourse, attack: str) -> None:
    """The template is the first process in there, which no other one may kill."""
    handed_in(course, 4)
    page: Any = course.released(LAB)
    page.cells[0].source = f"import os\n{attack}"
    course.hand_in("l001", LAB, {f"{LAB}.ipynb": page})
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.failed, summary.causes) == (4, 0, {})
    scores = course.scores(LAB)
    assert scores["l001", LAB, "works"] == 0
    assert scores["l003", LAB, "works"] == 10
