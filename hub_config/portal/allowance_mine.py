"""What a learner is estimated to be paid, with how each amount comes about. The rule: one's own only, and always an estimate."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.allowance import DISCLAIMER
from grader.records import journal
from grader.records.estimates import allowance_of, flags_of, self_pay_of
from grader.records.state import course_state, find_course
from grader.roles import Forbidden
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, as_learner

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/learn/{course}/allowance")
def my_allowance(visit: SignedIn, course: str) -> HTMLResponse:
    """The estimate of each unit period, and what stands against it."""
    as_learner(visit, course)
    with visit.records() as session:
        run = visit.run = find_course(session, course)
        state = course_state(session, course, visit.now)
        learner = next((found for found in state.learners if found.login == visit.who.name), None)
        if learner is None:
            raise Forbidden("이 과정의 훈련생 명단에 없습니다.", "you are not on the roster of this course")
        return visit.page(
            "allowance.html", learner=learner, estimate=allowance_of(session, run, learner, state.days, state.rules),
            self_pay=self_pay_of(run, state.rules), disclaimer=DISCLAIMER, rules=state.rules,
            flags=flags_of(journal.events(session, course, subject=learner.login), learner.login),
            today=visit.now.astimezone(visit.zone).date(),
        )  # fmt: skip
