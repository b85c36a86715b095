"""The journal: append-only events, each chained to the one before by SHA-256.

What is chained: the canonical JSON (sorted keys, no spaces, UTF-8) of every column but `hash`. An edit, a deletion or a
change of order anywhere breaks the chain at that event; `verify` names it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records.models import Event

GENESIS = "0" * 64
_NEXT_KEY = "journal.key"


def append(
    session: Session,
    kind: str,
    *,
    actor: str,
    course: str,
    subject: str = "",
    payload: dict[str, Any] | None = None,
    key: str | None = None,
    at: datetime | None = None,
) -> Event:
    """Add an event at the end of the chain and flush it; the same `key` again gives the event that stands.

    The caller's transaction holds the write lock (`grader.records.db.writing`), so two writers cannot take one place.
    """
    key = key or session.info.pop(_NEXT_KEY, None)
    if key is not None and (standing := session.scalar(select(Event).where(Event.key == key))):
        return standing
    last = session.scalar(select(Event).order_by(Event.seq.desc()).limit(1))
    event = Event(
        seq=last.seq + 1 if last else 1,
        id=uuid.uuid4().hex,
        at=at or datetime.now(UTC),
        actor=actor,
        kind=kind,
        course_id=course,
        subject=subject,
        payload=payload or {},
        key=key,
        previous=last.hash if last else GENESIS,
    )
    event.hash = digest(event)
    session.add(event)
    session.flush()
    return event


def key_of_next(session: Session, key: str) -> None:
    """Give the next event of this session a client's key, where whoever appends it knows none."""
    session.info[_NEXT_KEY] = key


def digest(event: Event) -> str:
    """The hash that an event must carry."""
    fields = {
        "seq": event.seq,
        "id": event.id,
        "at": event.at.astimezone(UTC).isoformat(),
        "actor": event.actor,
        "kind": event.kind,
        "course": event.course_id,
        "subject": event.subject,
        "payload": event.payload,
        "key": event.key,
        "previous": event.previous,
    }
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def verify(session: Session) -> str | None:
    """Walk the whole chain; give None when it holds, else a sentence that names the first bad event."""
    previous, seq = GENESIS, 0
    for event in session.scalars(select(Event).order_by(Event.seq).execution_options(yield_per=500)):
        if event.seq != seq + 1:
            return f"event {seq + 1} is missing: the chain goes from {seq} to {event.seq}"
        if event.previous != previous:
            return f"event {event.seq} ({event.kind}) does not follow event {seq}: the order or an event was changed"
        if event.hash != digest(event):
            return f"event {event.seq} ({event.kind}, {event.at.isoformat()}) was changed after it was written"
        previous, seq = event.hash, event.seq
    return None


def events(session: Session, course: str, *, kind: str | None = None, subject: str | None = None) -> list[Event]:
    """Read a course's events in their order, of one kind and about one learner where asked."""
    query = select(Event).where(Event.course_id == course)
    if kind is not None:
        query = query.where(Event.kind == kind)
    if subject is not None:
        query = query.where(Event.subject == subject)
    return list(session.scalars(query.order_by(Event.seq)))


@dataclass(frozen=True, slots=True)
class Read:
    """An event as plain data, to be read by the thousand: what a session does not watch costs a fraction."""

    seq: int
    id: str
    at: datetime
    actor: str
    kind: str
    course_id: str
    subject: str
    payload: dict[str, Any]


_READ = (Event.seq, Event.id, Event.at, Event.actor, Event.kind, Event.course_id, Event.subject, Event.payload)
_ATTENDANCE = Event.kind.startswith("attendance.", autoescape=True)


def attendance(session: Session, course: str, subjects: Iterable[str] | None = None) -> list[Event]:
    """A course's events of attendance, nine tenths of all, in their order and to be read only; of some learners where asked."""
    query = select(*_READ).where(Event.course_id == course, _ATTENDANCE)
    if subjects is not None:
        query = query.where(Event.subject.in_(subjects))
    # They have every attribute of an event that folding reads.
    return cast("list[Event]", [Read(*row) for row in session.execute(query.order_by(Event.seq))])


def other_than_attendance(session: Session, course: str, subjects: Iterable[str] | None = None) -> list[Event]:
    """A course's other events in their order; of some learners where asked."""
    query = select(Event).where(Event.course_id == course, ~_ATTENDANCE)
    if subjects is not None:
        query = query.where(Event.subject.in_(subjects))
    return list(session.scalars(query.order_by(Event.seq)))
