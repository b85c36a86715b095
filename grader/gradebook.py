"""Reading nbgrader's gradebook: what it says of a submission, as the records and the learner need it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.engine.results import Results, results_file
from grader.feedback import CriterionFeedback, Feedback
from grader.records.work import CriterionPoints, GradeReport
from labs.catalog import find_lab

#: Written beside a collected submission: the receipt it came with.
RECEIPT = "practicum-receipt.json"


def receipt_id(folder: Path) -> str | None:
    """The receipt that a collected or graded submission carries."""
    path = folder / RECEIPT
    return str(json.loads(path.read_text("utf-8"))["id"]) if path.is_file() else None


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
