"""The journal: append-only events, each chained to the one before by SHA-256.

What is chained: the canonical JSON (sorted keys, no spaces, UTF-8) of every column but `hash`. An edit, a deletion or a
change of order anywhere breaks the chain at that event; `verify` names it. What cannot be read back as it was written, in
any database, is refused before it is written.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Select, Text, select
from sqlalchemy import cast as cast_as
from sqlalchemy.orm import Session

from grader.records.chain import GENESIS, Finding, digest, verify
from grader.records.models import Event
from labs.texts import UserError

_NEXT_KEY = "journal.key"
__all__ = ["GENESIS", "BadEvent", "Finding", "append", "digest", "events", "key_of", "key_of_next", "verify"]

#: How long each text column may be: PostgreSQL keeps to it, SQLite does not.
LENGTHS: dict[str, int | None] = {c.name: getattr(c.type, "length", None) for c in Event.__table__.columns}
LONGEST_KEY = 120


class BadEvent(UserError):
    """An event that could not be read back as it was written."""


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
    must_fit({"kind": kind, "actor": actor, "course_id": course, "subject": subject, "key": key or ""})
    if key is not None and (standing := session.scalar(select(Event).where(Event.key == key))):
        return standing
    last = session.execute(select(Event.seq, Event.hash).order_by(Event.seq.desc()).limit(1)).first()
    event = Event(
        seq=last.seq + 1 if last else 1,
        id=uuid.uuid4().hex,
        at=at or datetime.now(UTC),
        actor=actor,
        kind=kind,
        course_id=course,
        subject=subject,
        payload=as_read_back(payload or {}),
        key=key,
        previous=last.hash if last else GENESIS,
    )
    event.hash = digest(event)
    session.add(event)
    session.flush()
    return event


def key_of(*parts: object) -> str:
    """A key for what may happen once only; one that would be too long for its column is a hash of its parts."""
    key = ":".join(map(str, parts))
    return key if len(key) <= LONGEST_KEY else f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def key_of_next(session: Session, key: str) -> None:
    """Give the next event of this session a client's key, where whoever appends it knows none."""
    session.info[_NEXT_KEY] = key


def events(session: Session, course: str, *, kind: str | None = None, subject: str | None = None) -> list[Event]:
    """Read a course's events in their order, of one kind and about one learner where asked."""
    query = select(Event).where(Event.course_id == course)
    if kind is not None:
        query = query.where(Event.kind == kind)
    if subject is not None:
        query = query.where(Event.subject == subject)
    return in_order(session, query)


def in_order(session: Session, query: Select[Event]) -> list[Event]:
    """Events in their order, to be read only. Asked for in order, SQLite reads the whole course (or the journal) in place of an
    index by kind."""
    return sorted(_read(session, query), key=lambda event: event.seq)


def as_read_back(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as the database will give it back; BadEvent where it holds what JSON or PostgreSQL cannot keep."""
    try:
        text = json.dumps(payload, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadEvent(
            f"기록할 수 없는 값이 있습니다: {error}", f"the payload holds what JSON cannot keep: {error}"
        ) from None
    _must_be_text("payload", text, text.replace("\\\\", "").count("\\u0000"))
    read: dict[str, Any] = json.loads(text)
    return read


def must_fit(columns: dict[str, str]) -> None:
    """BadEvent where a text is longer than its column, or holds what cannot be kept."""
    for name, value in columns.items():
        longest = LENGTHS[name]
        _must_be_text(name, value, value.count("\0"))
        if longest and len(value) > longest:
            raise BadEvent(
                f"{name}: {value[:40]!r}…은(는) {len(value)}자입니다. {longest}자까지 쓸 수 있습니다.",
                f"{name}: {value[:40]!r}… has {len(value)} characters; at most {longest} are kept",
            )


def _must_be_text(name: str, text: str, nulls: int) -> None:
    if nulls or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadEvent(
            f"{name}: 기록할 수 없는 문자가 있습니다(NUL 또는 짝이 없는 서로게이트). 그 문자를 빼고 다시 보내세요.",
            f"{name}: a NUL character or half of a surrogate pair cannot be recorded; send it without",
        )


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


_C = Event.__table__.c
#: The payload as its text: thousands of them are the same few.
_READ = (_C.seq, _C.id, _C.at, _C.actor, _C.kind, _C.course_id, _C.subject, cast_as(_C.payload, Text))
_ATTENDANCE = Event.kind.startswith("attendance.", autoescape=True)


def attendance(session: Session, course: str, subjects: Iterable[str] | None = None) -> list[Event]:
    """A course's events of attendance, nine tenths of all, in their order and to be read only; of some learners where asked."""
    query = select(Event).where(Event.course_id == course, _ATTENDANCE)
    if subjects is not None:
        query = query.where(Event.subject.in_(subjects))
    return _read(session, query.order_by(Event.seq))


def _read(session: Session, query: Select[Any]) -> list[Event]:
    """Events as plain data; they have every attribute of an event that is read once it stands in the journal."""
    rows: Iterable[Any] = session.execute(query.with_only_columns(*_READ))
    read = [
        Read(seq, event_id, at, actor, kind, course_id, subject, _payload(text))
        for seq, event_id, at, actor, kind, course_id, subject, text in rows
    ]
    return cast("list[Event]", read)


@lru_cache(16384)
def _payload(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(text)
    return read


def other_than_attendance(session: Session, course: str, subjects: Iterable[str] | None = None) -> list[Event]:
    """A course's other events in their order; of some learners where asked."""
    query = select(Event).where(Event.course_id == course, ~_ATTENDANCE)
    if subjects is not None:
        query = query.where(Event.subject.in_(subjects))
    return _read(session, query.order_by(Event.seq))
