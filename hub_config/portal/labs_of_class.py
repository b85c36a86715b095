"""A lab of a class: what was handed in, grading, feedback. The rule: scores come from the gradebook, never from a page."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from grader.own.terms import pack_labs
from grader.records.state import LabState, LearnerState, course_state, find_course
from hub_config.portal.logs import log_file
from hub_config.portal.pages import PageRoute
from hub_config.portal.runs import Kind, Run
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor, lab_row

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
        row = lab_row(visit, lab)
        works = [
            Work(learner, found) for learner in state.learners for found in learner.labs if found.lab.lab_id == lab
        ]
        courses = visit.site.settings.courses_folder
        return visit.page(
            "lab.html", lab=row, works=works, at=lab, run=run_shown(visit, course, lab, "grade", "feedback"),
            logs={w.learner.login for w in works if log_file(courses, course, lab, w.learner.login)},
            standing=state.deadlines.of(lab), extended=len(state.deadlines.extensions(lab)),
            formgrader=visit.site.hub.formgrader_url(course, lab, lab if lab in pack_labs() else ""),
        )  # fmt: skip


@router.post("/class/{course}/labs/{lab}/grade")
def grade(visit: Posted, course: str, lab: str) -> RedirectResponse:
    """Start grading the lab."""
    return start(visit, "grade", course, lab)


@router.post("/class/{course}/labs/{lab}/feedback")
def release_feedback(visit: Posted, course: str, lab: str) -> RedirectResponse:
    """Start releasing the lab's feedback to its learners."""
    return start(visit, "feedback", course, lab)


def start(visit: Visit, kind: Kind, course: str, lab: str) -> RedirectResponse:
    """Start a run of the lab, where none goes on, and show how it goes."""
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        lab_row(visit, lab)
    settings = visit.site.settings
    commands = {"grade": settings.grade_command, "feedback": settings.feedback_command,
                "similar": settings.similar_command}  # fmt: skip
    visit.site.runs.start(kind, commands[kind], course, lab, visit.now)
    return visit.go("class", course, "labs", lab, *(("similar",) if kind == "similar" else ()), query="#run")


def run_shown(visit: Visit, course: str, lab: str, *kinds: Kind) -> Run | None:
    """The lab's run that a page tells of: the one that goes on, or the last one where it is of the page's kinds."""
    run = visit.site.runs.latest(course, lab)
    return run if run is not None and (run.state == "running" or run.kind in kinds) else None
