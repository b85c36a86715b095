"""What an office allows to be spent on AI, each change an event. The rule: the newest event about an account holds, and where
none sets a limit the settings do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.models import CourseRun, Event
from labs.texts import UserError

SET = "ai.limit"
#: Won and tokens, in all and for a day; null: no limit.
Numbers = Mapping[str, int | None]


class ChangedMeanwhile(UserError):
    """Somebody else changed the limit after it was looked at."""


@dataclass(frozen=True)
class Account:
    """Whose spending is limited; without a course that of all courses."""

    kind: Literal["learner", "lab", "course", "institution"]
    course: str = ""
    lab: str = ""


def account_of(event: Event) -> Account:
    """The account that a change is about."""
    return Account(event.payload["account"], event.course_id, event.payload["lab"])


def changes(session: Session, institution: str) -> list[Event]:
    """Every change of an institution's limits, the newest first."""
    courses = session.scalars(select(CourseRun.id).where(CourseRun.institution_id == institution))
    query = select(Event).where(Event.kind == SET, Event.course_id.in_(["", *courses])).order_by(Event.seq.desc())
    return [event for event in session.scalars(query) if event.payload["institution"] == institution]


def newest(changes: Iterable[Event]) -> dict[Account, Event]:
    """The newest change of each account, of changes the newest first; one whose limit is null gave the account back to the settings."""
    found: dict[Account, Event] = {}
    for event in changes:
        found.setdefault(account_of(event), event)
    return found


def change(
    session: Session,
    institution: str,
    account: Account,
    limit: Numbers | None,
    *,
    was: Numbers,
    seen: str,
    actor: str,
    now: datetime,
) -> Event:
    """Set an account's limit, or with None give it back to the settings; ChangedMeanwhile where `seen` is not its newest change."""
    standing = newest(changes(session, institution)).get(account)
    if seen != (standing.id if standing else ""):
        raise ChangedMeanwhile(
            "그 사이에 다른 사람이 이 한도를 바꾸었습니다.", "somebody else changed this limit meanwhile"
        )
    payload = {
        "institution": institution, "account": account.kind, "lab": account.lab,
        "limit": None if limit is None else dict(limit), "was": dict(was),
    }  # fmt: skip
    return journal.append(session, SET, actor=actor, course=account.course, payload=payload, at=now)
