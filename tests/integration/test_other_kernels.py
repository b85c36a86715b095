"""Assignments in another language than Python: the kernel starts cold in a sandbox, and nbgrader's own rules grade what came of it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from bash_course import BASH, HIDDEN, LAB, RIGHT, WRONG, doubles, install_bash
from grading_course import PYTHON, GradingCourse, graded_cell, grading_course, notebook, solution_cell
from nbformat.v4 import new_code_cell
from sqlalchemy import Engine

from grader.engine import kinds
from grader.engine.cold.kernels import KernelMissing
from labs.manifest import Limits


@pytest.fixture
def course(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[GradingCourse]:
    monkeypatch.setenv("JUPYTER_PATH", str(install_bash(tmp_path / "jupyter")))
    with grading_course(tmp_path, engine) as made:
        yield made


def answered(course: GradingCourse, source: str, *more: str) -> Any:
    """The released notebook with the learner's cell filled in, and more cells before the tests."""
    page = course.released(LAB)
    page.cells[0].source = source
    page.cells[1:1] = [new_code_cell(text) for text in more]
    return page


def hand_in(course: GradingCourse, who: str, source: str, *more: str) -> None:
    course.hand_in(who, LAB, {f"{LAB}.ipynb": answered(course, source, *more)})


def scores(course: GradingCourse, who: str) -> dict[str, float | None]:
    return {cell: score for (name, _page, cell), score in course.scores(LAB).items() if name == who}


def printed(course: GradingCourse, who: str) -> str:
    """All that a learner's notebook shows after grading."""
    page = json.loads((course.root / "autograded" / who / LAB / f"{LAB}.ipynb").read_text("utf-8"))
    return json.dumps([cell.get("outputs", []) for cell in page["cells"]])


@pytest.mark.long
def test_answers_get_the_points_that_stock_nbgrader_gives(course: GradingCourse) -> None:
    course.assign(LAB, doubles(), stock=True)
    assert "echo" not in course.released(LAB).cells[0].source
    for who, source in {"ann": RIGHT, "bob": WRONG, "cat": "double( {", "dan": f"{RIGHT}\nfalse"}.items():
        hand_in(course, who, source)
    hand_in(course, "eve", RIGHT, "echo said; echo wrong >&2; ls /nowhere")
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.failed, summary.causes) == (5, 0, {})
    said = course.stock_grade(LAB)
    assert course.scores(LAB) == course.stock_scores(LAB), said[-3000:]
    assert scores(course, "ann") == {"visible": 10, "hidden": 10}
    assert scores(course, "bob") == {"visible": 10, "hidden": 0}
    assert "said" in printed(course, "eve")


def test_the_kernels_own_word_is_less_than_pythons_proof(course: GradingCourse) -> None:
    """Ending the kernel gains nothing; giving a command of the tests another meaning does, as the documents say."""
    course.assign(LAB, doubles())
    hand_in(course, "ann", "kill -9 $PPID")
    hand_in(course, "bob", "[() { true; }")
    course.grade(LAB)
    assert scores(course, "ann") == {"visible": 0, "hidden": 0}
    assert scores(course, "bob") == {"visible": 10, "hidden": 10}


def test_each_notebook_runs_with_the_kernel_of_the_instructors_source(course: GradingCourse) -> None:
    """Two notebooks of two languages; what a submission says of its kernel changes nothing."""
    python = notebook(solution_cell("f", "f = 1"), graded_cell("python", "assert f == 2"))
    course.assign(LAB, {LAB: doubles(), "more": python})
    shell, other = answered(course, RIGHT), course.released(LAB, "more")
    other.cells[0].source = "f = 2"
    shell.metadata["kernelspec"], other.metadata["kernelspec"] = dict(PYTHON), dict(BASH)
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": shell, "more.ipynb": other})
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.failed) == (1, 0)
    assert scores(course, "ann") == {"visible": 10, "hidden": 10, "python": 10}


@pytest.mark.long
def test_an_endless_loop_is_interrupted_and_later_cells_run(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "Limits", lambda: Limits(cell_seconds=1))
    course.assign(LAB, doubles())
    hand_in(course, "ann", RIGHT, "while :; do :; done")
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.causes) == (1, {})
    assert scores(course, "ann") == {"visible": 10, "hidden": 10}


@pytest.mark.long
def test_a_test_that_is_interrupted_has_no_proof(course: GradingCourse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "Limits", lambda: Limits(cell_seconds=1))
    course.assign(LAB, doubles())
    hand_in(course, "ann", "double() { while :; do :; done; }")
    course.grade(LAB)
    assert scores(course, "ann") == {"visible": 0, "hidden": 0}
    assert "did not run to its end" in printed(course, "ann")


LIMITS = [
    ("time_limit", {"cell_seconds": 1, "wall_seconds": 3}, "trap '' INT\nwhile :; do :; done"),
    ("memory_limit", {"memory_mb": 400}, 'x=$(head -c 500M /dev/zero | tr "\\0" x)'),
    ("cpu_limit", {"cpu_seconds": 2}, "while :; do :; done"),
    ("process_limit", {"processes": 20}, "for n in {1..40}; do sleep 20 & done; wait"),
    ("output_limit", {}, "cat /dev/zero > /proc/$PPID/fd/1"),
    ("killed", {}, "kill -9 $PPID"),
]


@pytest.mark.parametrize(
    ("cause", "limits", "source"),
    [*LIMITS[:2], *(pytest.param(*limit, marks=pytest.mark.long) for limit in LIMITS[2:])],
)
def test_a_limit_ends_what_breaks_it_and_grades_the_rest(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch, cause: str, limits: dict[str, Any], source: str
) -> None:
    monkeypatch.setattr(kinds, "Limits", lambda: Limits(**limits))
    course.assign(LAB, doubles())
    page = answered(course, RIGHT)
    page.cells.insert(2, new_code_cell(source))  # after the visible test
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": page})
    hand_in(course, "bob", RIGHT)
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.causes) == (2, {cause: 1})
    assert scores(course, "ann") == {"visible": 10, "hidden": 0}
    assert scores(course, "bob") == {"visible": 10, "hidden": 10}


