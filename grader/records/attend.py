"""Attendance as events: what the door and corrections write, folded into a mark for each day.

A correction is a new event by a named person with a reason; it never edits an old one. What it names wins over the door,
and the last correction over those before it; the order in which the door's events were written does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.attendance import Mark
from grader.records import journal
from grader.records.frozen import must_not_be_frozen
from grader.records.models import CourseRun, Event
from grader.records.official import OFFICIAL, official_of

CHECKED_IN, CHECKED_OUT, CORRECTED = "attendance.checked_in", "attendance.checked_out", "attendance.corrected"
WENT_OUT, CAME_BACK = "attendance.went_out", "attendance.came_back"
DOOR = (CHECKED_IN, CHECKED_OUT, WENT_OUT, CAME_BACK)
FOLDED = (*DOOR, CORRECTED, OFFICIAL)
Span = tuple[time, time]


class Refused(Exception):
    """A request that the rules refuse; `reason` is a key of the portal's catalogue."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Change:
    """What a day should say, in local times; what is None stays as it is. Empty `outings`: there was none."""

    check_in: time | None = None
    check_out: time | None = None
    outings: tuple[Span, ...] | None = None
    excused: str | None = None
    excuse_kind: str | None = None
    #: The number of a certificate or the name of a file that the institution keeps; nothing is uploaded.
    evidence: str | None = None
    excuse_withdrawn: bool = False

    def must_be_possible(self) -> None:
        """Refused where it changes nothing, or where a time is before one that it follows."""
        if not (self.check_in or self.check_out or self.outings is not None or self.excuses or self.excuse_withdrawn):
            raise Refused("nothing_to_correct")
        if self.check_in and self.check_out and self.check_out <= self.check_in:
            raise Refused("out_before_in")
        if any(back <= out for out, back in self.outings or ()):
            raise Refused("back_before_out")

    @property
    def excuses(self) -> bool:
        return bool(self.excused or self.excuse_kind)

    def payload(self) -> dict[str, Any]:
        """As it stands in an event."""
        outings = None if self.outings is None else [[_clock(out), _clock(back)] for out, back in self.outings]
        return {
            "check_in": _clock(self.check_in) if self.check_in else None,
            "check_out": _clock(self.check_out) if self.check_out else None,
            "outings": outings,
            "excused": (self.excused or "").strip()[:200] or None,
            "excuse_kind": self.excuse_kind or None,
            "evidence": (self.evidence or "").strip()[:100] or None,
            "excuse_withdrawn": self.excuse_withdrawn,
        }


def change_of(payload: dict[str, Any]) -> Change:
    """A change as an event has it; events from before outings and kinds of excuses have fewer keys."""
    outings = payload.get("outings")
    return Change(
        check_in=_time(payload.get("check_in")),
        check_out=_time(payload.get("check_out")),
        outings=None if outings is None else tuple((time.fromisoformat(a), time.fromisoformat(b)) for a, b in outings),
        excused=payload.get("excused"),
        excuse_kind=payload.get("excuse_kind"),
        evidence=payload.get("evidence"),
        excuse_withdrawn=bool(payload.get("excuse_withdrawn")),
    )


def zone(run: CourseRun) -> ZoneInfo:
    """The institution's time zone."""
    return ZoneInfo(run.institution.time_zone)


def correct(
    session: Session, run: CourseRun, *, login: str, day: date, instructor: str, reason: str, now: datetime,
    request: str | None = None, **change: Any,
) -> Event:  # fmt: skip
    """Record a named person's correction of a day; `change` has the fields of `Change`. Refused says what is missing.

    Who may correct until when is the caller's to judge (`grader.records.corrections`).
    """
    wanted = Change(**change)
    if not reason.strip():
        raise Refused("reason_missing")
    if day not in {row.day for row in run.days}:
        raise Refused("no_training_day")
    if login not in {enrolment.login for enrolment in run.enrolments}:
        raise Refused("not_enrolled")
    if login == instructor:
        raise Refused("own_attendance")
    wanted.must_be_possible()
    _must_follow(session, run, login, day, wanted)
    must_not_be_frozen(session, run.id, login)
    asked = {"request": request} if request else {}
    payload = {"day": day.isoformat(), **wanted.payload(), "reason": reason.strip()[:500], **asked}
    return journal.append(session, CORRECTED, actor=instructor, course=run.id, subject=login, payload=payload, at=now)


