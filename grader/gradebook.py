"""Opening and reading nbgrader's gradebook: what it says of a submission, as the records and the learner need it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from sqlalchemy import create_engine, select
from sqlalchemy.orm import scoped_session, sessionmaker

from grader.engine.results import Results, results_file
from grader.feedback import CriterionFeedback, Feedback
from grader.records.work import CriterionPoints, GradeReport
from labs.catalog import find_lab
from labs.texts import UserError

#: Written beside a collected submission: the receipt it came with.
RECEIPT = "practicum-receipt.json"
#: Formgrader and a running grading write to the same file.
BUSY_SECONDS = 15


class NotGraded(UserError):
    """A submission that the gradebook does not have yet."""


class _Book(Gradebook):  # type: ignore[misc]
    """The gradebook as it is: nbgrader's own constructor would make tables and a course where there are none."""

    def __init__(self, file: Path) -> None:
        self.engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": BUSY_SECONDS})
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
    receipt = safe_file(course_root, "autograded", learner, lab, RECEIPT)
    try:
        return receipt_id(receipt.parent) if receipt else None
    except (ValueError, KeyError, TypeError):
        return None


def safe_file(root: Path, *parts: str) -> Path | None:
    """A file of the course's folder; None for one that is not there, or that a link leads out of the folder."""
    found = root.joinpath(*parts)
    inside = found.is_file() and found.resolve().is_relative_to(root.resolve())
    return found if inside else None


def report_of(gradebook: Any, lab: str, learner: str, receipt: str, note: str = "") -> GradeReport:
    """Read a submission's scores; final when no criterion waits for a person. MissingEntry where there is none."""
    submission = gradebook.find_submission(lab, learner)
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    waits = {grade.name: grade.needs_manual_grade or grade.score is None for grade in grades}
    criteria = tuple(
        CriterionPoints(id=g.name, points=None if waits[g.name] else round(g.score, 2), max_points=g.max_score)
        for g in grades
    )
    return GradeReport(
        submission=receipt,
        points=round(submission.score, 2),
        max_points=submission.max_score,
        final=not any(waits.values()),
        criteria=criteria,
        note=note,
    )


def feedback_of(gradebook: Any, lab: str, learner: str, course_root: Path, report: GradeReport) -> Feedback:
    """Put the gradebook's points and comments and the checks' findings together for the learner."""
    manifest = find_lab(lab).lab
    path = results_file(course_root, learner, lab)
    results = Results.model_validate_json(path.read_text("utf-8")) if path.is_file() else None
    findings = {r.id: r.findings for r in results.criteria} if results and results.receipt == report.submission else {}
    comments = _comments(gradebook.find_submission(lab, learner))
    points = {criterion.id: criterion.points for criterion in report.criteria}
    rows = tuple(
        CriterionFeedback(
            id=criterion.id,
            title=criterion.title,
            points=points.get(criterion.id),
            max_points=criterion.points,
            findings=findings.get(criterion.id, ()),
            comment=comments.get(criterion.id, ""),
        )
        for criterion in manifest.criteria
    )
    return Feedback(submission=report.submission, points=report.points, max_points=report.max_points,
                    final=report.final, criteria=rows, note=report.note)  # fmt: skip


def _comments(submission: Any) -> dict[str, str]:
    written = [comment for notebook in submission.notebooks for comment in notebook.comments]
    return {comment.name: comment.comment for comment in written if comment.manual_comment}
