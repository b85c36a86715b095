"""What learners' own notebooks say of their self-checks: a hint to instructors of who is stuck, kept for a month.

The rule: it is the learner's process that says it, so anything may be claimed. No grade, no attendance and no decision reads
it; it is no event. A row for each criterion, so that however much is sent, no more than that is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from grader.records.models import SelfCheck

KEPT = timedelta(days=30)
MOST_TRIES = 1_000_000


def note(session: Session, course: str, login: str, lab: str, criterion: str, *, passed: bool, now: datetime) -> None:
    """Note how a learner's self-check of a criterion went, and forget what is older than a month."""
    forget(session, now)
    row = session.get(SelfCheck, (course, login, lab, criterion))
    if row is None:
        row = SelfCheck(course_id=course, login=login, lab_id=lab, criterion=criterion, tries=0, failed_in_a_row=0)
        session.add(row)
    row.at, row.tries = now, min(row.tries + 1, MOST_TRIES)
    row.failed_in_a_row = 0 if passed else min(row.failed_in_a_row + 1, MOST_TRIES)
    session.flush()


def forget(session: Session, now: datetime) -> None:
    """Delete what is older than a month."""
    session.execute(delete(SelfCheck).where(SelfCheck.at < now - KEPT))


def of_course(session: Session, course: str) -> list[SelfCheck]:
    """What is kept of a course, the newest last."""
    return list(session.scalars(select(SelfCheck).where(SelfCheck.course_id == course).order_by(SelfCheck.at)))


def of_person(session: Session, login: str, courses: Iterable[str] | None = None) -> list[SelfCheck]:
    """All that is kept of one person."""
    query = select(SelfCheck).where(SelfCheck.login == login).order_by(SelfCheck.at)
    return [row for row in session.scalars(query) if courses is None or row.course_id in set(courses)]
