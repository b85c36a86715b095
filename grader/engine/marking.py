"""nbgrader's autograde for one lab, taken apart: sanitise here, execute or check elsewhere, write the grade here.

The rule: the preprocessors and the gradebook are nbgrader's own; only the loop around them, and what stands in the place of
`Execute`, is ours. One submission's rows are written together or not at all.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import Exporter
from nbgrader.converters.autograde import Autograde

from grader.engine.open_gradebook import OpenGradebook
from grader.gradebook import note_of, receipt_id

SANITIZE = (
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.DeduplicateIds",
    "grader.engine.preprocessors.DropEmptyMarks",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "grader.engine.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
)


@dataclass
class Page:
    """One notebook of a submission on its way."""

    path: str
    notebook: Any
    resources: Any


@dataclass
class Job:
    """A submission on its way through the engine."""

    learner: str
    folder: Path
    pages: list[Page] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    note: str = ""
    #: The submission whose grade stood here before.
    before: str | None = None


class Marking:
    """One lab's autograde."""

    def __init__(
        self, gradebook: OpenGradebook, coursedir: Any, config: Any, lab: str, autograde: Sequence[str]
    ) -> None:
        coursedir.assignment_id = lab
        self.lab, self.root = lab, Path(coursedir.root)
        self._gradebook, self._coursedir = gradebook, coursedir
        self._converter = Autograde(coursedir=coursedir, config=config)
        self._exporters = [_exporter(self._converter, names) for names in (SANITIZE, autograde)]
        self._heard = _Heard()
        self._converter.log.addHandler(self._heard)

    def close(self) -> None:
        self._converter.log.removeHandler(self._heard)

    def submitted(self, learner: str) -> Path:
        """The folder of a learner's submission, as it was laid out."""
        return self._path("submitted", learner)

    def prepare(self, learner: str) -> Job:
        """Copy a submission's files, overwrite what is the instructor's, and sanitise its notebooks."""
        converter, submitted = self._converter, self._path("submitted", learner)
        self._coursedir.student_id = learner
        self._heard.lines = []
        before = receipt_id(self._path("autograded", learner))
        shutil.rmtree(self._path("autograded", learner), ignore_errors=True)
        converter.notebooks = sorted(map(str, submitted.glob("*.ipynb")))
        converter.init_assignment(self.lab, learner)
        job = Job(learner, submitted, note=note_of(submitted), before=before)
        for path in converter.notebooks:
            resources = converter.init_single_notebook_resources(path)
            notebook, resources = self._exporters[0].from_filename(path, resources=resources)
            job.pages.append(Page(path, notebook, resources))
        job.log += self._heard.lines
        return job

    def finish(self, job: Job) -> None:
        """Grade what came back, and write notebooks and rows; nothing is committed yet."""
        self._heard.lines = []
        target = self._path("autograded", job.learner)
        for page in job.pages:
            page.resources["metadata"]["path"] = str(target)
            notebook, _ = self._exporters[1].from_notebook_node(page.notebook, page.resources)
            nbformat.write(notebook, target / Path(page.path).name)
        self._converter.set_permissions(self.lab, job.learner)
        job.log += self._heard.lines

    def _path(self, step: str, learner: str) -> Path:
        return self.root / step / learner / self.lab


class _Heard(logging.Handler):
    """What nbgrader says while it works on a submission."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname.lower()}: {record.getMessage()}")


def _exporter(converter: Any, names: Sequence[str]) -> Any:
    exporter: Any = Exporter(parent=converter, config=converter.config)
    exporter._preprocessors = []
    # Checked once at the end, instead of after each of them.
    exporter.optimistic_validation = True
    for name in names:
        exporter.register_preprocessor(name)
    return exporter


def in_root(root: Path) -> chdir[str]:
    """nbgrader works in the course's folder."""
    return chdir(str(root))
