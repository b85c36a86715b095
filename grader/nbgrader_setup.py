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

from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from grader.engine.kinds import AUTOGRADE_CRITERIA
from grader.told.names import EXPORTER, PREPROCESSORS

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
#: How a comment begins, by the languages of kernelspecs; nbgrader takes no solution out of a language that it has no stub for.
COMMENTS = {
    "#": "python R r bash sh zsh julia ruby perl raku powershell elixir gnuplot coffeescript tcl sage sagemath",
    "//": "java javascript typescript c c++ C++ C++11 C++14 C++17 C++20 C++23 c# C# csharp f# F# fsharp go rust scala kotlin "
    "groovy swift php dart",
    "--": "sql haskell lua sqlite postgresql",
    "%": "matlab octave prolog erlang",
    ";": "clojure scheme racket lisp common-lisp",
    "!": "fortran Fortran",
    "*": "stata",
}


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
    config.Autograde.autograde_preprocessors = list(AUTOGRADE_CRITERIA)
    # nbconvert leaves its preprocessors off unless they are switched on, also where a list names them.
    config.SanitizeHTML.enabled = True
    config.GenerateFeedback.preprocessors = list(PREPROCESSORS)
    config.GenerateFeedback.exporter_class = EXPORTER
    config.OverwriteCells.add_missing_cells = True
    # nbgrader's own stub raises an error, which frightens people who do not program and stops Run All.
    config.ClearSolutions.code_stub = {name: f"{mark} ✎" for mark, names in COMMENTS.items() for name in names.split()}
    config.ClearMetadataPreprocessor.clear_cell_metadata = False


def course_config(root: Path, course: str) -> Any:
    """nbgrader's configuration for a course."""
    config = Config()
    configure(config)
    configure_course(config, root.resolve(), course)
    # A remark of nbgrader's gradebook about its own way with SQLAlchemy 2; nothing that an instructor could mend.
    warnings.filterwarnings("ignore", "Object of type <Submitted", SAWarning)
    return config


def course_api(root: Path, course: str) -> Any:
    """Open nbgrader's API on a course."""
    # All of nbgrader: grading itself does without.
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    put_on_path()
    config = course_config(root, course)
    return NbGraderAPI(CourseDirectory(config=config), config=config)


def put_on_path() -> None:
    """Let nbgrader find `alembic`, which it calls by its name to make a new gradebook."""
    here = str(Path(sys.executable).parent)
    if here not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", "")])


def problem_of(outcome: dict[str, Any]) -> str:
    """What an nbgrader run says went wrong, in one line; empty for a success."""
    if outcome["success"]:
        return ""
    lines = f"{outcome.get('log') or ''}\n{outcome.get('error') or ''}".strip().splitlines() or ["nbgrader failed"]
    # nbgrader ends with "see the above traceback": the exception that it means stands further up.
    errors = [line.strip() for line in lines if re.match(r"\s*[\w.]*(Error|Exception|Missing\w*)\b.*: ", line)]
    telling = [line for line in errors if "see the the above" not in line]
    return str((telling or errors or lines)[-1])[:300]
