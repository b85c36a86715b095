"""The door: check-in, check-out and outings by the class code.

The rule: a code is good for one action of one learner. Who is refused leaves nothing in the journal; a wrong code is
counted, in the same transaction, so the caller has to commit where it was `Refused`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal, get_args

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from grader import codes
from grader.attendance import Mark, TrainingDay
from grader.records import journal, sightings
from grader.records.attend import CAME_BACK, CHECKED_IN, CHECKED_OUT, CORRECTED, DOOR, WENT_OUT, Refused, marks_of, zone
from grader.records.enrolments import END_WITHDRAWN, ENDED, ends
from grader.records.frozen import FROZEN, REOPENED, frozen_decisions
from grader.records.models import CourseRun, Enrolment, Event, TrainingDayRow
from grader.records.sightings import Whence

Action = Literal["in", "out", "away", "back"]
KINDS: dict[Action, str] = {"in": CHECKED_IN, "out": CHECKED_OUT, "away": WENT_OUT, "back": CAME_BACK}
#: What may be done where somebody stands; the first is what a page offers first.
MAY: dict[str, tuple[Action, ...]] = {"before": ("in",), "here": ("out", "away"), "away": ("back",), "gone": ()}
WHY_NOT: dict[tuple[str, Action], str] = {
    ("before", "out"): "not_checked_in",
    ("before", "away"): "not_checked_in",
    ("before", "back"): "not_checked_in",
    ("here", "in"): "already_checked_in",
    ("here", "back"): "not_away",
    ("away", "in"): "already_checked_in",
    ("away", "out"): "still_away",
    ("away", "away"): "already_away",
}
#: What counts today, whenever it was written; the door itself writes on the day.
STANDING = (ENDED, END_WITHDRAWN, FROZEN, REOPENED, CORRECTED)


@dataclass(frozen=True)
class AtDoor:
    """A learner's training day, as far as the door needs it: today's hours, the mark, and the learner's events."""

    day: TrainingDay
    mark: Mark
    events: tuple[Event, ...] = ()

    @property
    def stands(self) -> str:
        """Where the learner is: before, here, away or gone."""
        if self.mark.check_in is None:
            return "before"
        if self.mark.check_out is not None:
            return "gone"
        return "away" if self.mark.away_since else "here"

    @property
    def may(self) -> tuple[Action, ...]:
        """What the learner may do next."""
        return MAY[self.stands]

    @property
    def last(self) -> Event | None:
        """The last thing that was done here with a code today."""
        return max((event for event in self.events if event.kind in DOOR), key=lambda event: event.at, default=None)


def today_of(session: Session, run: CourseRun, now: datetime) -> TrainingDay | None:
    """Today's training day in the institution's time zone, if there is one; reads nothing but that day."""
    tz = zone(run)
    row = session.get(TrainingDayRow, (run.id, now.astimezone(tz).date()))
    if row is None:
        return None
    return TrainingDay(row.day, datetime.combine(row.day, row.starts, tz), datetime.combine(row.day, row.ends, tz))


def at_door(session: Session, run: CourseRun, login: str, now: datetime) -> AtDoor:
    """How a learner's day stands; Refused where there is none, or where nothing is recorded of them any more."""
    if session.get(Enrolment, (run.id, login)) is None:
        raise Refused("not_on_roster")
    day = today_of(session, run, now)
    if day is None:
        raise Refused("no_training_day")
    midnight = datetime.combine(day.date, time(0), zone(run))
    query = select(Event).where(
        Event.course_id == run.id, Event.subject == login, or_(Event.at >= midnight, Event.kind.in_(STANDING))
    )
    events = tuple(journal.in_order(session, query))
    if ends(events) or frozen_decisions(events):
        raise Refused("left_already")
    mark = marks_of(events, zone(run)).get(day.date, Mark())
    return AtDoor(day, mark, tuple(event for event in events if event.payload.get("day") == day.date.isoformat()))


def check(
    session: Session, run: CourseRun, login: str, typed: str, *, secret: bytes, now: datetime,
    action: str | None = None, whence: Whence | None = None,
) -> Event:  # fmt: skip
    """Record an action at the door; without one, what comes next. Refused says why not.

    The same action again with the same code gives the event that stands, so that a press that was sent twice does no harm.
    """
    whence = whence or Whence()
    found = at_door(session, run, login, now)
    if sightings.is_guessing(session, run.id, login, whence.place, now):
        raise Refused("too_many_wrong_codes")
    slot = codes.slot_of(secret, run.id, found.day.date, now, typed)
    if slot is None:
        sightings.see(session, run.id, login, sightings.WRONG_CODE, now, whence)
        raise Refused("wrong_code")
    wanted = _action(action, found)
    last = found.last
    if last is not None and slot <= codes.slot_at(last.at):
        if last.kind == KINDS[wanted]:
            return last
        raise Refused("code_used")
    if wanted not in found.may:
        raise Refused(WHY_NOT.get((found.stands, wanted), "already_checked_out"))
    sightings.see(session, run.id, login, wanted, now, whence)
    return _record(session, run, login, found, wanted, slot, now)


def _action(asked: str | None, found: AtDoor) -> Action:
    """The action that was asked for; without one in or out, as it comes next."""
    for action in get_args(Action):
        if action == asked:
            known: Action = action
            return known
    if asked:
        raise Refused("no_such_action")
    return "in" if found.stands == "before" else "out"


def _record(
    session: Session, run: CourseRun, login: str, found: AtDoor, action: Action, slot: int, now: datetime
) -> Event:
    kind = KINDS[action]
    # Somebody comes and goes once a day, and may go out several times.
    once = f":{slot}" if action in ("away", "back") else ""
    return journal.append(
        session, kind, actor=login, course=run.id, subject=login, at=now,
        payload={"day": found.day.date.isoformat()}, key=f"{kind}:{run.id}:{login}:{found.day.date}{once}",
    )  # fmt: skip
