"""Decisions that were frozen by a named person, and what they keep from changing.

The rule: a frozen decision stands as it was frozen until an event with a reason opens it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.completion import Outcome
from grader.records import journal
from grader.records.models import Event
from labs.texts import UserError

FROZEN, REOPENED = "decision.frozen", "decision.reopened"


class IsFrozen(UserError):
    """Something that would change what a frozen decision rests on."""


@dataclass(frozen=True)
class Frozen:
    """A learner's decision as it was frozen."""

    event: Event

    @property
    def outcome(self) -> Outcome:
        found: Outcome = self.event.payload["outcome"]
        return found

    @property
    def by(self) -> str:
        return self.event.actor

    @property
    def at(self) -> datetime:
        return self.event.at

    @property
    def payload(self) -> dict[str, Any]:
        return self.event.payload


def frozen_decisions(events: Iterable[Event]) -> dict[str, Frozen]:
    """The decisions that stand frozen, by learner, from a course run's events in their order."""
    standing: dict[str, Frozen] = {}
    for event in events:
        if event.kind == FROZEN:
            standing[event.subject] = Frozen(event)
        elif event.kind == REOPENED:
            standing.pop(event.subject, None)
    return standing


def frozen_in(session: Session, course: str, login: str | None = None) -> dict[str, Frozen]:
    """The frozen decisions of a course run, or of one learner in it."""
    query = select(Event).where(Event.course_id == course, Event.kind.in_((FROZEN, REOPENED)))
    if login is not None:
        query = query.where(Event.subject == login)
    return frozen_decisions(journal.in_order(session, query))


def must_not_be_frozen(session: Session, course: str, login: str | None = None) -> None:
    """Refuse where the learner's decision, or anybody's where none is named, is frozen."""
    if frozen_in(session, course, login):
        raise IsFrozen(
            "수료 판정이 확정되어 있습니다. 바꾸려면 먼저 담당자가 사유를 적고 판정을 다시 열어야 합니다.",
            "the completion decision is frozen; somebody in charge has to reopen it with a reason first",
        )
