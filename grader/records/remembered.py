"""States that are kept between requests, so that a page does not fold thousands of events that it has folded before.

The rule: a kept state is given only where a fresh one would be the same. So it is bound to the newest event by its hash,
which covers every event before it; to every row that was read, by value; and to a span of time in which nothing turns.
A moment before the newest event, and a transaction that writes, read for themselves.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import BindParameter, Engine, Text, bindparam, cast, func, select
from sqlalchemy.orm import Session

from grader.attendance import TrainingDay
from grader.records.models import CourseLab, CourseRun, Enrolment, Event, Person, TrainingDayRow
from grader.records.programmes import RULES_SET

if TYPE_CHECKING:
    from grader.records.state import CourseState, Facts

#: A state of thirty learners and 120 days takes a few megabytes.
MOST_STATES = 128
#: So many moments of each course are kept: who asked a little before another's newer state still finds one from before. They
#: share the learners that did not change.
MOMENTS = 8
#: Events that make a difference to the learner alone whom they are about.
OWN = ("attendance.", "submission.", "grade.", "feedback.")
#: Every page asks these: built once, and the days as the text that they are, since they are only held against each other.
_COURSE: BindParameter[str] = bindparam("course")
_LABS = (
    select(
        CourseLab.lab_id, CourseLab.position, CourseLab.required, CourseLab.title_ko, CourseLab.title_en, CourseLab.minutes,
        CourseLab.pass_percent,
    ).where(CourseLab.course_id == _COURSE).order_by(CourseLab.position)
)  # fmt: skip
_DAYS = (
    select(cast(TrainingDayRow.day, Text), cast(TrainingDayRow.starts, Text), cast(TrainingDayRow.ends, Text))
    .where(TrainingDayRow.course_id == _COURSE).order_by(TrainingDayRow.day)
)  # fmt: skip
_ENROLLED = (
    select(Enrolment.login, Person.name).join(Person, Person.login == Enrolment.login)
    .where(Enrolment.course_id == _COURSE).order_by(Enrolment.login)
)  # fmt: skip
_NEWEST = select(func.max(Event.seq)).where(Event.course_id == _COURSE)
_NEWEST_OF_KIND = _NEWEST.where(Event.kind == bindparam("kind"))
_PLACE, _PLACE_OF_KIND = (
    select(Event.seq, Event.hash).where(Event.seq == seqs.scalar_subquery()) for seqs in (_NEWEST, _NEWEST_OF_KIND)
)


@dataclass(frozen=True)
class Place:
    """An event's place in the journal: its number and its hash."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Basis:
    """What a state rests on, beside the moment and the course's events: the programme's rules, and the rows by value."""

    rules: Place | None
    rows: tuple[Any, ...]


@dataclass(frozen=True)
class Kept:
    """A state with what it rests on; it holds from `made_at` until just before `turns_at`."""

    state: CourseState
    facts: Facts
    basis: Basis
    newest: Place | None
    known_from: datetime
    made_at: datetime
    turns_at: datetime

    def covers(self, basis: Basis, as_of: datetime) -> bool:
        """Whether nothing but a learner's own events can make a difference."""
        return self.basis == basis and max(self.known_from, self.made_at) <= as_of < self.turns_at


class Memory:
    """The states of one database that were asked for last."""

    def __init__(self, most: int = MOST_STATES) -> None:
        self._kept: OrderedDict[str, deque[Kept]] = OrderedDict()
        self._lock = threading.Lock()
        self._most = most

    def get(self, course: str, basis: Basis, as_of: datetime) -> Kept | None:
        """The newest state that covers a moment."""
        with self._lock:
            if course not in self._kept:
                return None
            self._kept.move_to_end(course)
            return next((kept for kept in reversed(self._kept[course]) if kept.covers(basis, as_of)), None)

    def lasts(self, course: str, now: datetime) -> bool:
        """Whether a state is kept that has not turned by itself."""
        with self._lock:
            return course in self._kept and now < self._kept[course][-1].turns_at

    def keep(self, course: str, kept: Kept) -> None:
        """Keep a state, where every event that there is was known to it."""
        if kept.made_at < kept.known_from:
            return
        with self._lock:
            self._kept.setdefault(course, deque(maxlen=MOMENTS)).append(kept)
            self._kept.move_to_end(course)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


_memories: WeakKeyDictionary[Engine, Memory] = WeakKeyDictionary()
_lock = threading.Lock()


def memory_of(session: Session) -> Memory | None:
    """The memory of a session's database; None in a transaction that writes."""
    engine = session.get_bind()
    if session.info.get("writes") or not isinstance(engine, Engine):
        return None
    with _lock:
        return _memories.setdefault(engine, Memory())


def basis_of(session: Session, run: CourseRun) -> Basis:
    """What the state of a course run rests on now; a handful of small queries, each by an index."""
    course = {"course": run.id}
    labs, days = session.execute(_LABS, course), session.execute(_DAYS, course)
    facts = (run.starts_on, run.ends_on, run.hours, run.place_class, run.institution.time_zone, run.programme.rules)
    rows = (facts, tuple(map(tuple, labs)), tuple(map(tuple, days)), enrolled(session, run.id))
    return Basis(newest(session, "", RULES_SET), rows)


def enrolled(session: Session, course: str) -> tuple[tuple[str, str], ...]:
    """The logins and names of a course run's learners, in one query."""
    return tuple((login, name) for login, name in session.execute(_ENROLLED, {"course": course}))


def newest(session: Session, course: str, kind: str | None = None) -> Place | None:
    """The place of a course's newest event."""
    asked = (_PLACE, {"course": course}) if kind is None else (_PLACE_OF_KIND, {"course": course, "kind": kind})
    row = session.execute(*asked).first()
    return Place(*row) if row else None


def changed_since(session: Session, course: str, kept: Place) -> set[str] | None:
    """Whose own events are new since a place; None where others are, or where that place is not what it was."""
    if session.scalar(select(Event.hash).where(Event.seq == kept.seq)) != kept.hash:
        return None
    query = select(Event.kind, Event.subject).where(Event.course_id == course, Event.seq > kept.seq)
    found = [tuple(row) for row in session.execute(query)]
    return {subject for _, subject in found} if all(kind.startswith(OWN) for kind, _ in found) else None


def turning_point(as_of: datetime, tz: ZoneInfo, days: Iterable[TrainingDay], attendance: Iterable[Event]) -> datetime:
    """When a state may turn by itself: at the next midnight, where a day begins or ends, at a time that was entered ahead."""
    today = as_of.astimezone(tz).date()
    midnight = datetime.combine(today + timedelta(days=1), time(), tz)
    hours = (moment for day in days if day.date == today for moment in (day.starts, day.ends))
    about_today = (event for event in attendance if event.payload.get("day") == today.isoformat())
    entered = (moment for event in about_today for moment in _times(event.payload, today, tz))
    return min(moment for moment in (midnight, *hours, *entered) if moment > as_of)


def _times(value: Any, day: date, tz: ZoneInfo) -> Iterator[datetime]:
    """Every clock time in a payload, whatever it is called."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _times(part, day, tz)
    elif isinstance(value, str) and len(value) in (5, 8) and value[2] == ":":
        try:
            yield datetime.combine(day, time.fromisoformat(value), tz)
        except ValueError:
            return
