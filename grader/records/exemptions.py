"""Exemptions from a required lab, and flags that end a claim to the allowance: each an event with a reason.

The rule: the newest word of a person in charge stands, and the older ones stay to be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.allowance import FLAG_TEXT
from grader.records import journal
from grader.records.frozen import must_not_be_frozen
from grader.records.models import CourseRun, Event
from grader.records.work import lab_of
from labs.texts import UserError

EXEMPTED, EXEMPTION_WITHDRAWN = "lab.exempted", "lab.exemption_withdrawn"
FLAGGED, FLAG_CLEARED = "allowance.flagged", "allowance.flag_cleared"


class NoReason(UserError):
    """An entry without its reason."""


class UnknownFlag(UserError):
    """A flag that the allowance does not know."""


def exempt(session: Session, run: CourseRun, login: str, lab: str, *, reason: str, actor: str, now: datetime) -> Event:
    """Exempt a learner from a lab."""
    return _about_lab(session, EXEMPTED, run, login, lab, reason, actor, now)


def withdraw_exemption(
    session: Session, run: CourseRun, login: str, lab: str, *, reason: str, actor: str, now: datetime
) -> Event:
    """Take an exemption back."""
    return _about_lab(session, EXEMPTION_WITHDRAWN, run, login, lab, reason, actor, now)


def flag(
    session: Session, run: CourseRun, login: str, what: str, *,
    unit: date | None = None, cleared: bool = False, reason: str, actor: str, now: datetime,
) -> Event:  # fmt: skip
    """Set or clear a flag of `grader.allowance`; with the first day of a unit period, for that unit alone."""
    _must_be_known(what)
    must_not_be_frozen(session, run.id, login)
    payload = {"flag": what, "unit": unit.isoformat() if unit else None, "reason": _reason(reason)}
    kind = FLAG_CLEARED if cleared else FLAGGED
    return journal.append(session, kind, actor=actor, course=run.id, subject=login, payload=payload, at=now)


def exemptions(events: Iterable[Event]) -> dict[tuple[str, str], Event]:
    """The exemptions that stand, by learner and lab, from events in their order."""
    standing: dict[tuple[str, str], Event] = {}
    for event in events:
        if event.kind == EXEMPTED:
            standing[event.subject, event.payload["lab"]] = event
        elif event.kind == EXEMPTION_WITHDRAWN:
            standing.pop((event.subject, event.payload["lab"]), None)
    return standing


def flag_events(session: Session, course: str) -> list[Event]:
    """A course's events of flags in their order."""
    return journal.in_order(
        session, select(Event).where(Event.course_id == course, Event.kind.in_((FLAGGED, FLAG_CLEARED)))
    )


def flags(events: Iterable[Event]) -> dict[tuple[str, str, str | None], Event]:
    """The flags that stand, by learner, flag and unit (ISO date, None: every unit)."""
    standing: dict[tuple[str, str, str | None], Event] = {}
    for event in events:
        if event.kind in (FLAGGED, FLAG_CLEARED):
            place = (event.subject, event.payload["flag"], event.payload["unit"])
            if event.kind == FLAGGED:
                standing[place] = event
            else:
                standing.pop(place, None)
    return standing


def _must_be_known(what: str) -> None:
    if what not in FLAG_TEXT:
        given, right = what[:60], ", ".join(FLAG_TEXT)
        raise UnknownFlag(
            f"그런 제외 사유가 없습니다: {given!r}. 다음 중에서 고르세요: {right}",
            f"no such flag: {given!r}; it is one of {right}",
        )


def _about_lab(
    session: Session, kind: str, run: CourseRun, login: str, lab: str, reason: str, actor: str, now: datetime
) -> Event:
    lab_of(run, lab)
    must_not_be_frozen(session, run.id, login)
    payload = {"lab": lab, "reason": _reason(reason)}
    return journal.append(session, kind, actor=actor, course=run.id, subject=login, payload=payload, at=now)


def _reason(typed: str) -> str:
    if not typed.strip():
        raise NoReason("사유를 적으세요.", "write the reason")
    return typed.strip()[:500]
