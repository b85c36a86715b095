"""The engine and stock nbgrader on the same submissions: the same scores, cell by cell, or one of the reasons that are written here."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import nbgrader
import pytest
from grading_course import GradingCourse, Scores, graded_cell, grading_course, notebook, solution_cell, text
from nbformat.v4 import new_code_cell
from sqlalchemy import Engine

LAB = "ps"
FILES = Path(nbgrader.__file__).parent / "tests"
ROUNDS = int(os.environ.get("PRACTICUM_ROUNDS", "1"))
#: Of nbgrader's own test notebooks: one with what its tests hand in for it, and others, whose source itself is handed in.
ONE, ONES = "submitted-unchanged", ("submitted-changed", "submitted-grade-cell-changed", "submitted-locked-cell-changed",
                                    "submitted-cheat-attempt", "submitted-cheat-attempt-alternative")  # fmt: skip
OTHERS = (
    "apps/files/test", "apps/files/test-hidden-tests", "apps/files/side-effects", "apps/files/validation-zero-points",
    "apps/files/validating-environment-variable", "apps/files/test-with-output", "preprocessors/files/test_taskcell",
    "preprocessors/files/manually-graded-code-cell", "preprocessors/files/long-output",
)  # fmt: skip


@pytest.fixture
def course(tmp_path: Path, engine: Engine) -> Iterator[GradingCourse]:
    with grading_course(tmp_path, engine) as made:
        yield made


def read(path: str) -> Any:
    return nbformat.read(FILES / f"{path}.ipynb", as_version=4)


def test_nbgraders_own_submissions_get_the_same_scores(course: GradingCourse) -> None:
    course.assign(LAB, {ONE: read(f"apps/files/{ONE}")}, stock=True)
    course.hand_in("released", LAB, {f"{ONE}.ipynb": course.released(LAB, ONE)})
    for variant in ONES:
        course.hand_in(variant, LAB, {f"{ONE}.ipynb": read(f"apps/files/{variant}")})
    same_scores(course, 1 + len(ONES))


@pytest.mark.long
def test_nbgraders_own_notebooks_get_the_same_scores(course: GradingCourse) -> None:
    names = {Path(path).name: path for path in OTHERS}
    course.assign(LAB, {name: read(path) for name, path in names.items()}, stock=True)
    course.hand_in("released", LAB, {f"{name}.ipynb": course.released(LAB, name) for name in names})
    course.hand_in("source", LAB, {f"{name}.ipynb": read(path) for name, path in names.items()})
    same_scores(course, 2)


def same_scores(course: GradingCourse, count: int) -> None:
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.failed) == (count, 0)
    said = course.stock_grade(LAB)
    ours, stock = course.scores(LAB), course.stock_scores(LAB)
    assert any(ours.values())
    assert {key: (score, stock.get(key)) for key, score in ours.items() if score != stock.get(key)} == {}, said[-3000:]


AUTOTESTS = ("autotest-simple", "autotest-hidden", "autotest-multi", "autotest-hashed")


@pytest.mark.long
def test_generated_tests_get_the_same_scores(course: GradingCourse) -> None:
    """nbgrader's AUTOTEST: tests that it makes from the instructor's solution when the assignment is generated."""
    variants = {"autotest-hidden": ("changed-right", "changed-wrong", "unchanged")}
    for root in (course.root, course.stock_root):
        (root / "autotests.yml").write_bytes((FILES / "apps/files/autotests.yml").read_bytes())
    course.assign(LAB, {name: read(f"apps/files/{name}") for name in AUTOTESTS}, stock=True, apart=True)
    for number, who in enumerate(("ann", "bob", "cat")):
        pages = {}
        for name in AUTOTESTS:
            of = variants.get(name, ("changed", "unchanged"))
            pages[f"{name}.ipynb"] = read(f"apps/files/{name}-{of[number % len(of)]}")
        course.hand_in(who, LAB, pages)
    same_scores(course, 3)


# --- random assignments, random edits --------------------------------------------------------------------------------


def made(chance: random.Random) -> Any:
    """An assignment of a few functions, with tests that are visible, hidden, partial or judged by hand."""
    cells: list[Any] = [text("# Work"), new_code_cell("import math")]
    for i in range(chance.randint(2, 4)):
        cells.append(
            solution_cell(f"f{i}", f"def f{i}(x):\n    ### BEGIN SOLUTION\n    return x + {i}\n    ### END SOLUTION")
        )
        cells.append(chance.choice([
            graded_cell(f"t{i}", f"assert f{i}(1) == {1 + i}", 3),
            graded_cell(f"t{i}", f"assert f{i}(1) == {1 + i}\n### BEGIN HIDDEN TESTS\nassert f{i}(-5) == {i - 5}\n### END HIDDEN TESTS", 4),
            graded_cell(f"t{i}", f"x = [f{i}(n) == n + {i} for n in (1, 5)]\nsum(x)", 2),
            graded_cell(f"t{i}", f"print('looking')\nfor n in range(3):\n    assert f{i}(n) == n + {i}, n", 5),
        ]))  # fmt: skip
        if chance.random() < 0.3:
            cells.append(text(f"between {i}"))
    essay = solution_cell("essay", "answer = '?'")
    essay.metadata.nbgrader.update(grade=True, points=6)
    return notebook(*cells, *([essay] if chance.random() < 0.5 else []))


def answered(page: Any, chance: random.Random) -> Any:
    for cell in page.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if name.startswith("f") and chance.random() < 0.85:
            i = int(name[1:])
            body = chance.choice([f"x + {i}", f"x + {i}", f"abs(x) + {i}", "x * 0", "1 / 0", f"print(x) or x + {i}"])
            cell.source = f"def {name}(x):\n    return {body}"
        if name == "essay" and chance.random() < 0.7:
            cell.source = "answer = 'because'"
    return page


def edited(page: Any, chance: random.Random) -> tuple[Any, set[str]]:
    """A learner's edits; with the grade cells that are gone by them."""
    gone: set[str] = set()
    for _ in range(chance.randint(0, 3)):
        place = chance.randrange(len(page.cells))
        cell = page.cells[place]
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        edit = chance.choice(["delete", "duplicate", "move", "empty", "add", "rename", "change", "fail", "loud"])
        if edit == "delete" and len(page.cells) > 2:
            page.cells.pop(place)
            gone.add(name)
        elif edit == "duplicate":
            twin = copy.deepcopy(cell)
            twin.id = f"twin{chance.randrange(10**6)}"
            page.cells.insert(chance.randrange(len(page.cells)), twin)
        elif edit == "move":
            page.cells.insert(chance.randrange(len(page.cells)), page.cells.pop(place))
        elif edit == "empty":
            cell.source = ""
        elif edit == "rename" and name:
            cell.metadata.nbgrader["grade_id"] = f"x-{name}"
            gone.add(name)
        elif edit == "change":
            cell.source += "\n# changed"
        elif edit in ("add", "fail", "loud"):
            source = {
                "add": "y = 1",
                "fail": "raise ValueError('mine')",
                "loud": "import sys; print('!', file=sys.stderr)",
            }
            page.cells.insert(place, new_code_cell(source[edit]))
    return page, gone


