"""A course run's timetable: its training days and the days on which it was not held.

The rule: a change sets the whole timetable anew, as rows for today and as an event for what was known when.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from grader.attendance import TrainingDay
from grader.records import journal
from grader.records.frozen import must_not_be_frozen
from grader.records.models import ClosedDay, CourseRun, Event, TrainingDayRow
from labs.texts import UserError

TIMETABLE_SET = "timetable.set"


class BadTimetable(UserError):
    """A timetable that cannot be; the text names the day."""


@dataclass(frozen=True)
class Hours:
    """A training day with its local hours."""

    day: date
    starts: time
    ends: time


@dataclass(frozen=True)
class Closure:
    """A day that is no training day, why, and which day makes up for it."""

    day: date
    reason: str
    made_up_on: date | None = None


def weekly(
    first: date, last: date, weekdays: Collection[int], starts: time, ends: time, closed: Sequence[Closure] = ()
) -> list[Hours]:
    """The days of a timetable by weekdays (0 is Monday) from the first date to the last, without the closed ones."""
    without = {closure.day for closure in closed}
    dates = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [Hours(day, starts, ends) for day in dates if day.weekday() in weekdays and day not in without]


def set_timetable(
    session: Session, run: CourseRun, days: Sequence[Hours], closed: Sequence[Closure] = (), *,
    actor: str, reason: str, now: datetime,
) -> Event:  # fmt: skip
    """Set a run's whole timetable; the same again adds no event. BadTimetable names the first day that is wrong."""
    if not reason.strip():
        raise BadTimetable("시간표를 바꾸는 사유를 적으세요.", "write the reason for the change of the timetable")
    days, closed = sorted(days, key=lambda row: row.day), sorted(closed, key=lambda row: row.day)
    _must_be_possible(run, days, closed)
    must_not_be_frozen(session, run.id)
    before = _payload([Hours(row.day, row.starts, row.ends) for row in run.days],
                      [Closure(row.day, row.reason, row.made_up_on) for row in run.closed])  # fmt: skip
    standing = journal.events(session, run.id, kind=TIMETABLE_SET)
    wanted = _payload(days, closed)
    if standing and before == wanted:
        return standing[-1]
    run.days[:], run.closed[:] = [], []
    session.flush()
    run.days[:] = [TrainingDayRow(day=row.day, starts=row.starts, ends=row.ends) for row in days]
    run.closed[:] = [ClosedDay(day=row.day, reason=row.reason, made_up_on=row.made_up_on) for row in closed]
    # What stood before the first event is in no event yet.
    was = {} if standing else {"was": before}
    payload = {**wanted, **was, "reason": reason.strip()[:500]}
    return journal.append(session, TIMETABLE_SET, actor=actor, course=run.id, payload=payload, at=now)


def training_days(run: CourseRun, events: Iterable[Event] = (), as_of: datetime | None = None) -> list[TrainingDay]:
    """The training days with aware times: by the run's events as known at a moment, else by its rows."""
    tz = ZoneInfo(run.institution.time_zone)
    sets = [event for event in events if event.kind == TIMETABLE_SET]
    known = [event.payload for event in sets if as_of is None or event.at <= as_of]
    told = known[-1] if known else sets[0].payload.get("was") if sets else None
    if told is None:
        return [_aware(row.day, row.starts, row.ends, tz) for row in run.days]
    return [
        _aware(date.fromisoformat(day), time.fromisoformat(starts), time.fromisoformat(ends), tz)
        for day, starts, ends in told["days"]
    ]


def _aware(day: date, starts: time, ends: time, tz: ZoneInfo) -> TrainingDay:
    return TrainingDay(day, datetime.combine(day, starts, tz), datetime.combine(day, ends, tz))


def _payload(days: Sequence[Hours], closed: Sequence[Closure]) -> dict[str, Any]:
    return {
        "days": [[row.day.isoformat(), f"{row.starts:%H:%M}", f"{row.ends:%H:%M}"] for row in days],
        "closed": [[row.day.isoformat(), row.reason, row.made_up_on and row.made_up_on.isoformat()] for row in closed],
    }


def _must_be_possible(run: CourseRun, days: Sequence[Hours], closed: Sequence[Closure]) -> None:
    seen: set[date] = set()
    for row in days:
        if row.ends <= row.starts:
            raise BadTimetable(
                f"{row.day}: 끝나는 시각이 시작보다 늦어야 합니다.", f"{row.day}: the end must be after the start"
            )
        _must_fit(run, row.day, seen)
    for closure in closed:
        _must_fit(run, closure.day, seen)
        if closure.made_up_on and closure.made_up_on not in {row.day for row in days}:
            raise BadTimetable(
                f"{closure.day}: 보강일 {closure.made_up_on}이 훈련일에 없습니다.",
                f"{closure.day}: the day that makes up for it, {closure.made_up_on}, is no training day",
            )


def _must_fit(run: CourseRun, day: date, seen: set[date]) -> None:
    if day in seen:
        raise BadTimetable(f"{day}: 같은 날짜가 두 번 있습니다.", f"{day}: the same date stands twice")
    if not run.starts_on <= day <= run.ends_on:
        raise BadTimetable(
            f"{day}: 훈련 기간({run.starts_on} ~ {run.ends_on}) 밖의 날짜입니다.",
            f"{day}: outside the course run ({run.starts_on} to {run.ends_on})",
        )
    seen.add(day)
