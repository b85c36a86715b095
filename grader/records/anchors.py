"""The chain of AI receipts, anchored in the journal.

The rule: an anchor holds a receipt's number and hash and nothing else, and the numbers only grow; so whoever changed or
took away a receipt would have to change the journal too.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.models import Event
from labs.texts import UserError

ANCHOR = "ai.anchor"


class Anchor(BaseModel):
    """The newest receipt: its place in the chain, and its hash."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class BadAnchor(UserError):
    """An anchor that does not go on from the ones before: the receipts are not those that were anchored."""


def add(session: Session, anchor: Anchor, actor: str) -> Event:
    """Write an anchor into the journal; BadAnchor where it goes back or contradicts the last one."""
    last = next(_newest_first(session), None)
    if last is not None and (anchor.number < last.number or (anchor.number == last.number and anchor != last)):
        raise BadAnchor(
            f"AI 영수증 {anchor.number}번은 이미 기록된 {last.number}번에 이어지지 않습니다.",
            f"AI receipt {anchor.number} does not go on from number {last.number}, which the journal holds",
        )
    key = f"{ANCHOR}-{anchor.number}"
    return journal.append(session, ANCHOR, actor=actor, course="", payload=anchor.model_dump(), key=key)


def anchors(session: Session) -> list[Anchor]:
    """Give all anchors, oldest first."""
    return list(_newest_first(session))[::-1]


def _newest_first(session: Session) -> Iterator[Anchor]:
    for event in session.scalars(select(Event).where(Event.kind == ANCHOR).order_by(Event.seq.desc())):
        yield Anchor.model_validate(event.payload)
