"""An instructor's class: the code on the wall, the roster, corrections. The rule: a correction is entered with its reason."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from grader import codes
from grader.attendance import Mark, TrainingDay
from grader.records import attend, journal
from grader.records.attend import Refused
from grader.records.db import writing
from grader.records.models import CourseRun, Event
from grader.records.state import LearnerState, course_state, find_course
from hub_config.portal.pages import PageRoute
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Row:
    """A learner on the roster."""

    state: LearnerState
    today: Mark
    calls: int | None

    @property
    def events(self) -> int:
        return sum(len(verdict.events) for verdict in self.state.attendance.verdicts)


class CorrectionForm(BaseModel):
    """The correction form as it was typed."""

    csrf: str = ""
    learner: str = ""
    day: str = ""
    check_in: str = ""
    check_out: str = ""
    excused: str = ""
    reason: str = ""


@router.get("/class/{course}")
def roster(visit: SignedIn, course: str, done: str = "") -> HTMLResponse:
    """The class at a glance: who is here, and where everybody stands."""
    as_instructor(visit, course)
    gateway = visit.site.gateway
    calls = gateway.calls(course, visit.token)
    # A gateway that is away is waited for once.
    switch = None if calls is None else gateway.switch(course, visit.token)
    with visit.records() as session:
        state = course_state(session, course, visit.now)
        visit.run = state.run
        day = attend.today_of(session, state.run, visit.now)
        marks = _marks(session, state.run, day)
        rows = [
            Row(learner, marks[learner.login], None if calls is None else calls[learner.login])
            for learner in state.learners
        ]
        return visit.page(
            "class.html", rows=rows, day=day, dues=state.deadlines, corrected=done == "corrected", at="roster", switch=switch,
            ai_there=gateway.is_there,
        )  # fmt: skip


@router.get("/class/{course}/code")
def class_code(visit: SignedIn, course: str) -> HTMLResponse:
    """The class screen: the code to check in with, and who has come."""
    return _code(visit, course, "code.html")


@router.get("/class/{course}/code/live")
def class_code_now(visit: SignedIn, course: str) -> HTMLResponse:
    """The part of the class screen that changes."""
    return _code(visit, course, "_code.html")


def _code(visit: Visit, course: str, template: str) -> HTMLResponse:
    as_instructor(visit, course)
    with visit.records() as session:
        run = visit.run = find_course(session, course)
        day, now = attend.today_of(session, run, visit.now), visit.now
        code = codes.code_at(visit.site.settings.secret.get_secret_value(), course, day.date, now) if day else ""
        marks = _marks(session, run, day)
        arrivals = [(e.person.name, marks[e.login]) for e in run.enrolments]
        arrived = sorted(((name, mark) for name, mark in arrivals if mark.check_in), key=lambda pair: _came(pair[1]))
        return visit.page(
            template, day=day, code=code, left=codes.seconds_left(now), slot=codes.SLOT_SECONDS,
            arrived=arrived[::-1], everybody=len(arrivals), at="code",
        )  # fmt: skip


@router.get("/class/{course}/correct")
def correction(visit: SignedIn, course: str, learner: str = "", day: str = "") -> HTMLResponse:
    """The form for correcting a day."""
    as_instructor(visit, course)
    return _correction(visit, course, CorrectionForm(learner=learner, day=day))


@router.post("/class/{course}/correct")
def correct(visit: Posted, course: str, form: Annotated[CorrectionForm, Form()]) -> Response:
    """Record a correction, or show the form again as it was typed."""
    as_instructor(visit, course)
    try:
        with writing(visit.site.engine) as session:
            attend.correct(
                session, find_course(session, course), login=form.learner, day=_day(form.day),
                check_in=_time(form.check_in), check_out=_time(form.check_out), excused=form.excused.strip()[:200],
                reason=form.reason, instructor=visit.who.name, now=visit.now,
            )  # fmt: skip
    except Refused as refused:
        return _correction(visit, course, form, REFUSALS[refused.reason])
    return visit.go("class", course, query="?done=corrected")


def _correction(visit: Visit, course: str, form: CorrectionForm, problem: str = "") -> HTMLResponse:
    with visit.records() as session:
        visit.run = find_course(session, course)
        today = visit.now.astimezone(visit.zone).date()
        days = [row.day for row in visit.run.days if row.day <= today][::-1]
        return visit.page(
            "correct.html", 422 if problem else 200, form=form, days=days, problem=visit.t(problem) if problem else "",
            learners=[(e.login, e.person.name) for e in visit.run.enrolments], at="correct",
        )  # fmt: skip


def _marks(session: Session, run: CourseRun, day: TrainingDay | None) -> defaultdict[str, Mark]:
    """What is recorded of everybody on a day; an empty mark for who has none."""
    marks: defaultdict[str, Mark] = defaultdict(Mark)
    if day is None:
        return marks
    events: defaultdict[str, list[Event]] = defaultdict(list)
    for event in journal.events(session, run.id):
        events[event.subject].append(event)
    zone = attend.zone(run)
    marks.update((login, attend.marks_of(mine, zone).get(day.date, Mark())) for login, mine in events.items())
    return marks


def _came(mark: Mark) -> datetime:
    if mark.check_in is None:
        raise ValueError("only those who have come are sorted")
    return mark.check_in


def _day(typed: str) -> date:
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise Refused("no_training_day") from None


def _time(typed: str) -> time | None:
    if not typed.strip():
        return None
    try:
        return time.fromisoformat(typed.strip()).replace(tzinfo=None, second=0, microsecond=0)
    except ValueError:
        raise Refused("not_a_time") from None
