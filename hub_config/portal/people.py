"""A learner's record in the office: what was decided, and what a person in charge may enter. The rule: every entry has a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from grader.records import decisions, enrolments, exemptions, journal
from grader.records.db import writing
from grader.records.models import CourseRun, Event
from grader.records.state import LearnerState, UnknownCourse, find_course, learner_state
from grader.roles import Forbidden
from hub_config.portal.i18n import N_
from hub_config.portal.office import KINDS, run_of
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, Visit, as_office
from labs.texts import UserError

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Entry(BaseModel):
    """What was typed into one of the page's forms."""

    csrf: str = ""
    how: str = ""
    on: str = ""
    lab: str = ""
    reason: str = ""


Act = Callable[[Session, CourseRun, str, Entry, Visit], Event]


def _leave(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit) -> Event:
    try:
        on = date.fromisoformat(typed.on)
    except ValueError:
        raise UserError("퇴소일을 고르세요.", "choose the last day that counts") from None
    return enrolments.end(session, run, login, how=typed.how, on=on, **_by(typed, visit))  # type: ignore[arg-type]


def _return(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit) -> Event:
    return enrolments.withdraw_end(session, run, login, **_by(typed, visit))  # type: ignore[arg-type]


def _exempt(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit) -> Event:
    return exemptions.exempt(session, run, login, typed.lab, **_by(typed, visit))  # type: ignore[arg-type]


def _require(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit) -> Event:
    return exemptions.withdraw_exemption(session, run, login, typed.lab, **_by(typed, visit))  # type: ignore[arg-type]


def _reopen(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit) -> Event:
    return decisions.reopen(session, run, login, **_by(typed, visit))  # type: ignore[arg-type]


def _by(typed: Entry, visit: Visit) -> dict[str, object]:
    return {"reason": typed.reason, "actor": visit.who.name, "now": visit.now}


#: What may be entered, by its address; and what the page says when it is done.
ACTS: dict[str, tuple[Act, str]] = {
    "leave": (_leave, N_("The end of the enrolment is recorded.")),
    "return": (_return, N_("The end of the enrolment is taken back.")),
    "exempt": (_exempt, N_("The exemption is recorded.")),
    "require": (_require, N_("The exemption is taken back.")),
    "reopen": (_reopen, N_("The decision is open again.")),
}


@router.post("/office/{institution}/{course}/freeze")
def freeze(visit: Posted, institution: str, course: str) -> Response:
    """Freeze the decisions of a run that is over."""
    as_office(visit, institution)
    with writing(visit.site.engine) as session:
        run = run_of(session, institution, course)
        decisions.freeze(session, run, actor=visit.who.name, now=visit.now)
    return visit.go("office", institution, course, query="?done=frozen")


@router.get("/office/{institution}/{course}/people/{login}")
def person(visit: SignedIn, institution: str, course: str, login: str, done: str = "") -> HTMLResponse:
    """One learner's record: the decision, what may be entered, and every event about them."""
    as_office(visit, institution)
    said = visit.t(ACTS[done][1]) if done in ACTS else ""
    return _page(visit, institution, course, login, said=said)


@router.post("/office/{institution}/{course}/people/{login}/{act}")
def enter(
    visit: Posted, institution: str, course: str, login: str, act: str, typed: Annotated[Entry, Form()]
) -> Response:
    """Record an entry, or show the form again as it was typed."""
    as_office(visit, institution)
    if act not in ACTS:
        raise UnknownCourse("그런 화면이 없습니다.", "there is no such page")
    try:
        with writing(visit.site.engine) as session:
            ACTS[act][0](session, run_of(session, institution, course), login, typed, visit)
    except (UnknownCourse, Forbidden):
        raise
    except UserError as refused:
        problem = refused.text.in_(visit.words.lang)
        return _page(visit, institution, course, login, at=act, typed=typed, problem=problem)
    return visit.go("office", institution, course, "people", login, query=f"?done={act}")


def _page(
    visit: Visit, institution: str, course: str, login: str, *,
    said: str = "", at: str = "", typed: Entry | None = None, problem: str = "",
) -> HTMLResponse:  # fmt: skip
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        learner = _learner(session, visit, course, login)
        return visit.page(
            "person.html", 422 if problem else 200, institution=institution, learner=learner, said=said, at=at,
            typed=typed or Entry(), empty=Entry(), problem=problem, hows=enrolments.HOW_TEXT, kinds=KINDS,
            events=journal.events(session, course, subject=login)[::-1],
        )  # fmt: skip


def _learner(session: Session, visit: Visit, course: str, login: str) -> LearnerState:
    found = learner_state(session, find_course(session, course).id, login, visit.now)
    if found is None:
        raise UnknownCourse("이 과정의 훈련생이 아닙니다.", "there is no such learner in this course")
    return found
