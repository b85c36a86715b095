"""Who is enrolled in a course run, and how an enrolment ended: rows for today, events for what was known when.

The rule: nobody is taken off a roster; leaving is an event with a date and a reason, and can be withdrawn by another.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal, get_args

from sqlalchemy.orm import Session

from grader.attendance import LEAVING_TEXT, Leaving
from grader.records import journal
from grader.records.frozen import must_not_be_frozen
from grader.records.models import CourseRun, Enrolment, Event, Person
from labs.texts import Text, UserError

OPENED, ENDED, END_WITHDRAWN = "enrolment.opened", "enrolment.ended", "enrolment.end_withdrawn"
How = Literal["dropout", "dismissed", "early_employment"]
HOW_TEXT: dict[How, Text] = {how: LEAVING_TEXT[how] for how in get_args(How)}


class BadEnrolment(UserError):
    """An enrolment, or its end, that cannot be; the text says why."""


def enrol(session: Session, run: CourseRun, login: str, *, actor: str, now: datetime) -> Event | None:
    """Enrol a person of the records; None where they are enrolled already."""
    if any(row.login == login for row in run.enrolments):
        return None
    if session.get(Person, login) is None:
        raise BadEnrolment(f"{login[:60]!r}: 등록되지 않은 사람입니다.", f"{login[:60]!r} is not in the records")
    must_not_be_frozen(session, run.id)
    run.enrolments.append(Enrolment(login=login))
    return journal.append(session, OPENED, actor=actor, course=run.id, subject=login, at=now)


def end(
    session: Session, run: CourseRun, login: str, *, how: How, on: date, reason: str, actor: str, now: datetime
) -> Event:
    """Record that somebody left on a date (the last day that counts)."""
    _must_be_enrolled(run, login)
    if how not in HOW_TEXT:
        raise BadEnrolment("퇴소 구분을 고르세요.", f"choose how the enrolment ended: {', '.join(HOW_TEXT)}")
    if not reason.strip():
        raise BadEnrolment("퇴소 사유를 적으세요.", "write the reason for leaving")
    if not run.starts_on <= on <= run.ends_on:
        raise BadEnrolment(
            f"{on}: 훈련 기간({run.starts_on} ~ {run.ends_on}) 안의 날짜를 적으세요.",
            f"{on}: choose a date within the course run ({run.starts_on} to {run.ends_on})",
        )
    must_not_be_frozen(session, run.id, login)
    payload = {"how": how, "on": on.isoformat(), "reason": reason.strip()[:500]}
    return journal.append(session, ENDED, actor=actor, course=run.id, subject=login, payload=payload, at=now)


def withdraw_end(session: Session, run: CourseRun, login: str, *, reason: str, actor: str, now: datetime) -> Event:
    """Take a leaving back, with a reason."""
    _must_be_enrolled(run, login)
    standing = ends(journal.events(session, run.id, subject=login)).get(login)
    if standing is None:
        raise BadEnrolment("퇴소 기록이 없습니다.", f"{login} has not left")
    if not reason.strip():
        raise BadEnrolment("퇴소를 취소하는 사유를 적으세요.", "write the reason for taking the leaving back")
    must_not_be_frozen(session, run.id, login)
    payload = {"end": standing.id, "reason": reason.strip()[:500]}
    return journal.append(session, END_WITHDRAWN, actor=actor, course=run.id, subject=login, payload=payload, at=now)


def ends(events: Iterable[Event]) -> dict[str, Event]:
    """The ends that stand, by learner, from events in their order."""
    standing: dict[str, Event] = {}
    for event in events:
        if event.kind == ENDED:
            standing[event.subject] = event
        elif event.kind == END_WITHDRAWN:
            standing.pop(event.subject, None)
    return standing


def leaving_of(event: Event | None) -> Leaving | None:
    """An end that stands, as attendance and the decision are judged by it."""
    if event is None:
        return None
    payload = event.payload
    return Leaving(payload["how"], date.fromisoformat(payload["on"]), payload["reason"], (event.id,))


def _must_be_enrolled(run: CourseRun, login: str) -> None:
    if all(row.login != login for row in run.enrolments):
        raise BadEnrolment(
            f"{login[:60]!r}: 이 과정의 훈련생이 아닙니다.", f"{login[:60]!r} is not enrolled in {run.id}"
        )
