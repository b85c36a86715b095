"""What has to go when its time is over: looks after some years, people's names and work after some more.

The rule: the journal keeps its events and its chain; what makes them somebody's (the name, the outside id, the files) goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import certificates, journal, looks, work
from grader.records.blobs import Manifest
from grader.records.models import CourseRun, Enrolment, Event, Person, StaffRole

ANONYMISED = "person.anonymised"
#: What stands in the place of a name that is gone.
NOBODY = "–"


@dataclass(frozen=True)
class Due:
    """What may go on a day: how many looks, and whose record, with the course runs that all ended long ago."""

    looks_before: datetime
    looks: int
    people: tuple[str, ...]


def due(session: Session, today: date, *, looks_years: int, records_years: int) -> Due:
    """Find what is older than it may be; staff and people of a newer course run stay."""
    before = datetime.combine(_years_ago(today, looks_years), datetime.min.time(), UTC)
    last: dict[str, date] = {}
    rows = session.execute(
        select(Enrolment.login, CourseRun.ends_on).join(CourseRun, CourseRun.id == Enrolment.course_id)
    )
    for login, ends_on in rows:
        last[login] = max(ends_on, last.get(login, ends_on))
    staff = set(session.scalars(select(StaffRole.login)))
    gone = set(session.scalars(select(Person.login).where(Person.name == NOBODY)))
    limit = _years_ago(today, records_years)
    people = sorted(login for login, ends_on in last.items() if ends_on < limit and login not in staff | gone)
    return Due(before, looks.older_than(session, before), tuple(people))


def anonymise(session: Session, login: str, *, actor: str, reason: str, now: datetime) -> Event:
    """Take name and outside id away for good; the event says who did it and why, not who it was."""
    person = session.get_one(Person, login)
    person.name, person.outside_id = NOBODY, None
    payload = {"reason": reason}
    return journal.append(session, ANONYMISED, actor=actor, course="", subject=login, payload=payload, at=now)


def files_of(session: Session, login: str) -> set[str]:
    """The hashes of files that only this person's submissions and feedback name."""
    mine = set(_named(session.scalars(select(Event).where(Event.subject == login))))
    others = select(Event).where(Event.subject != login, Event.kind.in_((work.RELEASED, work.RECEIVED, work.FEEDBACK)))
    return mine - set(_named(session.scalars(others)))


def _named(events: Iterable[Event]) -> Iterable[str]:
    for event in events:
        if event.kind in (work.RELEASED, work.RECEIVED):
            yield from (file.sha256 for file in Manifest.model_validate(event.payload["manifest"]).files)
        elif event.kind == work.FEEDBACK:
            yield from (event.payload["html"], event.payload["results"])
        elif event.kind == certificates.ISSUED:
            yield from event.payload["files"].values()


def _years_ago(today: date, years: int) -> date:
    try:
        return today.replace(year=today.year - years)
    except ValueError:  # 29 February
        return today.replace(year=today.year - years, day=28)
