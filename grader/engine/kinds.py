"""The two kinds of work: a criteria lab, whose files are checked, and an ordinary nbgrader assignment, whose notebook is executed.

The rule: no point of a lab that a pack describes comes from running what a learner wrote. Nothing of nbgrader is imported here, so
that the sandboxes get ready while it is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from grader.course_files import inside
from grader.engine.again.report import Rerun, log_lines
from grader.engine.again.rerun import Rerunner
from grader.engine.criteria import Checker
from grader.engine.executor import Executor
from grader.engine.results import keep_results, standing_results
from grader.engine.sources import Sources
from labs.catalog import LabFolder, packs
from labs.manifest import Limits
from labs.spec import read_spec
from labs.texts import UserError

if TYPE_CHECKING:
    from grader.engine.marking import Job, Page

#: In the place of nbgrader's own list: no `Execute`; what a learner wrote is sanitised before an instructor's browser shows it.
AUTOGRADE_NOTEBOOKS = (
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "grader.late.LatePenalties",
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
    limits: Limits

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
    return NotebookAssignment(root, sources, Limits(), workers)


class Closing(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=Closing)


class Pool(Generic[T]):
    """Sandboxes that threads take one of and give back."""

    def __init__(self, all_of_them: Sequence[T]) -> None:
        self._all, self._free = all_of_them, SimpleQueue[T]()
        for one in all_of_them:
            self._free.put(one)

    @contextmanager
    def one(self) -> Iterator[T]:
        """One of them, waited for."""
        taken = self._free.get()
        try:
            yield taken
        finally:
            self._free.put(taken)

    def close(self) -> None:
        """End all of them."""
        for one in self._all:
            one.close()


class CriteriaLab:
    """Files are checked. Where the lab asks for it the notebook is executed again, for a report and for no point."""

    autograde = AUTOGRADE_CRITERIA

    def __init__(self, root: Path, lab: LabFolder, workers: int) -> None:
        self.workers, self.limits = workers, lab.lab.limits
        self._root, self._lab = root, lab
        material = root / "release" / lab.id
        self._lang = lang = read_spec(material).lang
        scratch = _scratch(root, lab.id)
        self._checkers = Pool([Checker(lab, material, lang, scratch=scratch) for _ in range(workers)])
        asked = lab.lab.execution
        self._rerunners = Pool([Rerunner(lab, asked, material, scratch) for _ in range(workers)]) if asked else None

    def execute(self, job: Job, force: bool) -> str:
        """Have the lab's checks look at the submission, unless results of it stand."""
        from grader.gradebook import receipt_id

        receipt = receipt_id(job.folder) or ""
        why, results = "", None if force else standing_results(self._root, job.learner, self._lab.id, receipt)
        if results is None:
            with self._checkers.one() as checker:
                found, why = checker.check(job.folder), checker.why
            results = keep_results(self._root, job.learner, self._lab.id, receipt, found, self.again(job))
        if results.execution is not None:
            job.log += log_lines(results.execution, self._lang)
        return why

    def again(self, job: Job) -> Rerun | None:
        """What comes of executing the notebook again, where the lab asks for that."""
        from grader.engine.notebooks import cells_to_run

        if self._rerunners is None:
            return None
        page = next((page for page in job.pages if Path(page.path).stem == self._lab.id), None)
        if page is None or job.note:  # another notebook stands in for the learner's
            return Rerun(cause="broken_notebook")
        with self._rerunners.one() as rerunner:
            return rerunner.run(job.learner, job.folder, cells_to_run(page.notebook))

    def close(self) -> None:
        """End the sandboxes."""
        self._checkers.close()
        if self._rerunners is not None:
            self._rerunners.close()


class NotebookAssignment:
    """Notebooks are executed: a Python one in a fork of a warm template, any other with its kernel, started cold."""

    autograde = AUTOGRADE_NOTEBOOKS

    def __init__(self, root: Path, paths: Sequence[Path], limits: Limits, workers: int) -> None:
        self.workers, self.limits = workers, limits
        sources = Sources.of(paths)
        scratch = _scratch(root, paths[0].parent.name)
        self._workers = Pool([Executor(sources, limits, scratch) for _ in range(workers)])

    def execute(self, job: Job, force: bool) -> str:  # noqa: ARG002
        """Execute a submission's notebooks one after the other."""
        with self._workers.one() as worker:
            return next(filter(None, [self._page(worker, job, page) for page in job.pages]), "")

    def close(self) -> None:
        """End the sandboxes."""
        self._workers.close()

    def _page(self, worker: Executor, job: Job, page: Page) -> str:
        from grader.engine.notebooks import code_cells, fill

        cells = code_cells(page.notebook)
        execution = worker.run(Path(page.path).stem, [cell for _, cell in cells], job.folder)
        job.log += fill(page.notebook, [place for place, _ in cells], execution)
        if execution.why:
            job.log.append(f"{Path(page.path).name}: {execution.why} after {execution.seconds:.1f} s")
        return execution.why


def _scratch(root: Path, lab: str) -> Path:
    """A folder for what is shown to sandboxes; what a killed run left in it goes, because a lab has one run at a time."""
    folder = inside(root, ".grading", lab)
    if folder is None:
        raise UserError(
            f"{root.name}/.grading: 링크가 있어 채점할 수 없습니다.", f"{root.name}/.grading: a link stands there"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