def _must_follow(session: Session, run: CourseRun, login: str, day: date, wanted: Change) -> None:
    """Refuse a correction whose check-out would not come after the check-in that stands."""
    tz = zone(run)
    today = select(Event).where(Event.course_id == run.id, Event.subject == login, Event.kind.in_(FOLDED))
    found = [event for event in journal.in_order(session, today) if event.payload["day"] == day.isoformat()]
    mark = _corrected(_mark(day, found, tz), day, wanted, tz)
    if mark.check_in and mark.check_out and mark.check_out <= mark.check_in:
        raise Refused("out_before_in")


def marks_of(events: Iterable[Event], tz: ZoneInfo) -> dict[date, Mark]:
    """Fold one learner's events into a mark for each day."""
    days: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.kind in FOLDED:
            days[event.payload["day"]].append(event)
    return {date.fromisoformat(day): _mark(date.fromisoformat(day), found, tz) for day, found in days.items()}


def day_marks(session: Session, run: CourseRun, day: date) -> dict[str, Mark]:
    """What is recorded of a day, by learner; who has nothing is not there."""
    midnight, of_run = datetime.combine(day, time(0), zone(run)), select(Event).where(Event.course_id == run.id)
    # The door writes on the day itself; an excuse may be recorded ahead of its day. Each is found by the index.
    written = journal.in_order(session, of_run.where(Event.kind.in_((*DOOR, OFFICIAL)), Event.at >= midnight))
    corrected = journal.in_order(session, of_run.where(Event.kind == CORRECTED))
    found: dict[str, list[Event]] = defaultdict(list)
    for event in sorted((*written, *corrected), key=attrgetter("seq")):
        if event.payload["day"] == day.isoformat():
            found[event.subject].append(event)
    return {login: _mark(day, events, zone(run)) for login, events in found.items()}


def _mark(day: date, events: list[Event], tz: ZoneInfo) -> Mark:
    mark = _by_door(events)
    for event in events:
        if event.kind == CORRECTED:
            mark = _corrected(mark, day, change_of(event.payload), tz)
        elif event.kind == OFFICIAL:
            mark = replace(mark, official=official_of(event.payload))
    if mark.away_since and mark.check_out and mark.check_out > mark.away_since:
        # Who left without coming back was out to the end.
        mark = replace(mark, outings=(*mark.outings, (mark.away_since, mark.check_out)), away_since=None)
    return mark


def _by_door(events: list[Event]) -> Mark:
    """What the door's events say in the order of their times; one mark is made, for there are thousands of days."""
    came: datetime | None = None
    left: datetime | None = None
    away: datetime | None = None
    outings: tuple[tuple[datetime, datetime], ...] = ()
    for event in sorted((event for event in events if event.kind in DOOR), key=attrgetter("at")):
        if event.kind == CHECKED_IN:
            came = came or event.at
        elif event.kind == CHECKED_OUT:
            left = event.at
        elif event.kind == WENT_OUT:
            away = away or event.at
        elif away is not None:
            outings, away = (*outings, (away, event.at)), None
    rests_on = tuple([event.id for event in events])
    return Mark(check_in=came, check_out=left, outings=outings, rests_on=rests_on, away_since=away)


def _corrected(mark: Mark, day: date, change: Change, tz: ZoneInfo) -> Mark:
    def at(clock: time) -> datetime:
        return datetime.combine(day, clock, tz)

    if change.check_in:
        mark = replace(mark, check_in=at(change.check_in))
    if change.check_out:
        mark = replace(mark, check_out=at(change.check_out))
    if change.outings is not None:
        mark = replace(mark, outings=tuple((at(out), at(back)) for out, back in change.outings), away_since=None)
    if change.excuse_withdrawn:
        mark = replace(mark, excused=None, excuse_kind=None)
    if change.excuses:
        mark = replace(mark, excused=change.excused, excuse_kind=change.excuse_kind)
    return mark


def _clock(at: time) -> str:
    return at.strftime("%H:%M")


def _time(at: str | None) -> time | None:
    return time.fromisoformat(at) if at else None
