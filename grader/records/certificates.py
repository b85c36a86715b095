"""Certificates in the records: issued, revoked, and what their holder shows, each an event; and whether one holds now.

The rule: a certificate holds only while a frozen positive decision says what it was issued for. A decision that is opened
again suspends it, until it is frozen again with the same content; a revoked one never holds again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from grader.certificates.status import Place, Purpose
from grader.completion import COMPLETING
from grader.records import journal
from grader.records.frozen import FROZEN, REOPENED, Frozen, frozen_decisions
from grader.records.models import CourseRun, Event
from labs.texts import UserError

ISSUED, REVOKED, SHARED = "certificate.issued", "certificate.revoked", "certificate.shared"
KINDS = (ISSUED, REVOKED, SHARED, FROZEN, REOPENED)
Standing = Literal["valid", "suspended", "revoked"]


class BadCertificate(UserError):
    """A certificate that cannot be issued, revoked or found; the text says why."""


class Sharing(BaseModel):
    """What a holder shows on the public page besides that the certificate holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    full_name: bool = False
    labs: bool = False
    evidence: bool = False


@dataclass(frozen=True)
class Certificate:
    """A certificate as it stands."""

    event: Event
    sharing: Sharing
    revoked: Event | None
    #: Whether a frozen positive decision says now what it was issued for.
    supported: bool

    @property
    def standing(self) -> Standing:
        if self.revoked is not None:
            return "revoked"
        return "valid" if self.supported else "suspended"

    @property
    def number(self) -> str:
        found: str = self.event.payload["number"]
        return found

    @property
    def login(self) -> str:
        return self.event.subject

    @property
    def place(self) -> Place:
        """Its place in the status lists."""
        return Place(*self.event.payload["place"])

    def sha256(self, part: str) -> str:
        """The hash of a part: facts, badge, pdf_ko or pdf_en."""
        found: str = self.event.payload["files"][part]
        return found


def grounds(decision: Frozen | None) -> dict[str, Any] | None:
    """What of a decision a certificate says; None where there is no frozen positive one.

    The minutes are those of the whole course, or those attended by somebody who left it early for a job. A lab counts as
    passed where its requirement is met by what was handed in, not by an exemption.
    """
    if decision is None or decision.outcome not in COMPLETING:
        return None
    said, early = decision.payload, decision.outcome == "early_employment"
    met = {requirement["id"] for requirement in said["requirements"] if requirement["met"]}
    passed = [lab for lab in said["labs"] if f"lab:{lab['lab']}" in met and not lab["exempt"]]
    return {
        "outcome": decision.outcome,
        "minutes": said["minutes_present" if early else "minutes_scheduled"],
        "labs": [[lab["lab"], lab["submission"]] for lab in passed],
    }


def key_of(token: str) -> str:
    """The journal's key of a certificate, by the token in its address: the token itself is in no event."""
    return f"{ISSUED}:{hashlib.sha256(token.encode('utf-8', 'replace')).hexdigest()}"


def of_course(session: Session, course: str, login: str | None = None) -> list[Certificate]:
    """A course run's certificates in the order of their issue, or one learner's."""
    mine = [] if login is None else [Event.subject == login]
    return _certificates(_events(session, Event.course_id == course, *mine))


def of_institution(session: Session, institution: str) -> list[Certificate]:
    """All certificates of an institution."""
    courses = select(CourseRun.id).where(CourseRun.institution_id == institution)
    return _certificates(_events(session, Event.course_id.in_(courses)))


def by_token(session: Session, token: str) -> Certificate | None:
    """The certificate with this token in its address."""
    event = session.scalar(select(Event).where(Event.key == key_of(token)))
    return None if event is None else _found(session, event.course_id, event.subject, event.id)


def by_id(session: Session, course: str, certificate: str, login: str | None = None) -> Certificate:
    """A course run's certificate by its event's id, one learner's where asked; BadCertificate where there is none such."""
    event = session.scalar(
        select(Event).where(Event.id == certificate, Event.course_id == course, Event.kind == ISSUED)
    )
    if event is None or login not in (None, event.subject):
        raise BadCertificate("그런 수료증이 없습니다.", "there is no such certificate")
    return _found(session, course, event.subject, event.id)


def without(certificates: Iterable[Certificate], purpose: Purpose) -> list[Place]:
    """The places of those that a status list takes away."""
    standing = {"revocation": "revoked", "suspension": "suspended"}[purpose]
    return [certificate.place for certificate in certificates if certificate.standing == standing]


def revoke(session: Session, certificate: Certificate, *, reason: str, actor: str, now: datetime) -> Event:
    """Record that a certificate holds no longer, for good."""
    if certificate.revoked is not None:
        raise BadCertificate(
            f"{certificate.number}: 이미 취소된 수료증입니다.", f"{certificate.number} is revoked already"
        )
    if not reason.strip():
        raise BadCertificate("수료증을 취소하는 사유를 적으세요.", "write the reason for revoking the certificate")
    payload = {"certificate": certificate.event.id, "number": certificate.number, "reason": reason.strip()[:500]}
    issued = certificate.event
    return journal.append(
        session, REVOKED, actor=actor, course=issued.course_id, subject=issued.subject, payload=payload, at=now
    )


def share(session: Session, certificate: Certificate, sharing: Sharing, *, now: datetime) -> None:
    """Record what the holder shows; what stands already adds no event."""
    if certificate.sharing == sharing:
        return
    issued = certificate.event
    payload = {"certificate": issued.id, **sharing.model_dump()}
    journal.append(
        session, SHARED, actor=issued.subject, course=issued.course_id, subject=issued.subject, payload=payload, at=now
    )


def _found(session: Session, course: str, login: str, certificate: str) -> Certificate:
    return next(each for each in of_course(session, course, login) if each.event.id == certificate)


def _events(session: Session, *where: ColumnElement[bool]) -> list[Event]:
    return journal.in_order(session, select(Event).where(Event.kind.in_(KINDS), *where))


def _certificates(events: list[Event]) -> list[Certificate]:
    by_learner: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in events:
        by_learner[event.course_id, event.subject].append(event)
    found = [each for mine in by_learner.values() for each in _of_learner(mine)]
    return sorted(found, key=lambda certificate: certificate.event.seq)


def _of_learner(events: list[Event]) -> list[Certificate]:
    """One learner's certificates of a course run, from all its events about them."""
    standing = grounds(next(iter(frozen_decisions(events).values()), None))
    later = [event for event in events if event.kind in (REVOKED, SHARED)]

    def newest(kind: str, certificate: Event) -> Event | None:
        of_this = [each for each in later if each.kind == kind and each.payload["certificate"] == certificate.id]
        return of_this[-1] if of_this else None

    return [
        Certificate(
            event,
            sharing=_sharing(newest(SHARED, event)),
            revoked=newest(REVOKED, event),
            supported=standing == event.payload["grounds"],
        )
        for event in events
        if event.kind == ISSUED
    ]


def _sharing(event: Event | None) -> Sharing:
    chosen = {name: event.payload[name] for name in Sharing.model_fields} if event else {}
    return Sharing.model_validate(chosen)
