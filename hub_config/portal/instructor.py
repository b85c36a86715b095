"""An instructor's class at a glance. The rule: what is shown of a learner here leads to what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.attendance import Mark
from grader.records import attend
from grader.records.door import today_of
from grader.records.state import LearnerState, course_state
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, as_instructor

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
        day = today_of(session, state.run, visit.now)
        marks = attend.day_marks(session, state.run, day.date) if day else {}
        rows = [
            Row(learner, marks.get(learner.login, Mark()), None if calls is None else calls[learner.login])
            for learner in state.learners
        ]
        return visit.page(
            "class.html", rows=rows, day=day, dues=state.deadlines, corrected=done == "corrected", at="roster", switch=switch,
            ai_there=gateway.is_there,
        )  # fmt: skip
