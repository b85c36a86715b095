"""nbgrader's gradebook: opening it, what it says of a submission, as the records and the learner need it, and its late penalties."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

from grader.course_files import file_inside
from grader.deadlines import taken_off
from grader.records.work import CriterionPoints, GradeReport
from labs.texts import UserError

#: Written beside a collected submission: the receipt it came with.
RECEIPT = "practicum-receipt.json"
#: Formgrader and a running grading write to the same file.
BUSY_SECONDS = 15
MOST_ENGINES = 128


class NotGraded(UserError):
    """A submission that the gradebook does not have yet."""


@lru_cache(MOST_ENGINES)
def _engine(file: Path) -> Engine:
    """A gradebook's engine, which remembers its statements as SQL; no connection stays open."""
    return create_engine(f"sqlite:///{file}", connect_args={"timeout": BUSY_SECONDS}, poolclass=NullPool)


class _Book(Gradebook):  # type: ignore[misc]
    """The gradebook as it is: nbgrader's own constructor would make tables and a course where there are none."""

    def __init__(self, file: Path) -> None:
        self.engine = _engine(file)
        self.db = scoped_session(sessionmaker(bind=self.engine))
        self.course_id, self.authenticator = "", None


@contextmanager
def open_book(course_root: Path) -> Iterator[Any]:
    """Open a course's gradebook; NotGraded where there is none."""
    file = course_root / "gradebook.db"
    # An instructor's server can write the folder, so a link may lead to any database of this machine.
    if file.is_symlink() or not file.is_file():
        raise not_graded()
    with _Book(file) as book:
        yield book


def forget_student(course_root: Path, login: str) -> None:
    """Take a learner and their scores out of a course's gradebook; nothing where there is no such gradebook or learner."""
    if not (course_root / "gradebook.db").is_file():
        return
    with open_book(course_root) as book:
        if any(student.id == login for student in book.students):
            book.remove_student(login)


def waiting_by_learner(book: Any, lab: str) -> Counter[str]:
    """How many criteria of each graded learner wait for a person; 0 where none does."""
    query = (
        select(SubmittedAssignment.student_id, Grade.needs_manual_grade)
        .select_from(Grade)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .where(Assignment.name == lab)
    )
    found: Counter[str] = Counter()
    for learner, waits in book.db.execute(query):
        found[learner] += int(waits)
    return found


def not_graded() -> NotGraded:
    """The refusal that says what to do first."""
    return NotGraded(
        "아직 채점하지 않은 제출물입니다. 실습 화면에서 먼저 채점하기를 누르세요.",
        "This submission is not graded yet: press Grade on the lab's page first.",
    )


def receipt_id(folder: Path) -> str | None:
    """The receipt that a collected or graded submission carries."""
    path = folder / RECEIPT
    return str(json.loads(path.read_text("utf-8"))["id"]) if path.is_file() else None


def graded_submission(course_root: Path, lab: str, learner: str) -> str | None:
    """The submission of a learner that the gradebook has, or is being given; None where that cannot be told."""
    receipt = file_inside(course_root, "autograded", learner, lab, RECEIPT)
    try:
        return receipt_id(receipt.parent) if receipt else None
    except (ValueError, KeyError, TypeError):
        return None


def note_of(folder: Path) -> str:
    """The note that a collected submission carries: why something stands in for a notebook."""
    path = folder / RECEIPT
    return str(json.loads(path.read_text("utf-8")).get("note", "")) if path.is_file() else ""


def set_penalties(gradebook: Any, submission: Any, percent: int) -> float:
    """Write what being late takes off a submission, as it is scored now, into the gradebook; give its points.

    A share of the whole, laid on the notebooks by their scores, so that nbgrader's own sums agree with ours.
    """
    scores = [(notebook, sum(map(_score, notebook.grades))) for notebook in submission.notebooks]
    whole = sum(score for _, score in scores)
    off = taken_off(round(whole, 2), percent)
    for notebook, score in scores:
        notebook.late_submission_penalty = score * off / whole if off else None
    gradebook.db.commit()
    return off


def report_of(gradebook: Any, lab: str, learner: str, receipt: str, note: str = "", percent: int = 0) -> GradeReport:
    """Read a submission's scores, less what `percent` for being late takes off, and keep the gradebook's penalty equal.

    Final when no criterion waits for a person. MissingEntry where there is no submission.
    """
    submission = gradebook.find_submission(lab, learner)
    criteria = tuple(
        _points(grade, criterion_name(lab, notebook, grade))
        for notebook in submission.notebooks
        for grade in notebook.grades
    )
    off = set_penalties(gradebook, submission, percent)
    return GradeReport(
        submission=receipt,
        points=round(sum(_score(g) for notebook in submission.notebooks for g in notebook.grades) - off, 2),
        max_points=sum(criterion.max_points for criterion in criteria),
        final=all(criterion.points is not None for criterion in criteria),
        criteria=criteria,
        late_percent=percent,
        late_points=off,
        note=note,
    )


def criterion_name(lab: str, notebook: Any, grade: Any) -> str:
    """What a grade cell is called outside its notebook; a grade_id is unique in its notebook only."""
    return name_outside(lab, notebook.name, grade.cell.name)


def name_outside(lab: str, notebook: str, cell: str) -> str:
    """The same, by names."""
    return cell if notebook == lab else f"{notebook}:{cell}"


def _points(grade: Any, name: str) -> CriterionPoints:
    scored = grade.manual_score is not None or grade.auto_score is not None
    points = round(_score(grade), 2) if scored and not grade.needs_manual_grade else None
    return CriterionPoints(id=name, points=points, max_points=grade.cell.max_score)


def _score(grade: Any) -> float:
    """What nbgrader's `Grade.score` is: manual points before automatic ones, and extra credit on top."""
    points = grade.manual_score if grade.manual_score is not None else grade.auto_score
    return 0.0 if points is None else float(points) + float(grade.extra_credit or 0)
