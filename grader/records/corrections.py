"""Asking for a correction, and answering: each an event with a reason.

The rule: an instructor corrects a day until the programme's deadline; after that only the institution's office does. A
request is answered once, by somebody other than the learner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import attend, journal
from grader.records.attend import CORRECTED, Change, Refused, change_of, zone
from grader.records.enrolments import ends
from grader.records.frozen import must_not_be_frozen
from grader.records.models import CourseRun, Event
from grader.records.programmes import rules_of
from grader.rules import Rules

REQUESTED, REFUSED = "correction.requested", "correction.refused"
#: Requests of one learner for one day: a conversation, not a flood.
MOST_A_DAY = 5


@dataclass(frozen=True)
class Request:
    """A learner's request for a correction, and its answer where there is one."""

    event: Event
    answer: Event | None = None

    @property
    def id(self) -> str:
        return self.event.id

    @property
    def learner(self) -> str:
        return self.event.subject

    @property
    def day(self) -> date:
        return date.fromisoformat(self.event.payload["day"])

    @property
    def reason(self) -> str:
        return str(self.event.payload["reason"])

    @property
    def change(self) -> Change:
        return change_of(self.event.payload)

    @property
    def is_open(self) -> bool:
        return self.answer is None

    @property
    def is_granted(self) -> bool:
        return self.answer is not None and self.answer.kind == CORRECTED


def requests_of(events: Iterable[Event]) -> list[Request]:
    """The requests among events in their order, each with its answer."""
    found: dict[str, Request] = {}
    for event in events:
        if event.kind == REQUESTED:
            found[event.id] = Request(event)
        elif event.kind in (REFUSED, CORRECTED) and event.payload.get("request") in found:
            asked = event.payload["request"]
            found[asked] = Request(found[asked].event, event)
    return list(found.values())


def requests_in(session: Session, course: str, learner: str | None = None) -> list[Request]:
    """The requests of a course run, or of one learner in it."""
    query = select(Event).where(Event.course_id == course, Event.kind.in_((REQUESTED, REFUSED, CORRECTED)))
    if learner is not None:
        query = query.where(Event.subject == learner)
    return requests_of(journal.in_order(session, query))


def in_time(rules: Rules, run: CourseRun, day: date, now: datetime) -> bool:
    """Whether an instructor may still correct a day."""
    return now.astimezone(zone(run)).date() <= rules.correction_until(day)


def ask(
    session: Session, run: CourseRun, login: str, day: date, change: Change, *, reason: str, now: datetime
) -> Event:
    """Record a learner's request; Refused says what is missing."""
    if not reason.strip():
        raise Refused("reason_missing")
    if login not in {row.login for row in run.enrolments}:
        raise Refused("not_on_roster")
    if day not in {row.day for row in run.days} or day > now.astimezone(zone(run)).date():
        raise Refused("no_training_day")
    must_know(rules_of(session, run, now), change)
    change.must_be_possible()
    must_not_be_frozen(session, run.id, login)
    mine = journal.events(session, run.id, subject=login)
    if ends(mine):
        raise Refused("left_already")
    of_day = [request for request in requests_of(mine) if request.day == day]
    if any(request.is_open for request in of_day):
        raise Refused("request_open")
    if len(of_day) >= MOST_A_DAY:
        raise Refused("too_many_requests")
    payload = {"day": day.isoformat(), **change.payload(), "reason": reason.strip()[:500]}
    return journal.append(session, REQUESTED, actor=login, course=run.id, subject=login, payload=payload, at=now)


def correct(
    session: Session, run: CourseRun, login: str, day: date, change: Change, *, actor: str, office: bool, reason: str,
    now: datetime, request: str | None = None,
) -> Event:  # fmt: skip
    """Correct a day as an instructor in time, or as the office; with `request`, grant what was asked."""
    rules = rules_of(session, run, now)
    if not office and not in_time(rules, run, day, now):
        raise Refused("correction_too_late")
    must_know(rules, change)
    if request is not None:
        asked = _open(session, run, request)
        if (asked.learner, asked.day) != (login, day):
            raise Refused("no_request")
    return attend.correct(
        session, run, login=login, day=day, instructor=actor, reason=reason, now=now, request=request, **vars(change)
    )


def refuse(
    session: Session, run: CourseRun, request: str, *, actor: str, office: bool, reason: str, now: datetime
) -> Event:
    """Answer a request with no, and why."""
    asked = _open(session, run, request)
    if not reason.strip():
        raise Refused("refusal_reason_missing")
    if not office and not in_time(rules_of(session, run, now), run, asked.day, now):
        raise Refused("correction_too_late")
    if asked.learner == actor:
        raise Refused("own_attendance")
    must_not_be_frozen(session, run.id, asked.learner)
    payload = {"day": asked.day.isoformat(), "request": request, "reason": reason.strip()[:500]}
    return journal.append(session, REFUSED, actor=actor, course=run.id, subject=asked.learner, payload=payload, at=now)


def must_know(rules: Rules, change: Change) -> None:
    """Refused for a kind of excuse that the programme does not have."""
    if change.excuse_kind and rules.excuse(change.excuse_kind) is None:
        raise Refused("no_such_excuse")


def _open(session: Session, run: CourseRun, request: str) -> Request:
    found = next((asked for asked in requests_in(session, run.id) if asked.id == request), None)
    if found is None:
        raise Refused("no_request")
    if not found.is_open:
        raise Refused("request_answered")
    return found
