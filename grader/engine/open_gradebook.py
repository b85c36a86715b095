"""nbgrader's gradebook, opened once for a whole run.

The rule: a submission's rows are written together, when the run says so. nbgrader's own code opens the gradebook at every step
and commits at every cell; here it gets the open one, and its commits become flushes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from nbgrader.api import Gradebook, MissingEntry
from sqlalchemy import event
from sqlalchemy.orm import scoped_session, sessionmaker

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
        self._grades: tuple[tuple[str, str, str], dict[str, Any]] | None = None

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
        self._grades = None

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

    def find_grade(self, cell: str, notebook: str, assignment: str, student: str) -> Any:
        """A grade of the submission at hand, whose grades are read together."""
        key = (notebook, assignment, student)
        if self._grades is None or self._grades[0] != key:
            submitted = self.find_submission_notebook(notebook, assignment, student)
            # What formgrader or the desk wrote meanwhile is read anew.
            self._session.expire(submitted, ["grades"])
            for grade in submitted.grades:
                self._session.refresh(grade, ["auto_score", "manual_score", "extra_credit", "needs_manual_grade"])
            self._grades = (key, {grade.cell.name: grade for grade in submitted.grades})
        if cell not in self._grades[1]:
            raise MissingEntry(f"No such grade: {assignment}/{notebook}/{cell} for {student}")
        return self._grades[1][cell]

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
            for place in PLACES:
                stack.enter_context(patch(f"{place}.Gradebook", lambda *_args, **_more: gradebook))
            yield gradebook
    finally:
        gradebook.end()
