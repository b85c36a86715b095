"""Looks at people's records: who, when, from where, whom, what. The rule: a look is written before what was asked for is given."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session

from grader.records.models import Enrolment, Look


def note(session: Session, *, who: str, address: str, what: str, course: str, subject: str, now: datetime) -> None:
    """Write a look at a learner's record, or at those of a whole course where no learner is named."""
    session.add(_look(who, address, what, course, subject, now))


def is_noted(
    session: Session, *, who: str, address: str, what: str, course: str, subject: str, now: datetime
) -> bool:  # fmt: skip
    """Whether that very look is written already."""
    one = _look(who, address, what, course, subject, now)
    same = (Look.at == one.at, Look.who == one.who, Look.what == one.what, Look.course_id == one.course_id)
    return session.scalar(select(Look.id).where(*same, Look.subject == one.subject).limit(1)) is not None


def _look(who: str, address: str, what: str, course: str, subject: str, now: datetime) -> Look:
    return Look(at=now, who=who[:60], address=address[:60], what=what[:80], course_id=course[:60], subject=subject[:60])


def looks_at(session: Session, login: str, *, before: int | None = None, limit: int = 500) -> list[Look]:
    """The looks at a learner's record, and at the courses that they are in; newest first. `before`: older than that look."""
    courses = select(Enrolment.course_id).where(Enrolment.login == login)
    whole_course = (Look.subject == "") & Look.course_id.in_(courses)
    query = select(Look).where(or_(Look.subject == login, whole_course), Look.who != login)
    return _newest(session, query, before, limit)


def looks_in(
    session: Session, courses: list[str], *, people: Collection[str] | None = None, before: int | None = None,
    limit: int = 500,
) -> list[Look]:  # fmt: skip
    """The looks at records of some courses; newest first. `people`: by them or at theirs; `before`: older than that look."""
    query = select(Look).where(Look.course_id.in_(courses))
    if people is not None:
        query = query.where(or_(Look.who.in_(people), Look.subject.in_(people)))
    return _newest(session, query, before, limit)


def _newest(session: Session, query: Select[Look], before: int | None, limit: int) -> list[Look]:
    if before is not None:
        query = query.where(Look.id < before)
    return list(session.scalars(query.order_by(Look.id.desc()).limit(limit)))


def older_than(session: Session, moment: datetime) -> int:
    """How many looks came before a moment."""
    return session.scalar(select(func.count()).select_from(Look).where(Look.at < moment)) or 0


def forget(session: Session, before: datetime) -> None:
    """Delete the looks that came before a moment."""
    session.execute(delete(Look).where(Look.at < before))
