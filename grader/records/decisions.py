"""Freezing the decisions of a course run by a named person, and opening them again.

The rule: what is frozen is what everybody could see computed at that moment, with the rules and the place in the journal
that it was computed from; nothing is frozen while a grade that it needs is still open.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.frozen import FROZEN, REOPENED, frozen_in
from grader.records.models import CourseRun, Event
from grader.records.state import CourseState, LearnerState, course_state
from labs.texts import UserError


class NotYet(UserError):
    """Decisions that cannot be frozen or opened now; the text says what is missing."""


def freeze(session: Session, run: CourseRun, *, actor: str, now: datetime) -> list[Event]:
    """Freeze the decision of every learner of a run that is over; those frozen already stay as they are."""
    state = course_state(session, run.id, now)
    _must_be_over(state, now)
    _must_be_graded(state)
    head = session.scalar(select(func.max(Event.seq))) or 0
    return [
        journal.append(
            session, FROZEN, actor=actor, course=run.id, subject=learner.login, at=now,
            payload=_payload(learner, head) | {"rules": state.rules.model_dump(mode="json")},
        )
        for learner in state.learners if learner.frozen is None
    ]  # fmt: skip


def reopen(session: Session, run: CourseRun, login: str, *, reason: str, actor: str, now: datetime) -> Event:
    """Open a frozen decision again, with a reason."""
    standing = frozen_in(session, run.id, login).get(login)
    if standing is None:
        raise NotYet("확정된 판정이 없습니다.", f"the decision on {login[:60]!r} is not frozen")
    if not reason.strip():
        raise NotYet("판정을 다시 여는 사유를 적으세요.", "write the reason for opening the decision again")
    payload = {"decision": standing.event.id, "reason": reason.strip()[:500]}
    return journal.append(session, REOPENED, actor=actor, course=run.id, subject=login, payload=payload, at=now)


def _must_be_over(state: CourseState, now: datetime) -> None:
    last = state.days[-1].ends if state.days else None
    if last is None or now < last:
        raise NotYet(
            f"과정이 끝난 뒤에 확정할 수 있습니다(종료일 {state.run.ends_on}).",
            f"decisions can be frozen when the course run is over (it ends on {state.run.ends_on})",
        )


def _must_be_graded(state: CourseState) -> None:
    waiting = [
        f"{learner.name} · {lab.title.ko}"
        for learner in state.learners
        if learner.frozen is None
        for lab in learner.labs
        if lab.lab.required and lab.exemption is None and lab.step in ("submitted", "review")
    ]
    if waiting:
        named = ", ".join(waiting[:5]) + (" …" if len(waiting) > 5 else "")
        raise NotYet(
            f"성적이 확정되지 않은 필수 실습이 {len(waiting)}건 있습니다: {named}",
            f"{len(waiting)} grades of required labs are not final yet: {named}",
        )


def _payload(learner: LearnerState, head: int) -> dict[str, Any]:
    """What is frozen; `known_to` is the last event of the journal that it was computed from."""
    attendance = learner.attendance
    return {
        "outcome": learner.decision.outcome,
        "known_to": head,
        "credited": attendance.credited,
        "needed": attendance.needed,
        "days": attendance.days,
        "minutes_present": sum(verdict.minutes_present for verdict in attendance.verdicts),
        "minutes_scheduled": sum(verdict.minutes_scheduled for verdict in attendance.verdicts),
        "requirements": [
            {
                "id": requirement.id,
                "met": requirement.met,
                "asked": requirement.asked.model_dump(),
                "found": requirement.found.model_dump(),
                "records": len(requirement.rests_on),
            }
            for requirement in learner.decision.requirements
        ],
        "labs": [
            {
                "lab": lab.lab.lab_id,
                "required": lab.lab.required,
                "exempt": lab.exemption is not None,
                "points": lab.points,
                "max_points": lab.grade.payload["max_points"] if lab.grade else None,
                "submission": lab.latest.id if lab.latest else None,
            }
            for lab in learner.labs
        ],
    }
