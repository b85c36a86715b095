"""What an instructor tells a class, each an event. The rule: a text never changes; what is wrong is withdrawn and said anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.attend import Refused
from grader.records.models import CourseRun, Event, Person

MADE, WITHDRAWN = "announcement.made", "announcement.withdrawn"
MOST_LETTERS = 2_000
#: So many stand or are still to come at a time: more than that nobody reads, and a page stays a page.
MOST_STANDING = 5


@dataclass(frozen=True)
class Announcement:
    """A text for a class, from when until when (None: until it is withdrawn), who wrote it, and how it was withdrawn."""

    event: Event
    author: str
    withdrawal: Event | None = None

    @property
    def text(self) -> str:
        return str(self.event.payload["text"])

    @property
    def starts(self) -> datetime:
        told = self.event.payload["from"]
        return datetime.fromisoformat(told) if told else self.event.at

    @property
    def ends(self) -> datetime | None:
        told = self.event.payload["until"]
        return datetime.fromisoformat(told) if told else None

    def stands(self, now: datetime) -> Literal["ahead", "shown", "over", "withdrawn"]:
        """Whether learners see it at a moment; from its start on, and at its end no more."""
        if self.withdrawal is not None:
            return "withdrawn"
        if self.ends is not None and self.ends <= now:
            return "over"
        return "shown" if self.starts <= now else "ahead"


def announcements(session: Session, course: str) -> list[Announcement]:
    """All of a course's announcements, the newest first."""
    withdrawn = {e.payload["announcement"]: e for e in journal.events(session, course, kind=WITHDRAWN)}
    made = journal.events(session, course, kind=MADE)
    names = _names(session, {event.actor for event in made})
    return [Announcement(e, names.get(e.actor, e.actor), withdrawn.get(e.id)) for e in reversed(made)]


def shown(session: Session, course: str, now: datetime) -> list[Announcement]:
    """What a course's learners see now, the newest first."""
    return [found for found in announcements(session, course) if found.stands(now) == "shown"]


def announce(
    session: Session, run: CourseRun, text: str, *, starts: datetime | None, ends: datetime | None, instructor: str, now: datetime
) -> Event:  # fmt: skip
    """Record an announcement; Refused says what is wrong. The same once more, while it stands, adds no event."""
    said = "\n".join(line.rstrip() for line in text.strip().splitlines())
    _must_be_shown(said, starts, ends, now)
    standing = [a for a in announcements(session, run.id) if a.stands(now) in ("ahead", "shown")]
    told = {"text": said, "from": starts.isoformat() if starts else None, "until": ends.isoformat() if ends else None}
    if same := next((a for a in standing if a.event.payload == told), None):
        return same.event
    if len(standing) >= MOST_STANDING:
        raise Refused("too_many_announcements")
    return journal.append(session, MADE, actor=instructor, course=run.id, payload=told, at=now)


def withdraw(session: Session, run: CourseRun, announcement: str, *, instructor: str, now: datetime) -> Event:
    """Record that an announcement is withdrawn; Refused where there is none that stands or is to come."""
    found = next((a for a in announcements(session, run.id) if a.event.id == announcement), None)
    if found is None or found.stands(now) == "over":
        raise Refused("no_announcement")
    return found.withdrawal or journal.append(
        session, WITHDRAWN, actor=instructor, course=run.id, payload={"announcement": announcement}, at=now,
    )  # fmt: skip


def _must_be_shown(text: str, starts: datetime | None, ends: datetime | None, now: datetime) -> None:
    if not text:
        raise Refused("announcement_empty")
    if len(text) > MOST_LETTERS:
        raise Refused("announcement_too_long")
    if ends is not None and ends <= max(starts or now, now):
        raise Refused("announcement_never_shown")


def _names(session: Session, logins: set[str]) -> dict[str, str]:
    people = session.scalars(select(Person).where(Person.login.in_(logins)))
    return {person.login: person.name for person in people}
