"""Correcting a day, and answering learners who ask for it. The rule: an instructor in time, the office at any time; always a reason."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.records import corrections
from grader.records.attend import Refused, day_marks
from grader.records.corrections import requests_in
from grader.records.db import writing
from grader.records.models import CourseRun
from grader.records.programmes import rules_of
from grader.records.state import find_course
from hub_config.portal.change_form import ChangeForm, typed
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.site import Posted, SignedIn, Visit, as_staff

router = APIRouter(route_class=PageRoute, include_in_schema=False)
DONE = {
    "granted": N_("The request is granted and the correction is recorded."),
    "refused": N_("The request is refused. The learner sees the reason."),
}
#: How many answered requests the page still shows.
ANSWERED_SHOWN = 50


class CorrectionForm(ChangeForm):
    """The correction form as it was typed; with `request` it grants one."""

    learner: str = ""
    request: str = ""


@router.get("/class/{course}/correct")
def correction(visit: SignedIn, course: str, learner: str = "", day: str = "", request: str = "") -> HTMLResponse:
    """The form for correcting a day, filled in with what a learner asked for."""
    return _correction(visit, course, CorrectionForm(learner=learner, day=day, request=request), fresh=True)


@router.post("/class/{course}/correct")
def correct(visit: Posted, course: str, form: Annotated[CorrectionForm, Form()]) -> Response:
    """Record a correction, or show the form again as it was typed."""
    _authorise(visit, course)
    try:
        with writing(visit.site.engine) as session:
            corrections.correct(
                session, find_course(session, course), form.learner, form.on, form.change, actor=visit.who.name, office=visit.in_office,
                reason=form.reason, now=visit.now, request=form.request or None,
            )  # fmt: skip
    except Refused as refused:
        return _correction(visit, course, form, REFUSALS[refused.reason])
    if form.request:
        return visit.go("class", course, "requests", query="?done=granted")
    if visit.who.is_instructor(course):
        return visit.go("class", course, query="?done=corrected")
    return visit.go("class", course, "learners", form.learner, query=f"?month={form.day[:7]}&done=corrected")


@router.get("/class/{course}/requests")
def requests(visit: SignedIn, course: str, done: str = "") -> HTMLResponse:
    """What learners asked to have corrected: what waits, and what was answered."""
    return _requests(visit, course, said=DONE.get(done, ""))


@router.post("/class/{course}/requests/{request}/refuse")
def refuse(visit: Posted, course: str, request: str, reason: Annotated[str, Form()] = "") -> Response:
    """Refuse a request, with a reason."""
    _authorise(visit, course)
    try:
        with writing(visit.site.engine) as session:
            run = find_course(session, course)
            corrections.refuse(
                session, run, request, actor=visit.who.name, office=visit.in_office, reason=reason, now=visit.now
            )
    except Refused as refused:
        return _requests(visit, course, problem=REFUSALS[refused.reason], at=request, reason=reason[:500])
    return visit.go("class", course, "requests", query="?done=refused")


def _authorise(visit: Visit, course: str) -> None:
    """Judge the role before anything is written."""
    with visit.records() as session:
        _run(visit, session, course)


def _run(visit: Visit, session: Session, course: str) -> CourseRun:
    run = visit.run = find_course(session, course)
    as_staff(visit, run)
    return run


def _requests(
    visit: Visit, course: str, *, said: str = "", problem: str = "", at: str = "", reason: str = ""
) -> HTMLResponse:
    with visit.records() as session:
        run = _run(visit, session, course)
        found, rules = requests_in(session, course), rules_of(session, run, visit.now)
        return visit.page(
            "requests.html", 422 if problem else 200,
            waiting=[request for request in found if request.is_open],
            answered=[request for request in found if not request.is_open][: -ANSWERED_SHOWN - 1 : -1],
            names=_names(run), rules=rules, until=lambda day: rules.correction_until(day),
            may=lambda day: visit.in_office or corrections.in_time(rules, run, day, visit.now),
            said=visit.t(said) if said else "", problem=visit.t(problem) if problem else "", failed=at, reason=reason,
            at="requests",
        )  # fmt: skip


def _correction(
    visit: Visit, course: str, form: CorrectionForm, problem: str = "", *, fresh: bool = False
) -> HTMLResponse:
    with visit.records() as session:
        run = _run(visit, session, course)
        asked = next((request for request in requests_in(session, course) if request.id == form.request), None)
        if asked is not None and fresh:
            form = CorrectionForm(
                learner=asked.learner, day=asked.day.isoformat(), request=asked.id, **typed(asked.change)
            )
        today = visit.now.astimezone(visit.zone).date()
        return visit.page(
            "correct.html", 422 if problem else 200, form=form, asked=asked, names=_names(run),
            days=[row.day for row in run.days if row.day <= today or row.day.isoformat() == form.day][::-1],
            mark=_mark(session, run, form), rules=rules_of(session, run, visit.now),
            problem=visit.t(problem) if problem else "",
            learners=[(row.login, row.person.name) for row in run.enrolments], at="correct",
        )  # fmt: skip


def _mark(session: Session, run: CourseRun, form: CorrectionForm) -> object:
    """What is recorded of the chosen day, where one is chosen."""
    try:
        return day_marks(session, run, form.on).get(form.learner)
    except Refused:
        return None


def _names(run: CourseRun) -> dict[str, str]:
    return {row.login: row.person.name for row in run.enrolments}
