"""The two kinds of work: a criteria lab, whose files are checked, and an ordinary nbgrader assignment, whose notebook is executed.

The rule: a lab that a pack describes is never graded by running what a learner wrote. Nothing of nbgrader is imported here, so
that the sandboxes get ready while it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from grader.engine.warm.cells import Assignment
from grader.engine.warm.worker import Worker
from labs.catalog import LabFolder, packs
from labs.manifest import Limits
from labs.texts import UserError

if TYPE_CHECKING:
    from grader.engine.marking import Job, Page

#: In the place of nbgrader's own list: no `Execute`; what a learner wrote is sanitised before an instructor's browser shows it.
AUTOGRADE_NOTEBOOKS = (
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
    # Last, because an answer is compared with what was handed out.
    "nbconvert.preprocessors.sanitize.SanitizeHTML",
)
AUTOGRADE_CRITERIA = (
    "grader.engine.preprocessors.RecordCriteria",
    *AUTOGRADE_NOTEBOOKS[1:4],
    "grader.engine.preprocessors.RequireReview",
    *AUTOGRADE_NOTEBOOKS[4:],
)


class UnknownLab(UserError):
    """A lab that is neither in a pack nor an assignment of the course."""


class Kind(Protocol):
    """What the flow of grading needs to know of a kind of work."""

    workers: int

    @property
    def autograde(self) -> Sequence[str]:
        """nbgrader's preprocessors after the sandbox."""

    def execute(self, job: Job, force: bool) -> str:
        """Do what happens in a sandbox; the cause where a limit was met. Called in threads."""

    def close(self) -> None:
        """End the sandboxes."""


def known_labs(root: Path) -> list[str]:
    """What can be graded in a course: the packs' labs, and the assignments that its instructors wrote."""
    own = {folder.name for folder in (root / "source").glob("*/") if any(folder.glob("*.ipynb"))}
    return sorted(own | {lab.id for pack in packs().values() for lab in pack.labs})


def kind_of(root: Path, lab: str, workers: int | None = None) -> Kind:
    """The kind of a lab, with its sandboxes getting ready; UnknownLab where the course has none such."""
    workers = workers or os.cpu_count() or 1
    described = next((known for pack in packs().values() for known in pack.labs if known.id == lab), None)
    if described is not None:
        return CriteriaLab(root, described, workers)
    # By its name in the folder: one that is called as a path would be graded where it leads.
    sources = sorted((root / "source" / lab).glob("*.ipynb")) if lab in known_labs(root) else []
    if not sources:
        raise UnknownLab(
            f"{lab}: 이 과정에 없는 실습입니다.",
            f"{lab}: neither a lab of a pack nor an assignment in {root.name}/source",
        )
    return NotebookAssignment(sources, Limits(), workers)


class CriteriaLab:
    """Files are checked; a notebook is not run."""

    autograde = AUTOGRADE_CRITERIA

    def __init__(self, root: Path, lab: LabFolder, workers: int) -> None:
        self._root, self._lab, self.workers = root, lab, workers

    def execute(self, job: Job, force: bool) -> str:
        """Have the lab's checks look at the submission."""
        from grader.engine.preprocessors import results_for
        from grader.engine.results import results_file

        if force:
            results_file(self._root, job.learner, self._lab.id).unlink(missing_ok=True)
        results_for(self._root, job.learner, self._lab.id, job.folder)
        return ""

    def close(self) -> None:
        """Nothing is kept open."""


class NotebookAssignment:
    """Notebooks are executed, each in a fork of a warm template."""

    autograde = AUTOGRADE_NOTEBOOKS

    def __init__(self, sources: Sequence[Path], limits: Limits, workers: int) -> None:
        self.workers = workers
        assignment = Assignment.of(cell for path in sources for cell in _code_of(path))
        self._all = [Worker(assignment, limits) for _ in range(workers)]
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._all:
            self._free.put(worker)

    def execute(self, job: Job, force: bool) -> str:  # noqa: ARG002
        """Execute a submission's notebooks one after the other."""
        worker = self._free.get()
        try:
            return next(filter(None, [self._page(worker, job, page) for page in job.pages]), "")
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End the sandboxes."""
        for worker in self._all:
            worker.close()

    def _page(self, worker: Worker, job: Job, page: Page) -> str:
        from grader.engine.notebooks import code_cells, fill

        cells = code_cells(page.notebook)
        execution = worker.run([cell for _, cell in cells], job.folder)
        job.log += fill(page.notebook, [place for place, _ in cells], execution)
        if execution.why:
            job.log.append(f"{Path(page.path).name}: {execution.why} after {execution.seconds:.1f} s")
        return execution.why


def _code_of(path: Path) -> list[tuple[str, bool]]:
    """The code cells of an instructor's notebook: source, and whether it is locked."""
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    found = []
    for cell in notebook.get("cells", []):
        if cell.get("cell_type") == "code":
            marks = cell.get("metadata", {}).get("nbgrader", {})
            locked = bool(marks.get("grade") or marks.get("locked")) and not marks.get("solution")
            found.append(("".join(cell.get("source", "")), locked))
    return found
