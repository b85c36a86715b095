"""Submissions of a lab that are alike. The rule: a place to look, never a verdict; instructors of the course only, and no score."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from grader.records.state import course_state
from grader.similarity.result import Comparison, read_comparison
from hub_config.portal.labs_of_class import run_shown, start
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor, lab_row

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/class/{course}/labs/{lab}/similar")
def similar(visit: SignedIn, course: str, lab: str) -> HTMLResponse:
    """The pairs that the last comparison found, and the button for a new one."""
    as_instructor(visit, course)
    with visit.records() as session:
        state = course_state(session, course, visit.now)
        visit.run = state.run
        row = lab_row(visit, lab)
        found = _comparison(visit, course, lab)
        works = [(learner, one) for learner in state.learners for one in learner.labs if one.lab.lab_id == lab]
        newest = {learner.login: one.latest.id for learner, one in works if one.latest}
        compared = found.receipts if found else {}
        return visit.page(
            "similar.html", lab=row, at=lab, run=run_shown(visit, course, lab, "similar"), found=found,
            names={learner.login: learner.name for learner in state.learners}, newest=len(newest),
            since=sum(compared.get(login) != receipt for login, receipt in newest.items()),
        )  # fmt: skip


@router.post("/class/{course}/labs/{lab}/similar")
def compare(visit: Posted, course: str, lab: str) -> RedirectResponse:
    """Start comparing the lab's submissions."""
    return start(visit, "similar", course, lab)


def _comparison(visit: Visit, course: str, lab: str) -> Comparison | None:
    courses = visit.site.settings.courses_folder
    return read_comparison(courses / course, lab) if courses is not None else None
