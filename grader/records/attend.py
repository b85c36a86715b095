"""Check-in, check-out and corrections: evidence in, events of the journal out.

A correction is a new event by a named instructor with a reason; it never edits an old one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from grader import codes
from grader.attendance import Mark, TrainingDay
from grader.records import journal
from grader.records.enrolments import ends
from grader.records.frozen import frozen_decisions, must_not_be_frozen
from grader.records.models import CourseRun, Event, TrainingDayRow
from grader.records.official import OFFICIAL, official_of

CHECKED_IN, CHECKED_OUT, CORRECTED = "attendance.checked_in", "attendance.checked_out", "attendance.corrected"
WRONG_CODES_ALLOWED, WRONG_CODES_WINDOW = 5, timedelta(minutes=5)


class Refused(Exception):
    """A request that the rules refuse; `reason` is a key of the portal's catalogue."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GuessLimiter:
    """Stops guessing of codes: after five wrong ones within five minutes a learner has to wait."""

    def __init__(self) -> None:
        self._wrong: dict[tuple[str, str], list[datetime]] = defaultdict(list)

    def check(self, course: str, login: str, now: datetime) -> None:
        """Refuse where too many wrong codes came lately."""
        recent = [at for at in self._wrong[course, login] if now - at < WRONG_CODES_WINDOW]
        self._wrong[course, login] = recent
        if len(recent) >= WRONG_CODES_ALLOWED:
            raise Refused("too_many_wrong_codes")

    def wrong(self, course: str, login: str, now: datetime) -> None:
        self._wrong[course, login].append(now)


def zone(run: CourseRun) -> ZoneInfo:
    """The institution's time zone."""
    return ZoneInfo(run.institution.time_zone)


def today_of(session: Session, run: CourseRun, now: datetime) -> TrainingDay | None:
    """Today's training day in the institution's time zone, if there is one."""
    tz = zone(run)
    row = session.get(TrainingDayRow, (run.id, now.astimezone(tz).date()))
    return _aware(row, tz) if row is not None else None


def _aware(row: TrainingDayRow, tz: ZoneInfo) -> TrainingDay:
    return TrainingDay(row.day, datetime.combine(row.day, row.starts, tz), datetime.combine(row.day, row.ends, tz))


def check(
    session: Session, run: CourseRun, login: str, typed: str, *, secret: bytes, now: datetime, limiter: GuessLimiter
) -> Event:
    """Record today's check-in, or the check-out where the check-in stands; Refused says why not."""
    limiter.check(run.id, login, now)
    day = today_of(session, run, now)
    if day is None:
        raise Refused("no_training_day")
    if not codes.is_valid(secret, run.id, day.date, now, typed):
        limiter.wrong(run.id, login, now)
        raise Refused("wrong_code")
    mine = _events_of(session, run, login, day.date)
    if ends(mine) or frozen_decisions(mine):
        raise Refused("left_already")
    mark = marks_of(mine, zone(run)).get(day.date, Mark())
    if mark.check_out is not None:
        raise Refused("already_checked_out")
    if mark.check_in is not None and now <= mark.check_in:
        raise Refused("clock_went_back")
    kind = CHECKED_OUT if mark.check_in else CHECKED_IN
    return journal.append(
        session, kind, actor=login, course=run.id, subject=login, at=now,
        payload={"day": day.date.isoformat()}, key=_key(kind, run.id, login, day.date),
    )  # fmt: skip


def _key(kind: str, course: str, login: str, day: date) -> str:
    return journal.key_of(kind, course, login, day)


def _events_of(session: Session, run: CourseRun, login: str, day: date) -> list[Event]:
    """A learner's events but the checks of other days, read by their keys: a whole class checks in at once."""
    keys = [_key(kind, run.id, login, day) for kind in (CHECKED_IN, CHECKED_OUT)]
    wanted = or_(Event.kind.not_in((CHECKED_IN, CHECKED_OUT)), Event.key.in_(keys))
    query = select(Event).where(Event.course_id == run.id, Event.subject == login, wanted).order_by(Event.seq)
    return list(session.scalars(query))


def correct(
    session: Session, run: CourseRun, *, login: str, day: date, instructor: str, reason: str, now: datetime,
    check_in: time | None = None, check_out: time | None = None, excused: str | None = None,
) -> Event:  # fmt: skip
    """Record an instructor's correction of a day; local times; Refused says what is missing."""
    if not reason.strip():
        raise Refused("reason_missing")
    if day not in {row.day for row in run.days}:
        raise Refused("no_training_day")
    if login not in {enrolment.login for enrolment in run.enrolments}:
        raise Refused("not_enrolled")
    if check_in is None and check_out is None and not excused:
        raise Refused("nothing_to_correct")
    tz = zone(run)
    standing = marks_of(_events_of(session, run, login, day), tz).get(day, Mark())
    came, went = _local(day, check_in, tz) or standing.check_in, _local(day, check_out, tz) or standing.check_out
    if came and went and went <= came:
        raise Refused("out_before_in")
    must_not_be_frozen(session, run.id, login)
    payload = {
        "day": day.isoformat(),
        "check_in": check_in.strftime("%H:%M") if check_in else None,
        "check_out": check_out.strftime("%H:%M") if check_out else None,
        "excused": excused or None,
        "reason": reason.strip()[:500],
    }
    return journal.append(session, CORRECTED, actor=instructor, course=run.id, subject=login, payload=payload, at=now)


def marks_of(events: Iterable[Event], tz: ZoneInfo) -> dict[date, Mark]:
    """Fold one learner's events, in their order, into a mark for each day."""
    marks: dict[date, Mark] = {}
    for event in events:
        if event.kind not in (CHECKED_IN, CHECKED_OUT, CORRECTED, OFFICIAL):
            continue
        day = date.fromisoformat(event.payload["day"])
        mark = marks.get(day, Mark())
        mark = replace(mark, rests_on=(*mark.rests_on, event.id))
        if event.kind == CHECKED_IN:
            mark = replace(mark, check_in=mark.check_in or event.at)
        elif event.kind == CHECKED_OUT:
            mark = replace(mark, check_out=event.at)
        elif event.kind == OFFICIAL:
            mark = replace(mark, official=official_of(event.payload))
        else:
            mark = replace(
                mark,
                check_in=_read(day, event.payload["check_in"], tz) or mark.check_in,
                check_out=_read(day, event.payload["check_out"], tz) or mark.check_out,
                excused=event.payload["excused"] or mark.excused,
            )
        marks[day] = mark
    return marks


def _read(day: date, at: str | None, tz: ZoneInfo) -> datetime | None:
    return _local(day, time.fromisoformat(at) if at else None, tz)


def _local(day: date, at: time | None, tz: ZoneInfo) -> datetime | None:
    return datetime.combine(day, at, tz) if at else None
