"""Everything that the records hold about one person, for that person. The rule: what a table knows of somebody is in here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from grader.records import certificates, looks, self_checks, sightings, work
from grader.records.models import CourseRun, Enrolment, Event, Person, StaffRole
from grader.records.state import learner_state
from grader.records.work import Receipt


@dataclass(frozen=True)
class About:
    """What is held about a person: as JSON, and the submissions and certificates whose files lie beside it."""

    told: dict[str, Any]
    submissions: tuple[Receipt, ...]
    #: The events of their issue.
    certificates: tuple[Event, ...]


def about(session: Session, login: str, as_of: datetime, *, courses: Collection[str] | None = None) -> About:
    """Collect it all, or what concerns some course runs alone; a person who is not there has an empty answer."""
    enrolled = [row.course_id for row in session.scalars(select(Enrolment).where(Enrolment.login == login))]
    asked = [course for course in enrolled if courses is None or course in courses]
    events = _events(session, login, courses)
    told = {
        "as_of": as_of.isoformat(),
        "person": _person(session, login),
        "roles": list(session.scalars(select(StaffRole.group).where(StaffRole.login == login)))
        if courses is None
        else [],
        "courses": [_course(session, course, login, as_of) for course in asked],
        "records": [_event(event) for event in events],
        "looks": [
            {"at": look.at.isoformat(), "who": look.who, "what": look.what, "course": look.course_id}
            for look in looks.looks_at(session, login, limit=100_000)
            if courses is None or look.course_id in courses
        ],
        "seen": [
            {
                "at": seen.at.isoformat(),
                "course": seen.course_id,
                "what": seen.what,
                "network": seen.place,
                "device": seen.device,
            }
            for seen in sightings.sightings_of(session, login)
            if courses is None or seen.course_id in courses
        ],
        "self_checks": [
            {
                "at": row.at.isoformat(),
                "course": row.course_id,
                "lab": row.lab_id,
                "criterion": row.criterion,
                "tries": row.tries,
                "failed_in_a_row": row.failed_in_a_row,
            }
            for row in self_checks.of_person(session, login, courses)
        ],
    }
    mine = [event for event in events if event.subject == login]
    received = [event for event in mine if event.kind == work.RECEIVED]
    issued = [event for event in mine if event.kind == certificates.ISSUED]
    return About(told, tuple(map(work.receipt_of, received)), tuple(issued))


def _person(session: Session, login: str) -> dict[str, Any]:
    person = session.get(Person, login)
    return {"login": login, "name": person.name, "outside_id": person.outside_id} if person else {}


def _course(session: Session, course: str, login: str, as_of: datetime) -> dict[str, Any]:
    """A course run, with the decision as it stands and every training day."""
    run, state = session.get_one(CourseRun, course), learner_state(session, course, login, as_of)
    told: dict[str, Any] = {
        "course": course,
        "title": run.title_ko,
        "starts_on": str(run.starts_on),
        "ends_on": str(run.ends_on),
    }
    if state is not None:
        told["outcome"] = state.outcome
        told["requirements"] = [
            {"asked": requirement.asked.ko, "found": requirement.found.ko, "met": requirement.met}
            for requirement in state.decision.requirements
        ]
        told["days"] = [
            {"day": str(verdict.date), "counted_as": verdict.status, "because": verdict.because.ko}
            for verdict in state.attendance.verdicts
        ]
    return told


def _events(session: Session, login: str, courses: Collection[str] | None) -> list[Event]:
    query = select(Event).where(or_(Event.subject == login, Event.actor == login))
    if courses is not None:
        query = query.where(Event.course_id.in_(courses), Event.subject == login)
    return list(session.scalars(query.order_by(Event.seq)))


def _event(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq, "id": event.id, "at": event.at.isoformat(), "kind": event.kind, "by": event.actor,
        "about": event.subject, "course": event.course_id, "payload": event.payload, "hash": event.hash,
    }  # fmt: skip
