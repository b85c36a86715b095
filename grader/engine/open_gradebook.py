"""nbgrader's gradebook, opened once for a whole run.

The rule: a submission's rows are written together, when the run says so. nbgrader's own code opens the gradebook at every step
and commits at every cell; here it gets the open one, and its commits become flushes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from nbgrader.api import Comment, Grade, Gradebook, MissingEntry
from sqlalchemy import event
from sqlalchemy.orm import scoped_session, sessionmaker

from grader.engine.quick import validating_quickly

#: Where nbgrader's code takes its gradebook from.
PLACES = (
    "nbgrader.converters.autograde",
    "nbgrader.preprocessors.overwritecells",
    "nbgrader.preprocessors.overwritekernelspec",
    "nbgrader.preprocessors.saveautogrades",
    "grader.late",
    "grader.engine.preprocessors",
)
BUSY_MILLISECONDS = 20_000


class OpenGradebook(Gradebook):  # type: ignore[misc]
    """A gradebook whose questions about the assignment are asked once, and which is closed and committed by its owner."""

    def __init__(self, db_url: str, course: str) -> None:
        super().__init__(db_url, course)
        if self.engine.dialect.name == "sqlite":
            # Formgrader and the review desk write to the same file.
            event.listen(self.engine, "connect", lambda c, _: c.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}"))
            self.engine.dispose()
        self._session = scoped_session(sessionmaker(bind=self.engine, future=True, expire_on_commit=False))
        self.db = _Flushing(self._session)
        self._known: dict[tuple[str, ...], Any] = {}
        self._rows: _Rows | None = None

    def close(self) -> None:
        """Nothing yet: the next step uses it again."""

    def commit(self) -> None:
        """Write what was done since the last time."""
        self._session.commit()

    def rollback(self) -> None:
        """Forget what was done since the last commit."""
        self._session.rollback()
        self._session.expunge_all()
        self._known.clear()
        self._rows = None

    def end(self) -> None:
        """Close for good."""
        super().close()

    def find_assignment(self, assignment: str) -> Any:
        return self._once(("assignment", assignment), super().find_assignment)

    def find_notebook(self, notebook: str, assignment: str) -> Any:
        return self._once(("notebook", notebook, assignment), super().find_notebook)

    def find_source_cell(self, name: str, notebook: str, assignment: str) -> Any:
        return self._once(("source", name, notebook, assignment), super().find_source_cell)

    def find_graded_cell(self, name: str, notebook: str, assignment: str) -> Any:
        return self._once(("graded", name, notebook, assignment), super().find_graded_cell)

    def find_student(self, student_id: str) -> Any:
        return self._once(("student", student_id), super().find_student)

    def find_submission(self, assignment: str, student: str) -> Any:
        return self._once(("submission", assignment, student), super().find_submission)

    def find_submission_notebook(self, notebook: str, assignment: str, student: str) -> Any:
        return self._once(("page", notebook, assignment, student), super().find_submission_notebook)

    def find_grade(self, cell: str, notebook: str, assignment: str, student: str) -> Any:
        """A grade of the notebook at hand."""
        return self._of_page((notebook, assignment, student)).grades[cell]

    def find_comment(self, cell: str, notebook: str, assignment: str, student: str) -> Any:
        """A comment of the notebook at hand."""
        return self._of_page((notebook, assignment, student)).comments[cell]

    def _of_page(self, key: tuple[str, str, str]) -> _Rows:
        """The rows of a submitted notebook, read together, and anew for each: formgrader and the desk write there too."""
        if self._rows is None or self._rows.key != key:
            page = self.find_submission_notebook(*key)
            cells = self._once(("cells", key[1]), self._cells)
            found = [{cells[row.cell_id]: row for row in self._session.query(kind).filter(kind.notebook_id == page.id)
                      .populate_existing()} for kind in (Grade, Comment)]  # fmt: skip
            self._rows = _Rows(key, _Named(found[0]), _Named(found[1]))
        return self._rows

    def _cells(self, assignment: str) -> dict[str, str]:
        """The name of each marked cell of an assignment, by its id."""
        return {cell.id: cell.name for notebook in self.find_assignment(assignment).notebooks
                for cell in (*notebook.grade_cells, *notebook.solution_cells, *notebook.task_cells)}  # fmt: skip

    @contextmanager
    def judged_by_hand(self, assignment: str, student: str, *, keep: bool) -> Iterator[None]:
        """Where the same submission is graded again, what a person has judged stays judged; a new one waits for them."""
        submission = self.find_submission(assignment, student)
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        judged = [g for g in grades if g.manual_score is not None and not g.needs_manual_grade]
        yield
        for grade in judged if keep else ():
            grade.needs_manual_grade = False
        self._session.flush()

    def _once(self, key: tuple[str, ...], find: Any) -> Any:
        if key not in self._known:
            self._known[key] = find(*key[1:])
        return self._known[key]


class _Named(dict[str, Any]):
    """Rows by the names of their cells; MissingEntry where there is none."""

    def __missing__(self, name: str) -> Any:
        raise MissingEntry(f"No such grade or comment: {name}")


@dataclass(frozen=True)
class _Rows:
    key: tuple[str, str, str]
    grades: _Named
    comments: _Named


class _Flushing:
    """A session whose `commit` writes into the open transaction only."""

    def __init__(self, session: Any) -> None:
        self._of = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def commit(self) -> None:
        self._of.flush()


@contextmanager
def opened(db_url: str, course: str) -> Iterator[OpenGradebook]:
    """Open a course's gradebook, and let nbgrader's steps use it while this lasts."""
    gradebook = OpenGradebook(db_url, course)
    try:
        with ExitStack() as stack:
            stack.enter_context(validating_quickly())
            for place in PLACES:
                stack.enter_context(patch(f"{place}.Gradebook", lambda *_args, **_more: gradebook))
            yield gradebook
    finally:
        gradebook.end()
