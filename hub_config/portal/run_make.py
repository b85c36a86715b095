"""Making a course run on a page, as `practicum register` does. The rule: only of the own institution, and nothing that stands is changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import timetable, work
from grader.records.db import writing
from grader.records.models import Course, CourseRun, Institution, Programme
from grader.records.state import UnknownCourse
from hub_config.portal.i18n import N_
from hub_config.portal.office import run_of
from hub_config.portal.pages import PageRoute
from hub_config.portal.run_form import HINTS, LONGEST_ID, NEW, PLACES, WEEKDAYS, BadForm, Planned, RunForm, plan
from hub_config.portal.site import Posted, SignedIn, Visit, as_office
from hub_config.register import enter
from labs.catalog import packs

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/office/{institution}/runs/new")
def new_run(visit: SignedIn, institution: str) -> HTMLResponse:
    """An empty form."""
    as_office(visit, institution)
    return _page(visit, institution, RunForm(weekdays=["0", "1", "2", "3", "4"]))


@router.post("/office/{institution}/runs/new")
def make_run(visit: Posted, institution: str, form: Annotated[RunForm, Form()]) -> Response:
    """Say what would be made; or make it, build its labs and hand them out."""
    as_office(visit, institution)
    try:
        planned = plan(form, institution)
        with writing(visit.site.engine) as session:
            _must_be_new(session, planned, form, institution)
            if form.do == "make":
                _make(session, planned, visit)
    except BadForm as bad:
        return _page(visit, institution, form, bad=bad.fields)
    if form.do != "make":
        return _page(visit, institution, form, planned=planned)
    if planned.register.runs[planned.run].labs:
        _prepare(visit, planned.run)
    return visit.go("office", institution, planned.run, "labs", query="?done=made")


@router.get("/office/{institution}/{course}/labs")
def labs_of_run(visit: SignedIn, institution: str, course: str, done: str = "") -> HTMLResponse:
    """The run's labs: whether each is handed out, and how preparing goes."""
    as_office(visit, institution)
    with visit.records() as session:
        run = visit.run = run_of(session, institution, course)
        rows = [(lab, work.released(session, course, lab.lab_id)) for lab in run.labs]
        said = visit.t(N_("The course run is made. Its labs are being prepared.")) if done == "made" else ""
        return visit.page(
            "run_labs.html", institution=institution, rows=rows, preparing=visit.site.runs.latest(course, ""), said=said
        )


@router.post("/office/{institution}/{course}/labs")
def prepare(visit: Posted, institution: str, course: str) -> Response:
    """Build and hand out what is not yet; what is handed out unchanged stays as it is."""
    as_office(visit, institution)
    with visit.records() as session:
        run_of(session, institution, course)
    _prepare(visit, course)
    return visit.go("office", institution, course, "labs")


def _prepare(visit: Visit, course: str) -> None:
    visit.site.runs.start("prepare", visit.site.settings.prepare_command, course, "", visit.now)


def _make(session: Session, planned: Planned, visit: Visit) -> None:
    by, reason = visit.who.name, visit.t(N_("Course run made"))
    enter(session, planned.register, actor=by, now=visit.now, reason=reason)
    if planned.days:
        run = session.get_one(CourseRun, planned.run)
        timetable.set_timetable(
            session, run, planned.days, planned.closed, actor=by, reason=reason, now=visit.now
        )  # fmt: skip


def _must_be_new(session: Session, planned: Planned, form: RunForm, institution: str) -> None:
    """What has the same id, of any institution, would be changed; a course of another institution is not ours to run."""
    run = planned.register.runs[planned.run]
    if session.get(CourseRun, planned.run) is not None or len(planned.run) > LONGEST_ID:
        raise BadForm("run")
    if session.get(Programme, run.programme) is None:
        raise BadForm("programme")
    course = session.get(Course, run.course)
    if form.course == NEW:
        if course is not None or len(run.course) > LONGEST_ID:
            raise BadForm("new_course")
    elif course is None or course.institution_id != institution:
        raise BadForm("course")


def _page(
    visit: Visit, institution: str, form: RunForm, *, bad: tuple[str, ...] = (), planned: Planned | None = None
) -> HTMLResponse:
    with visit.records() as session:
        found = session.get(Institution, institution)
        if found is None:
            raise UnknownCourse("그런 기관이 없습니다.", "there is no such institution")
        visit.institution = found
        courses = session.scalars(select(Course).where(Course.institution_id == institution).order_by(Course.id)).all()
        programmes = session.scalars(select(Programme).order_by(Programme.id)).all()
        return visit.page(
            "run_new.html", 422 if bad else 200, at="runs", form=form, bad={name: HINTS[name] for name in bad},
            planned=planned, courses=courses, programmes=programmes, packs=packs(), weekdays=WEEKDAYS, regions=PLACES, new=NEW,
        )  # fmt: skip
