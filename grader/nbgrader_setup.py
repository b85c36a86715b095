"""nbgrader's configuration for Practicum: the HTTP exchange, and grading by criteria instead of running learner code.

One function for every nbgrader: the learner's server, the instructor's formgrader, and `practicum grade`.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

EXCHANGE = {
    "exchange": "Exchange",
    "fetch_assignment": "FetchAssignment",
    "fetch_feedback": "FetchFeedback",
    "release_assignment": "ReleaseAssignment",
    "release_feedback": "ReleaseFeedback",
    "list": "List",
    "submit": "Submit",
    "collect": "Collect",
}
#: In the place of nbgrader's own list: no `Execute`; what a learner wrote is sanitised before an instructor's browser shows it.
AUTOGRADE = [
    "grader.engine.preprocessors.RecordCriteria",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "grader.engine.preprocessors.RequireReview",
    "grader.late.LatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
    # Last, because an answer is compared with what was handed out.
    "nbconvert.preprocessors.sanitize.SanitizeHTML",
]


def configure(config: Any) -> None:
    """Set what every nbgrader here shares."""
    for part, name in EXCHANGE.items():
        setattr(config.ExchangeFactory, part, f"grader.exchange.{name}")
    config.Exchange.timezone = "UTC"


def configure_course(config: Any, root: Path, course: str) -> None:
    """Set what a course's graders need: its folder, and how it grades."""
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = course
    config.CourseDirectory.max_file_size = 200_000  # kB; the records service limits what can be handed in
    config.Autograde.autograde_preprocessors = AUTOGRADE
    # nbconvert leaves its preprocessors off unless they are switched on, also where a list names them.
    config.SanitizeHTML.enabled = True
    config.OverwriteCells.add_missing_cells = True
    # nbgrader's own stub raises an error, which frightens people who do not program and stops Run All.
    config.ClearSolutions.code_stub = {"python": "# ✎"}
    config.ClearMetadataPreprocessor.clear_cell_metadata = False


def course_api(root: Path, course: str) -> NbGraderAPI:
    """Open nbgrader's API on a course."""
    # nbgrader calls `alembic` by its name.
    here = str(Path(sys.executable).parent)
    if here not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])
    # A remark of nbgrader's gradebook about its own way with SQLAlchemy 2; nothing that an instructor could mend.
    warnings.filterwarnings("ignore", "Object of type <Submitted", SAWarning)
    config = Config()
    configure(config)
    configure_course(config, root.resolve(), course)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


def problem_of(outcome: dict[str, Any]) -> str:
    """What an nbgrader run says went wrong, in one line; empty for a success."""
    if outcome["success"]:
        return ""
    lines = f"{outcome.get('log') or ''}\n{outcome.get('error') or ''}".strip().splitlines() or ["nbgrader failed"]
    # nbgrader ends with "see the above traceback": the exception that it means stands further up.
    errors = [line.strip() for line in lines if re.match(r"\s*[\w.]*(Error|Exception|Missing\w*)\b.*: ", line)]
    telling = [line for line in errors if "see the the above" not in line]
    return str((telling or errors or lines)[-1])[:300]
