"""What persons judged, as events: who gave which points and which comment to which submission, and when.

The rule: a judgement is bound to the submission that was looked at, so that a mark can say when that is no longer the one
that counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.models import Event
from grader.records.work import Receipt

SAVED, BLIND = "review.saved", "review.blind"


def record(
    session: Session, receipt: Receipt, criterion: str, *, points: float | None, comment: str, actor: str, now: datetime
) -> Event:
    """Record a judgement."""
    payload: dict[str, Any] = {
        "lab": receipt.lab, "submission": receipt.id, "criterion": criterion, "points": points, "comment": comment,
    }  # fmt: skip
    return journal.append(
        session, SAVED, actor=actor, course=receipt.course, subject=receipt.learner, payload=payload, at=now
    )


def newest(session: Session, receipt: Receipt) -> dict[str, Event]:
    """The last judgement of each criterion of a learner's lab, whichever submission it was given to."""
    found = journal.events(session, receipt.course, kind=SAVED, subject=receipt.learner)
    return {event.payload["criterion"]: event for event in found if event.payload["lab"] == receipt.lab}


def is_blind(session: Session, course: str, lab: str) -> bool:
    """Whether a lab is judged without names."""
    found = [event for event in journal.events(session, course, kind=BLIND) if event.payload["lab"] == lab]
    return bool(found and found[-1].payload["on"])


def set_blind(session: Session, course: str, lab: str, on: bool, *, actor: str, now: datetime) -> None:
    """Switch names off or on for everybody who judges the lab; what stands already adds no event."""
    if is_blind(session, course, lab) != on:
        journal.append(session, BLIND, actor=actor, course=course, payload={"lab": lab, "on": on}, at=now)
