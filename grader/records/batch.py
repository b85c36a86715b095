"""Many events at the end of the journal at once, as an import adds them: one look for the head, one flush.

The rule: what is written is what `journal.append` would have written, one after the other.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from grader.records.journal import GENESIS, as_read_back, digest, must_fit
from grader.records.models import Event


@dataclass(frozen=True)
class NewEvent:
    """An event that is to be added about a learner."""

    kind: str
    subject: str
    payload: dict[str, Any]


def append_all(session: Session, new: Sequence[NewEvent], *, actor: str, course: str, at: datetime) -> None:
    """Add events in their order; the caller's transaction holds the journal's write lock."""
    last = session.execute(select(Event.seq, Event.hash).order_by(Event.seq.desc()).limit(1)).first()
    seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(new, seq + 1):
        must_fit({"kind": one.kind, "actor": actor, "course_id": course, "subject": one.subject})
        event = Event(
            seq=number, id=uuid.uuid4().hex, at=at.astimezone(UTC), actor=actor, kind=one.kind, course_id=course,
            subject=one.subject, payload=as_read_back(one.payload), key=None, previous=previous,
        )  # fmt: skip
        previous = event.hash = digest(event)
        rows.append({column.name: getattr(event, column.name) for column in Event.__table__.columns})
    if rows:
        session.execute(insert(Event), rows)
