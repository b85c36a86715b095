"""What is odd about a day's attendance: something for a person to look into.

The rule: a sign decides nothing and changes nothing. It says what was seen; the computing of attendance never reads it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.attendance import Mark, TrainingDay
from grader.records import sightings
from grader.records.attend import DOOR, FOLDED, day_marks, zone
from grader.records.corrections import REQUESTED
from grader.records.models import CourseRun, Enrolment, Event, Sighting

Kind = Literal["two_networks", "shared_device", "other_course", "many_wrong_codes", "no_trace"]
#: Seen from two networks within this time.
TOGETHER = timedelta(minutes=10)
MANY_WRONG = 5
#: What a learner does of their own accord that is no work.
NO_WORK = (*FOLDED, REQUESTED)
Stay = tuple[datetime, datetime]


@dataclass(frozen=True)
class Sign:
    """Something to look into: of whom, seen when, and with whom or how often."""

    kind: Kind
    learner: str
    at: datetime
    also: str = ""
    until: datetime | None = None
    count: int = 0


def signs_of(
    session: Session, run: CourseRun, day: TrainingDay, now: datetime, ai_users: Collection[str] | None
) -> list[Sign]:
    """The signs of a training day; `ai_users` called AI that day, None where nobody could say (then no work is missed)."""
    since = datetime.combine(day.date, time(0), zone(run))
    until = since + timedelta(days=1)
    seen = sightings.seen_since(session, run.id, since, until)
    marks = day_marks(session, run, day.date)
    found = [*two_networks(seen), *shared_devices(seen), *many_wrong_codes(seen), *_elsewhere(session, run, marks, now)]
    if now >= day.ends and ai_users is not None:
        worked = {
            *workers(session, run, since, until),
            *(s.login for s in seen if s.what == sightings.OPENED),
            *ai_users,
        }
        found += without_trace(marks, worked)
    return sorted(found, key=lambda sign: (sign.learner, sign.at))


def two_networks(seen: Sequence[Sighting]) -> Iterator[Sign]:
    """Who was seen at the door from two networks within minutes."""
    for login, mine in _by(seen, "login").items():
        at_door = [sighting for sighting in mine if sighting.place and sighting.what != sightings.OPENED]
        for first, then in pairwise(at_door):
            if first.place != then.place and then.at - first.at <= TOGETHER:
                yield Sign("two_networks", login, first.at, until=then.at)
                break


def shared_devices(seen: Sequence[Sighting]) -> Iterator[Sign]:
    """Who used the door in a browser in which somebody else did that day."""
    for device, uses in _by(seen, "device").items():
        first: dict[str, Sighting] = {}
        for use in uses if device else ():
            if use.what not in (sightings.WRONG_CODE, sightings.OPENED):
                first.setdefault(use.login, use)
        for one, other in pairwise(first.values()):
            yield Sign("shared_device", other.login, other.at, also=one.login)


def many_wrong_codes(seen: Sequence[Sighting]) -> Iterator[Sign]:
    """Who typed many wrong codes."""
    for login, mine in _by(seen, "login").items():
        wrong = [sighting for sighting in mine if sighting.what == sightings.WRONG_CODE]
        if len(wrong) >= MANY_WRONG:
            yield Sign("many_wrong_codes", login, wrong[0].at, until=wrong[-1].at, count=len(wrong))


def without_trace(marks: Mapping[str, Mark], worked: Collection[str]) -> Iterator[Sign]:
    """Who checked in and left no trace of work: nothing handed in, no lab opened, no AI call."""
    for login, mark in marks.items():
        if mark.check_in and login not in worked:
            yield Sign("no_trace", login, mark.check_in, until=mark.check_out)


def _elsewhere(session: Session, run: CourseRun, marks: Mapping[str, Mark], now: datetime) -> Iterator[Sign]:
    """Whose stay overlaps with one in another course run; which one is not told."""
    here = {login: (mark.check_in, mark.check_out or now) for login, mark in marks.items() if mark.check_in}
    if not here:
        return
    earliest = min(came for came, _ in here.values()) - timedelta(days=1)
    elsewhere = select(Enrolment.course_id).where(Enrolment.course_id != run.id, Enrolment.login.in_(here))
    courses = session.scalars(elsewhere.distinct()).all()
    # By course and learner, as the index has them: most learners are nowhere else.
    query = select(Event).where(
        Event.course_id.in_(courses), Event.subject.in_(here), Event.kind.in_(DOOR[:2]), Event.at > earliest
    )
    for login, stays in _stays(session.scalars(query.order_by(Event.at)), now).items():
        came, went = here[login]
        for start, end in stays:
            if start < went and came < end:
                yield Sign("other_course", login, start, until=end if end < now else None)
                break


def _stays(events: Iterable[Event], now: datetime) -> dict[str, list[Stay]]:
    """Times between check-in and check-out in each course and on each day."""
    begun: dict[tuple[str, str, str], list[datetime]] = defaultdict(list)
    for event in events:
        begun[event.subject, event.course_id, event.payload["day"]].append(event.at)
    stays: dict[str, list[Stay]] = defaultdict(list)
    for (login, _, day), times in begun.items():
        # Somebody who never checked out was there to that day's end at most.
        last = times[0] + timedelta(hours=12) if date.fromisoformat(day) < now.date() else now
        stays[login].append((times[0], times[1] if len(times) > 1 else last))
    return stays


def workers(session: Session, run: CourseRun, since: datetime, until: datetime) -> set[str]:
    """Who did something of their own accord that is an event, such as handing in."""
    # The kinds are read from the index alone: with them it leads to the span of time, and without to the whole course.
    kinds = select(Event.kind).where(Event.course_id == run.id, Event.kind.not_in(NO_WORK)).distinct()
    query = select(Event.actor).where(
        Event.course_id == run.id,
        Event.kind.in_(kinds),
        Event.at >= since,
        Event.at < until,
        Event.actor == Event.subject,
    )
    return set(session.scalars(query.distinct()))


def _by(seen: Sequence[Sighting], name: str) -> dict[str, list[Sighting]]:
    found: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in seen:
        found[getattr(sighting, name)].append(sighting)
    return found
