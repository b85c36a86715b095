"""Who is instructor of which run and who is of the office: rows for today, events for who decided it and why.

The rule: a role is of one institution and its runs; nothing here gives a programme or anything wider, whatever is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.models import CourseRun, Event, Institution, Person, StaffRole
from labs.texts import UserError

GIVEN, ENDED = "role.given", "role.ended"
Role = Literal["instructor", "office"]


class BadRole(UserError):
    """A role that cannot be given or ended; the text says why."""


@dataclass(frozen=True)
class Held:
    """A role that somebody has; `run` is None for the office."""

    login: str
    name: str
    role: Role
    run: CourseRun | None = None


def held_in(session: Session, institution: str) -> list[Held]:
    """The roles of an institution: its office first, then its runs' instructors."""
    runs = {f"formgrade-{run.id}": run for run in _runs(session, institution)}
    groups = [_office(institution), *runs]
    query = select(StaffRole, Person.name).join(Person).where(StaffRole.group.in_(groups)).order_by(StaffRole.login)
    found = [
        Held(row.login, name, "instructor" if row.group in runs else "office", runs.get(row.group))
        for row, name in session.execute(query)
    ]
    return sorted(found, key=lambda one: (one.run is not None, one.run.id if one.run else "", one.login))


def give(
    session: Session,
    institution: str,
    login: str,
    role: str,
    run: str | None,
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> Event:
    """Give a person of the records a role; BadRole says what is wrong."""
    group, where = _group(session, institution, role, run), run or ""
    said = _reason(reason)
    if session.get(Person, login) is None:
        raise BadRole("등록되지 않은 사람입니다.", "this person is not in the records")
    if session.get(StaffRole, (login, group)) is not None:
        raise BadRole("이미 이 역할을 맡고 있습니다.", "this person has the role already")
    session.add(StaffRole(login=login, group=group))
    payload = {"role": role, "group": group, "institution": institution, "reason": said}
    return journal.append(session, GIVEN, actor=actor, course=where, subject=login, payload=payload, at=now)


def end(
    session: Session,
    institution: str,
    login: str,
    role: str,
    run: str | None,
    *,
    reason: str,
    actor: str,
    now: datetime,
) -> Event:
    """End a role; the office's last one stays, or nobody could give another."""
    group, where = _group(session, institution, role, run), run or ""
    said, row = _reason(reason), session.get(StaffRole, (login, group))
    if row is None:
        raise BadRole("이 역할을 맡고 있지 않습니다.", "this person does not have the role")
    holders = session.scalars(select(StaffRole.login).where(StaffRole.group == group)).all()
    if role == "office" and len(holders) < 2:
        raise BadRole(
            "마지막 담당자입니다. 다른 사람에게 담당자 역할을 먼저 주세요.",
            "this is the last member of the office: give somebody else the role first",
        )
    session.delete(row)
    payload = {"role": role, "group": group, "institution": institution, "reason": said}
    return journal.append(session, ENDED, actor=actor, course=where, subject=login, payload=payload, at=now)


def history(session: Session, institution: str) -> list[Event]:
    """What was given and ended in the institution, the newest first."""
    # A role in the office is of no run; every event of the journal is not read.
    places = ["", *(run.id for run in _runs(session, institution))]
    query = select(Event).where(Event.course_id.in_(places), Event.kind.in_((GIVEN, ENDED)))
    found = journal.in_order(session, query)[::-1]
    return [event for event in found if event.payload["institution"] == institution]


def person_of(session: Session, login: str, name: str) -> Person:
    """Somebody of the records, or somebody new; a login that is another's is refused without telling whose it is."""
    found = session.get(Person, login)
    if found is None:
        found = Person(login=login, name=name)
        session.add(found)
        session.flush()
    elif found.name != name:
        raise BadRole(
            "다른 이름으로 등록된 아이디입니다. 아이디와 이름을 확인하세요.",
            "this login is in the records under another name: check the login and the name",
        )
    return found


def _runs(session: Session, institution: str) -> Iterable[CourseRun]:
    return session.scalars(select(CourseRun).where(CourseRun.institution_id == institution).order_by(CourseRun.id))


def _group(session: Session, institution: str, role: str, run: str | None) -> str:
    """The Hub's group of a role, made of what the records know and never of what was typed."""
    if role not in get_args(Role) or session.get(Institution, institution) is None:
        raise BadRole("강사나 기관 담당자 가운데 고르세요.", "choose instructor or office")
    if role == "office":
        return _office(institution)
    found = session.get(CourseRun, run or "")
    if found is None or found.institution_id != institution:
        raise BadRole("이 기관의 과정을 고르세요.", "choose a course run of this institution")
    return f"formgrade-{found.id}"


def _office(institution: str) -> str:
    return f"institution-{institution}"


def _reason(reason: str) -> str:
    if not reason.strip():
        raise BadRole("사유를 적으세요.", "write the reason")
    return reason.strip()[:500]
