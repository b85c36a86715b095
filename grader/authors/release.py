"""nbgrader's release version of a lab, for looking at it: what a course hands out, without a gradebook.

The rule: the steps are nbgrader's own, as configured for every course here; only those that write a database or run cells are left out.
"""

from __future__ import annotations

import logging
from pathlib import Path

from nbgrader.converters.generate_assignment import GenerateAssignment
from nbgrader.coursedir import CourseDirectory

from grader.nbgrader_setup import course_config, problem_of

LEFT_OUT = ("InstantiateTests", "SaveCells")


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += record.getMessage().splitlines()


def generate(root: Path, course: str, lab_id: str) -> Path:
    """Make the release version of `source/<lab>`; RuntimeError says why it cannot be made."""
    config = course_config(root, course)
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config, assignment_id=lab_id), config=config)
    converter.preprocessors = [step for step in converter.preprocessors if step.__name__ not in LEFT_OUT]
    converter.no_database = True
    said = _Heard()
    converter.log.addHandler(said)
    try:
        converter.start()
    except (Exception, SystemExit) as error:
        log = "\n".join([*said.lines, f"{type(error).__name__}: {error}"])
        raise RuntimeError(problem_of({"success": False, "log": log})) from error
    return root / "release" / lab_id