SPY = """
cat > /tmp/spy.py <<'END'
import os, re
seen, closed, read = [], [], 0
for pid in set(filter(str.isdigit, os.listdir("/proc"))) - {str(os.getpid())}:
    try:
        with open(f"/proc/{pid}/mem", "rb") as memory:
            for line in open(f"/proc/{pid}/maps"):
                low, high = (int(end, 16) for end in line.split()[0].split("-"))
                if "r" in line.split()[1] and high - low < 200_000_000 and "[v" not in line:
                    memory.seek(low)
                    read += 1
                    seen += [pid] * (bytes(reversed(b"0b77-yranac")) in memory.read(high - low))
    except PermissionError:
        closed.append(pid)
    except OSError:
        pass
    try:
        [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
    except PermissionError:
        closed.append(pid)
    except OSError:
        pass
print("SPIED", seen, len(closed), read > 50)
END
python3 /tmp/spy.py
"""


def test_a_kernel_can_look_neither_into_what_drives_it_nor_at_later_tests(course: GradingCourse) -> None:
    """The template and the driver are closed, in memory and in their open files; the kernel's own process is not."""
    course.assign(LAB, doubles())
    hand_in(
        course,
        "ann",
        RIGHT,
        SPY,
        f"grep -rl {HIDDEN[:-1]}[{HIDDEN[-1]}] /assignment /submission /tmp /run; echo FOUND $?",
    )
    course.grade(LAB)
    assert "SPIED [] 4 True" in printed(course, "ann")
    assert "FOUND 1" in printed(course, "ann")


def test_a_kernel_has_no_network(course: GradingCourse) -> None:
    course.assign(LAB, doubles())
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]
        hand_in(course, "ann", RIGHT, f"(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo GOT || echo NOTHING")
        course.grade(LAB)
        with socket.create_connection(("127.0.0.1", port), 3):
            pass  # from outside the same address answers
    assert "NOTHING" in printed(course, "ann")


def test_every_submission_starts_from_nothing(course: GradingCourse) -> None:
    """Neither files nor processes of one submission are there for the next, and none is left on the machine."""
    course.assign(LAB, doubles())
    mark = f"left-{time.time_ns()}"
    leave = f"for d in /tmp /dev/shm /var/tmp ~ . /run; do touch $d/{mark}; done\n(setsid bash -c 'while :; do sleep 0.1; done' {mark} &) >/dev/null 2>&1"
    look = f"ls -d /tmp/{mark} /dev/shm/{mark} /var/tmp/{mark} ~/{mark} {mark} /run/{mark} 2>/dev/null | wc -l | sed s/^/FOUND/"
    for who, more in (("ann", leave), ("bob", look)):
        hand_in(course, who, RIGHT, more)
    course.grade(LAB, workers=1)
    assert "FOUND0" in printed(course, "bob")
    assert mark not in "".join(_command_lines())


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield path.read_text("utf-8", "replace")


@pytest.mark.long
def test_what_a_cell_shows_is_kept_up_to_its_limit(course: GradingCourse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "Limits", lambda: Limits(output_kb=10))
    course.assign(LAB, doubles())
    hand_in(course, "ann", RIGHT, "seq 20000")
    summary, _ = course.grade(LAB)
    assert (summary.causes, scores(course, "ann")) == ({}, {"visible": 10, "hidden": 10})
    assert 5_000 < len(printed(course, "ann")) < 20_000


@pytest.mark.long
def test_a_file_of_a_submission_takes_no_part_in_the_start_of_the_kernel(course: GradingCourse) -> None:
    """`python -m bash_kernel` looks into its folder first."""
    course.assign(LAB, doubles())
    files = {"bash_kernel.py": b"print('taken over')", "ipykernel.py": b"raise SystemExit"}
    course.hand_in("ann", LAB, {f"{LAB}.ipynb": answered(course, RIGHT, "ls"), **files})
    course.grade(LAB)
    assert scores(course, "ann") == {"visible": 10, "hidden": 10}
    assert "bash_kernel.py" in printed(course, "ann")


def test_a_kernel_that_is_not_there_is_named_before_anything_is_graded(
    course: GradingCourse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    course.assign(LAB, doubles())
    hand_in(course, "ann", RIGHT)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "empty"))
    with pytest.raises(KernelMissing, match="practicum-bash is not installed") as error:
        course.grade(LAB)
    assert "practicum-bash" in error.value.text.ko
    assert scores(course, "ann") == {}
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "program").chmod(0o755)
    monkeypatch.setenv("JUPYTER_PATH", str(install_bash(tmp_path / "elsewhere", program=str(tmp_path / "program"))))
    with pytest.raises(KernelMissing, match="which the sandbox does not have"):
        course.grade(LAB)


def test_a_kernel_that_does_not_start_costs_nobody_points(course: GradingCourse, tmp_path: Path) -> None:
    course.assign(LAB, doubles())
    hand_in(course, "ann", RIGHT)
    spec = tmp_path / "jupyter" / "kernels" / "practicum-bash" / "kernel.json"
    spec.write_text(spec.read_text().replace("bash_kernel", "no_such_kernel"))
    summary, seen = course.grade(LAB)
    assert (summary.graded, summary.failed) == (0, 1)
    assert "the kernel practicum-bash does not start" in seen[-1].message
    assert scores(course, "ann") in ({}, {"visible": None, "hidden": None})
