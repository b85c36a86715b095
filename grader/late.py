"""Late penalties in nbgrader's own terms: the gradebook's column, and the step of autograding that fills it.

The rule: the server says what share is taken off, in the receipt file that is written beside a submission. No timestamp
file and no due date of the gradebook is asked, which is what nbgrader's own step would do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor

from grader.gradebook import RECEIPT, set_penalties
from labs.evidence import write_text_safely

#: What of a submission's row the receipt file follows when an instructor changes the deadline.
VERDICT = ("due_at", "days_late", "late_percent")


class LatePenalties(NbGraderPreprocessor):  # type: ignore[misc]
    """Writes the penalty of a submission that was just graded; stands in the place of nbgrader's AssignLatePenalties."""

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        info = resources["nbgrader"]
        percent = late_percent(Path(resources["metadata"]["path"]))
        with Gradebook(info["db_url"]) as gradebook:
            set_penalties(gradebook, gradebook.find_submission(info["assignment"], info["student"]), percent)
        return nb, resources


def late_percent(folder: Path) -> int:
    """The share that the server takes off a collected or graded submission; nothing where it said nothing."""
    path = folder / RECEIPT
    return int(json.loads(path.read_text("utf-8")).get("late_percent", 0)) if path.is_file() else 0


def settle(coursedir: Any, course: str, lab: str, rows: Iterable[dict[str, Any]], *, all_scores: bool = False) -> None:
    """Bring what was collected and graded before to what the server says now, such as after an extension.

    `all_scores`: also where nothing changed but, perhaps, the points that a person gave.
    """
    known = {row["id"]: row for row in rows}
    changed: set[str] = set()
    for step in (coursedir.submitted_directory, coursedir.autograded_directory):
        for path in (Path(coursedir.root) / step).glob(f"*/{lab}/{RECEIPT}"):
            if _refresh(path, known):
                changed.add(path.parents[1].name)
    if not changed and not all_scores:
        return
    with Gradebook(coursedir.db_url, course) as gradebook:
        for submission in gradebook.assignment_submissions(lab):
            if all_scores or submission.student.id in changed:
                graded = Path(coursedir.format_path(coursedir.autograded_directory, submission.student.id, lab))
                set_penalties(gradebook, submission, late_percent(graded))


def _refresh(path: Path, known: dict[str, dict[str, Any]]) -> bool:
    """Give a receipt file the server's verdict, where it stands for a submission that the server knows; whether it changed."""
    standing = json.loads(path.read_text("utf-8"))
    row = known.get(standing["id"])
    verdict = {name: row[name] for name in VERDICT} if row else {}
    changed = not verdict.items() <= standing.items()
    if changed:
        write_text_safely(path, json.dumps({**standing, **verdict}))
    return changed
