"""A person's points and comments on a submission, in nbgrader's gradebook, so that formgrader shows the same.

The rule: a save that rests on something older than what stands is refused with what stands, so that two graders never
overwrite one another unseen.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Comment, MissingEntry
from sqlalchemy import text

from grader.gradebook import criterion_name, graded_submission, not_graded, open_book
from labs.texts import UserError

MAX_COMMENT = 5_000


class BadJudgement(UserError):
    """Points or a comment that cannot be taken."""


class Stale(Exception):
    """What a save rested on is no longer what stands."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(standing.criterion)
        self.standing = standing


@dataclass(frozen=True)
class Standing:
    """A criterion that a person judges, as it stands in the gradebook."""

    criterion: str
    points: float | None
    max_points: float
    comment: str
    waits: bool
    by_machine: bool = False

    @property
    def version(self) -> str:
        """What a save has to rest on: a hash of the points and the comment."""
        said = json.dumps([self.criterion, self.points, self.comment], ensure_ascii=False)
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Judgement:
    """What a person says of a criterion; points are `None` while they only comment."""

    points: float | None
    comment: str = ""


def standings(book: Any, lab: str, learner: str) -> tuple[Standing, ...]:
    """Every criterion of a submission that a person judges, in the notebook's order."""
    return tuple(_standing(name, grade, comment) for name, grade, comment in _judged(book, lab, learner))


def save(
    course_root: Path, lab: str, learner: str, criterion: str, said: Judgement, base: str, *, submission: str
) -> tuple[Standing, bool]:
    """Write a judgement of a submission that rests on the version `base`; give what stands now, and whether it is new."""
    with open_book(course_root) as book:
        # The lock is taken before reading: what is compared is what will be written over.
        book.db.execute(text("BEGIN IMMEDIATE"))
        # Grading lays the receipt out before it writes, so a newer submission's criteria wait again after this.
        if graded_submission(course_root, lab, learner) != submission:
            raise not_this_one()
        grade, comment = _find(book, lab, learner, criterion)
        before = _standing(criterion, grade, comment)
        if before.version != base:
            raise Stale(before)
        _check(said, before.max_points)
        grade.manual_score = said.points
        # An answer that was left empty has the machine's 0; a task has only a person's points.
        grade.needs_manual_grade = said.points is None and (grade.auto_score is None or _is_task(grade))
        if comment is None and said.comment:
            comment = Comment(cell_id=grade.cell_id, notebook_id=grade.notebook_id)
            book.db.add(comment)
        if comment is not None:
            comment.manual_comment = said.comment or None
        after = _standing(criterion, grade, comment)
        book.db.commit()
        return after, after != before


def not_this_one() -> BadJudgement:
    """The refusal of a criterion or a submission that cannot be judged now."""
    return BadJudgement(
        "지금은 채점할 수 없습니다. 새 제출물이 채점되었는지 확인하세요.",
        "This cannot be judged now: look whether a newer submission was graded.",
    )


def _check(said: Judgement, max_points: float) -> None:
    if said.points is not None and not (math.isfinite(said.points) and 0 <= said.points <= max_points):
        raise BadJudgement(f"점수는 0부터 {max_points:g} 사이로 입력하세요.", f"Enter points from 0 to {max_points:g}.")
    if len(said.comment) > MAX_COMMENT:
        raise BadJudgement(
            f"의견은 {MAX_COMMENT:,}자까지 쓸 수 있습니다.", f"Keep the comment within {MAX_COMMENT:,} characters."
        )


def _find(book: Any, lab: str, learner: str, criterion: str) -> tuple[Any, Any]:
    for name, grade, comment in _judged(book, lab, learner):
        if name == criterion:
            return grade, comment
    raise not_this_one()


def _judged(book: Any, lab: str, learner: str) -> Iterator[tuple[str, Any, Any]]:
    """The grades that a person gives: tasks, answers, and what formgrader was used to change."""
    try:
        submission = book.find_submission(lab, learner)
    except MissingEntry:
        raise not_graded() from None
    for notebook in submission.notebooks:
        answers = {cell.name for cell in notebook.notebook.solution_cells}
        comments = {comment.name: comment for comment in notebook.comments}
        for grade in notebook.grades:
            if _is_task(grade) or grade.name in answers or grade.needs_manual_grade or grade.manual_score is not None:
                yield criterion_name(lab, notebook, grade), grade, comments.get(grade.name)


def _standing(name: str, grade: Any, comment: Any) -> Standing:
    untouched = grade.manual_score is None and not _is_task(grade)
    points = grade.auto_score if untouched else grade.manual_score
    said = (comment.manual_comment or "") if comment is not None else ""
    shown = None if points is None else float(points)
    by_machine = untouched and shown is not None
    return Standing(name, shown, float(grade.max_score), said, bool(grade.needs_manual_grade), by_machine)


def _is_task(grade: Any) -> bool:
    return bool(grade.cell.type == "TaskCell")
