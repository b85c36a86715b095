"""A learner's record in the office: what was decided, and what a person in charge may enter. The rule: every entry has a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from grader.allowance import DISCLAIMER, FLAG_TEXT
from grader.attendance import unit_periods
from grader.records import decisions, enrolments, exemptions, journal
from grader.records.db import writing
from grader.records.estimates import allowance_of, flags_of, self_pay_of
from grader.records.models import CourseRun, Event
from grader.records.state import CourseState, LearnerState, UnknownCourse, course_state
from grader.roles import Forbidden
from hub_config.portal.ai_parts import lab_title
from hub_config.portal.i18n import N_
from hub_config.portal.office import KINDS, run_of
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, Visit, as_office
from labs.texts import UserError

#: So many of the newest events stand on the page at first: a course run of half a year makes hundreds of each learner.
SHOWN = 60
router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Entry(BaseModel):
    """What was typed into one of the page's forms."""

    csrf: str = ""
    how: str = ""
    on: str = ""
    lab: str = ""
    flag: str = ""
    unit: str = ""
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


def _flag(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit) -> Event:
    return _set_flag(session, run, login, typed, visit, cleared=False)


def _clear(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit) -> Event:
    return _set_flag(session, run, login, typed, visit, cleared=True)


def _set_flag(session: Session, run: CourseRun, login: str, typed: Entry, visit: Visit, *, cleared: bool) -> Event:
    units = {unit.isoformat() for unit, _ in unit_periods(run.starts_on, run.ends_on)}
    if typed.flag not in FLAG_TEXT or typed.unit not in units | {""}:
        raise UserError(
            "제외 사유와 단위기간을 고르세요.", "choose what stands against the allowance, and for which unit period"
        )
    unit = date.fromisoformat(typed.unit) if typed.unit else None
    by: Any = _by(typed, visit)
    return exemptions.flag(session, run, login, typed.flag, unit=unit, cleared=cleared, **by)


def _by(typed: Entry, visit: Visit) -> dict[str, object]:
    return {"reason": typed.reason, "actor": visit.who.name, "now": visit.now}


#: What may be entered, by its address; and what the page says when it is done.
ACTS: dict[str, tuple[Act, str]] = {
    "leave": (_leave, N_("The end of the enrolment is recorded.")),
    "return": (_return, N_("The end of the enrolment is taken back.")),
    "exempt": (_exempt, N_("The exemption is recorded.")),
    "require": (_require, N_("The exemption is taken back.")),
    "flag": (_flag, N_("What stands against the allowance is recorded.")),
    "clear": (_clear, N_("What stood against the allowance is cleared.")),
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
def person(
    visit: SignedIn, institution: str, course: str, login: str, done: str = "", records: str = ""
) -> HTMLResponse:
    """One learner's record: the decision, what may be entered, and the events about them, the newest or all."""
    as_office(visit, institution)
    said = visit.t(ACTS[done][1]) if done in ACTS else ""
    return _page(visit, institution, course, login, said=said, most=None if records == "all" else SHOWN)


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
    said: str = "", at: str = "", typed: Entry | None = None, problem: str = "", most: int | None = SHOWN,
) -> HTMLResponse:  # fmt: skip
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        state = course_state(session, course, visit.now)
        learner = _learner(state, login)
        events = journal.events(session, course, subject=login)
        about_all = {event.id: event for event in (*journal.events(session, course, subject=""), *events)}
        return visit.page(
            "person.html", 422 if problem else 200, institution=institution, learner=learner, said=said, at=at,
            typed=typed or Entry(), empty=Entry(), problem=problem, hows=enrolments.HOW_TEXT, kinds=KINDS,
            lab=lab_title(visit), day=date.fromisoformat,
            events=events[::-1], most=most, estimate=allowance_of(session, visit.run, learner, state.days, state.rules),
            self_pay=self_pay_of(visit.run, state.rules), flags=flags_of(events, login), flag_text=FLAG_TEXT,
            disclaimer=DISCLAIMER, told=lambda ids: [about_all[event] for event in ids if event in about_all],
        )  # fmt: skip


def _learner(state: CourseState, login: str) -> LearnerState:
    found = state.of(login)
    if found is None:
        raise UnknownCourse("이 과정의 훈련생이 아닙니다.", "there is no such learner in this course")
    return found
