"""A programme's rules, versioned by date: each version is an event, and a course run keeps the one of its first day.

The rule: what was in force when a run began holds for it to its end, unless a version is entered for that very date.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.models import CourseRun, Event, Programme
from grader.rules import Rules
from labs.texts import UserError

RULES_SET = "programme.rules_set"


def set_rules(
    session: Session, programme: Programme, rules: Rules, *, valid_from: date, actor: str, reason: str, now: datetime
) -> Event:
    """Record a version of the rules for runs that begin on a date or later."""
    if not reason.strip():
        raise UserError("규칙을 바꾸는 사유를 적으세요.", "write the reason for the change of the rules")
    payload = {
        "programme": programme.id,
        "valid_from": valid_from.isoformat(),
        "rules": rules.model_dump(mode="json"),
        "reason": reason.strip()[:500],
    }
    return journal.append(session, RULES_SET, actor=actor, course="", payload=payload, at=now)


def versions(session: Session, programme: str) -> list[Event]:
    """The versions of a programme's rules in the order in which they were entered."""
    found = session.scalars(select(Event).where(Event.course_id == "", Event.kind == RULES_SET).order_by(Event.seq))
    return [event for event in found if event.payload["programme"] == programme]


def rules_of(session: Session, run: CourseRun, as_of: datetime | None = None) -> Rules:
    """The rules in force for a course run, as known at a moment: of the newest date not after its first day."""
    known = [event for event in versions(session, run.programme_id) if as_of is None or event.at <= as_of]
    in_force = [event for event in known if date.fromisoformat(event.payload["valid_from"]) <= run.starts_on]
    # max keeps the first of equals, so the newest entry of a date comes first.
    newest = max(reversed(in_force), key=lambda event: event.payload["valid_from"], default=None)
    return Rules.model_validate(newest.payload["rules"] if newest else run.programme.rules)