def differences(ours: Scores, stock: Scores, gone: dict[str, set[str]]) -> dict[Any, Any]:
    """Where the scores differ without a reason.

    Reasons: stock stops at a notebook with a doubled cell and gives the submission no score at all; a deleted or renamed grade
    cell has no score there and waits for a person, and is put back and graded here.
    """
    stopped = {who for who, *_ in ours} - {who for (who, *_), score in stock.items() if score is not None}
    return {
        key: (score, stock.get(key))
        for key, score in ours.items()
        if score != stock.get(key) and key[0] not in stopped and not (stock.get(key) is None and key[2] in gone[key[0]])
    }


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2 * ROUNDS))
def test_random_edits_of_random_assignments_get_the_same_scores(course: GradingCourse, seed: int) -> None:
    chance = random.Random(seed)
    course.assign(LAB, made(chance), stock=True)
    gone = {}
    for number in range(10):
        page, gone[f"l{number}"] = edited(answered(course.released(LAB), chance), chance)
        course.hand_in(f"l{number}", LAB, {f"{LAB}.ipynb": page})
    summary, _ = course.grade(LAB)
    assert (summary.graded, summary.failed) == (10, 0)
    course.stock_grade_each(LAB)
    assert differences(course.scores(LAB), course.stock_scores(LAB), gone) == {}
