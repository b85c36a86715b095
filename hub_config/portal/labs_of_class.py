"""A lab of a class: what was handed in, grading, feedback. The rule: scores come from the gradebook, never from a page."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from grader.records.models import CourseLab
from grader.records.state import LabState, LearnerState, course_state, find_course
from grader.records.work import UnknownWork
from hub_config.portal.pages import PageRoute
from hub_config.portal.runs import Kind
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Work:
    """A learner's standing in one lab."""

    learner: LearnerState
    lab: LabState


@router.get("/class/{course}/labs/{lab}")
def lab_of_class(visit: SignedIn, course: str, lab: str) -> HTMLResponse:
    """Who handed in what, and the buttons for grading and for releasing feedback."""
    as_instructor(visit, course)
    with visit.records() as session:
        state = course_state(session, course, visit.now)
        visit.run = state.run
        row = _lab(visit, lab)
        works = [
            Work(learner, found) for learner in state.learners for found in learner.labs if found.lab.lab_id == lab
        ]
        return visit.page(
            "lab.html", lab=row, works=works, at=lab, run=visit.site.runs.latest(course, lab),
            standing=state.deadlines.of(lab), extended=len(state.deadlines.extensions(lab)),
            formgrader=visit.site.hub.formgrader_url(visit.who.name, course, lab),
        )  # fmt: skip


@router.get("/class/{course}/labs/{lab}/run")
def run_now(visit: SignedIn, course: str, lab: str) -> HTMLResponse:
    """The part of the lab's page that tells how a run goes."""
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        run = visit.site.runs.latest(course, lab)
        part = visit.page("_run.html", lab=_lab(visit, lab), run=run)
    if run is None or run.state != "running":
        part.headers["HX-Refresh"] = "true"  # the table below shows the new grades
    return part


@router.post("/class/{course}/labs/{lab}/grade")
def grade(visit: Posted, course: str, lab: str) -> RedirectResponse:
    """Start grading the lab."""
    return _start(visit, "grade", course, lab)


@router.post("/class/{course}/labs/{lab}/feedback")
def release_feedback(visit: Posted, course: str, lab: str) -> RedirectResponse:
    """Start releasing the lab's feedback to its learners."""
    return _start(visit, "feedback", course, lab)


def _start(visit: Visit, kind: Kind, course: str, lab: str) -> RedirectResponse:
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        _lab(visit, lab)
    settings = visit.site.settings
    command = settings.grade_command if kind == "grade" else settings.feedback_command
    visit.site.runs.start(kind, command, course, lab, visit.now)
    return visit.go("class", course, "labs", lab, query="#run")


def _lab(visit: Visit, lab: str) -> CourseLab:
    """A lab of the course: only such a name ever reaches a command."""
    for row in visit.run.labs if visit.run else ():
        if row.lab_id == lab:
            return row
    raise UnknownWork("이 과정에 없는 실습입니다.", "this course has no such lab")
