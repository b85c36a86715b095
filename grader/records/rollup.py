"""The sums of a programme: a small summary of each course run, counted now and then and kept.

The rule: a summary is derived and says as of when it is; dropped, it is counted again, and nothing but the sums is lost.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from grader.records.attend import zone
from grader.records.db import reading, writing
from grader.records.models import CourseRun, RunSummary
from grader.records.remembered import basis_of, newest
from grader.records.state import course_state
from grader.reports.counts import VERSION, CheckPair, Counts, count

#: A summary that is older is counted again; a page that finds some missing counts so long itself.
FRESH = timedelta(minutes=10)
INLINE_SECONDS = 0.25
#: Between two runs counted in the background, so that pages are served meanwhile.
PAUSE_SECONDS = 0.02


def count_now(session: Session, run: CourseRun, now: datetime, checks: Sequence[CheckPair]) -> Counts:
    """A course run in numbers, as known at a moment."""
    return count(course_state(session, run.id, now), now, checks)


def summaries(session: Session, courses: Iterable[str]) -> dict[str, RunSummary]:
    """The summaries that there are, by course run; one of an older version is none."""
    wanted = set(courses)
    return {
        row.course_id: row for row in session.scalars(select(RunSummary)) if row.course_id in wanted and _holds(row)
    }


def _holds(row: RunSummary) -> bool:
    return row.counts.get("version") == VERSION


def basis_mark(session: Session, run: CourseRun, now: datetime) -> str | None:
    """What a summary was counted from, in short; None on a training day, when every hour makes a difference."""
    today = now.astimezone(zone(run)).date()
    days = [row.day for row in run.days]
    if today in days:
        return None
    told = (basis_of(session, run), newest(session, run.id), sum(day < today for day in days))
    return hashlib.sha256(repr(told).encode()).hexdigest()


@dataclass
class RollUp:
    """Keeps the summaries of a database fresh: a few while a page waits, the rest in one background thread."""

    engine: Engine
    now: Callable[[], datetime]
    checks: Callable[[], Sequence[CheckPair]] = tuple

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def look(self, courses: Sequence[str]) -> dict[str, RunSummary]:
        """The summaries of course runs; missing ones are counted at once as far as time allows, stale ones soon."""
        began, now = time.monotonic(), self.now()
        with reading(self.engine) as session:
            found = summaries(session, courses)
        missing = [course for course in courses if course not in found]
        while missing and time.monotonic() - began < INLINE_SECONDS:
            course = missing.pop()
            found[course] = self.recount(course)
        if missing or any(now - row.at > FRESH for row in found.values()):
            self._soon([*missing, *(course for course, row in found.items() if now - row.at > FRESH)])
        return found

    def recount(self, course: str) -> RunSummary:
        """Count a run again where something may have changed, and keep the result."""
        now = self.now()
        with reading(self.engine) as session:
            run, standing = session.get_one(CourseRun, course), session.get(RunSummary, course)
            mark = basis_mark(session, run, now)
            if standing is not None and _holds(standing) and mark is not None and standing.counts.get("mark") == mark:
                counts = standing.counts
            else:
                counted = count_now(session, run, now, self.checks()).model_dump(mode="json")
                counts = {**counted, "mark": mark, "version": VERSION}
        with writing(self.engine) as session:
            return session.merge(RunSummary(course_id=course, at=now, counts=counts))

    def recount_all(self, courses: Iterable[str]) -> None:
        """Count runs one after the other, with pauses, until told to stop."""
        for course in courses:
            if self._stopping.is_set():
                return
            self.recount(course)
            time.sleep(PAUSE_SECONDS)

    def stop(self) -> None:
        """End the background thread and wait for it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _soon(self, courses: list[str]) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                # Another process may have counted one by the time that its turn comes.
                stale = (course for course in courses if self._is_stale(course))
                self._thread = threading.Thread(target=self.recount_all, args=(stale,), name="roll-up", daemon=True)
                self._thread.start()

    def _is_stale(self, course: str) -> bool:
        with reading(self.engine) as session:
            row = session.get(RunSummary, course)
            return row is None or not _holds(row) or self.now() - row.at > FRESH


def counts_of(row: RunSummary) -> Counts:
    """The numbers of a summary."""
    return Counts.model_validate({name: value for name, value in row.counts.items() if name not in ("mark", "version")})


def oldest(rows: Iterable[RunSummary]) -> datetime | None:
    """The moment of the oldest summary."""
    return min((row.at.astimezone(UTC) for row in rows), default=None)
