"""Who was seen when, kept for a month: wrong codes are counted by it, and what is odd about a day is read from it.

The rule: neither a network address nor a device is kept, only hashes of them under the institution's key and the date, so
that two days cannot be joined; and no decision rests on any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, or_, select
from sqlalchemy.orm import Session

from grader.records.models import Sighting

WRONG_CODE, OPENED = "wrong_code", "opened"
KEPT = timedelta(days=30)
WINDOW, DAY = timedelta(minutes=5), timedelta(hours=24)
#: Wrong codes of one learner in a course: what a person mistypes, and what would be guessing.
EACH_IN_WINDOW, EACH_IN_DAY = 5, 20
#: Wrong codes of one network, and of a whole course: above it, who has just typed a wrong one waits; others do not.
NETWORK_IN_WINDOW, COURSE_IN_WINDOW = 20, 40


@dataclass(frozen=True)
class Whence:
    """Where somebody knocks from, as far as it is kept: hashes of the network and the device; empty where unknown."""

    place: str = ""
    device: str = ""


def see(session: Session, course: str, login: str, what: str, now: datetime, whence: Whence | None = None) -> None:
    """Note that somebody was seen, and forget what is older than a month."""
    forget(session, now)
    whence = whence or Whence()
    session.add(
        Sighting(at=now, course_id=course, login=login, what=what, place=whence.place[:16], device=whence.device[:16])
    )
    session.flush()


def forget(session: Session, now: datetime) -> None:
    """Delete what is older than a month."""
    session.execute(delete(Sighting).where(Sighting.at < now - KEPT))


def sightings_of(session: Session, login: str) -> list[Sighting]:
    """All that is kept of one person."""
    return list(session.scalars(select(Sighting).where(Sighting.login == login).order_by(Sighting.at)))


def is_guessing(session: Session, course: str, login: str, place: str, now: datetime) -> bool:
    """Whether so many wrong codes came lately that this learner has to wait."""
    recent, mine = Sighting.at > now - WINDOW, (Sighting.course_id == course) & (Sighting.login == login)
    here = Sighting.place == place if place else Sighting.id < 0
    query = select(
        *(func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
          for condition in (mine & recent, mine, (Sighting.course_id == course) & recent, here & recent))
    ).where(
        Sighting.what == WRONG_CODE, Sighting.at > now - DAY, or_(Sighting.course_id == course, here),
    )  # fmt: skip
    lately, today, in_course, in_network = session.execute(query).one()
    crowd = in_course >= COURSE_IN_WINDOW or in_network >= NETWORK_IN_WINDOW
    return bool(lately >= EACH_IN_WINDOW or today >= EACH_IN_DAY or (crowd and lately > 0))


def seen_since(session: Session, course: str, since: datetime, until: datetime) -> list[Sighting]:
    """What was seen in a course between two moments, in its order."""
    query = select(Sighting).where(Sighting.course_id == course, Sighting.at >= since, Sighting.at < until)
    return list(session.scalars(query.order_by(Sighting.at, Sighting.id)))


def is_noted(session: Session, course: str, login: str, what: str, since: datetime) -> bool:
    """Whether somebody was seen doing something since a moment."""
    query = select(Sighting.id).where(
        Sighting.course_id == course, Sighting.at >= since, Sighting.login == login, Sighting.what == what
    )
    return session.scalar(query.limit(1)) is not None
