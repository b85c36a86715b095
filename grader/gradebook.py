"""nbgrader's gradebook: what it says of a submission, as the records and the learner need it, and its late penalties."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.deadlines import taken_off
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


def set_penalties(gradebook: Any, submission: Any, percent: int) -> float:
    """Write what being late takes off a submission, as it is scored now, into the gradebook; give its points.

    A share of the whole, laid on the notebooks by their scores, so that nbgrader's own sums agree with ours.
    """
    score = submission.score
    off = taken_off(round(score, 2), percent)
    for notebook in submission.notebooks:
        notebook.late_submission_penalty = notebook.score * off / score if off else None
    gradebook.db.commit()
    return off


def report_of(gradebook: Any, lab: str, learner: str, receipt: str, note: str = "", percent: int = 0) -> GradeReport:
    """Read a submission's scores, less what `percent` for being late takes off, and keep the gradebook's penalty equal.

    Final when no criterion waits for a person. MissingEntry where there is no submission.
    """
    submission = gradebook.find_submission(lab, learner)
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    waits = {grade.name: grade.needs_manual_grade or grade.score is None for grade in grades}
    criteria = tuple(
        CriterionPoints(id=g.name, points=None if waits[g.name] else round(g.score, 2), max_points=g.max_score)
        for g in grades
    )
    off = set_penalties(gradebook, submission, percent)
    return GradeReport(
        submission=receipt,
        points=round(submission.score - off, 2),
        max_points=submission.max_score,
        final=not any(waits.values()),
        criteria=criteria,
        late_percent=percent,
        late_points=off,
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
                    final=report.final, criteria=rows, late_percent=report.late_percent,
                    late_points=report.late_points, note=report.note)  # fmt: skip


def _comments(submission: Any) -> dict[str, str]:
    written = [comment for notebook in submission.notebooks for comment in notebook.comments]
    return {comment.name: comment.comment for comment in written if comment.manual_comment}
