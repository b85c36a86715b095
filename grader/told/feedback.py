"""A submission's feedback put together: the gradebook's points and comments with what was found, for both kinds of work.

The rule: a criteria lab tells what its checks found, an ordinary assignment what `criteria.py` lets through.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grader.engine.results import Results, results_file
from grader.feedback import CriterionFeedback, Feedback
from grader.records.work import GradeReport
from grader.told.criteria import criteria_of
from grader.told.withheld import graded_notebooks
from labs.catalog import packs
from labs.manifest import Lab


def feedback_of(gradebook: Any, lab: str, learner: str, course_root: Path, report: GradeReport) -> Feedback:
    """What the learner is told of the submission that was reported."""
    submission = gradebook.find_submission(lab, learner)
    points = {criterion.id: criterion.points for criterion in report.criteria}
    described = next((found.lab for pack in packs().values() for found in pack.labs if found.id == lab), None)
    if described is None:
        rows = criteria_of(submission, lab, graded_notebooks(course_root, learner, lab), points)
    else:
        rows = _checked(described, submission, points, _results(course_root, learner, lab, report.submission))
    return Feedback(submission=report.submission, points=report.points, max_points=report.max_points,
                    final=report.final, criteria=rows, late_percent=report.late_percent,
                    late_points=report.late_points, note=report.note)  # fmt: skip


def _checked(
    lab: Lab, submission: Any, points: dict[str, float | None], results: Results | None
) -> tuple[CriterionFeedback, ...]:
    findings = {result.id: result.findings for result in results.criteria} if results else {}
    comments = _comments(submission)
    return tuple(
        CriterionFeedback(
            id=criterion.id,
            title=criterion.title,
            points=points.get(criterion.id),
            max_points=criterion.points,
            findings=findings.get(criterion.id, ()),
            comment=comments.get(criterion.id, ""),
        )
        for criterion in lab.criteria
    )


def _results(course_root: Path, learner: str, lab: str, receipt: str) -> Results | None:
    """What the checks said of this submission; nothing where the newest results are another's."""
    path = results_file(course_root, learner, lab)
    results = Results.model_validate_json(path.read_text("utf-8")) if path.is_file() else None
    return results if results is not None and results.receipt == receipt else None


def _comments(submission: Any) -> dict[str, str]:
    written = [comment for notebook in submission.notebooks for comment in notebook.comments]
    return {comment.name: comment.comment for comment in written if comment.manual_comment}
