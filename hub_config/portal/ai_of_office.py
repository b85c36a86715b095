"""AI use of an institution: spending, limits, and whether the gateway is well. The rule: sums of its own runs and the operator's test calls, no prompt and no answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy import select

from grader.records.models import Enrolment, Person
from grader.roles import OPERATOR_COURSE
from hub_config.portal.ai_days import DAYS, chart
from hub_config.portal.ai_parts import csv_file, runs_of
from hub_config.portal.ai_records import Account, Budget, Spend, Status
from hub_config.portal.ai_words import ACCOUNTS, UPSTREAM_STATES
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, Visit, as_office

router = APIRouter(route_class=PageRoute, include_in_schema=False)
#: The most learners that the page names at once: of the whole institution, and of a course.
MOST_OF_ALL, MOST_OF_COURSE = 30, 100


@dataclass(frozen=True)
class Use:
    """Everything that the gateway tells the institution."""

    status: Status
    courses: list[Spend]
    learners: list[Spend]
    days: list[Spend]
    #: That of the course that the page is about, else of any: the institution's limits stand in each.
    budget: Budget | None

    def spent_on(self, day: date) -> int:
        """The won of a day, in the course runs that the page is about."""
        return sum(line.cost_krw for line in self.days if line.day == day)

    def limits(self, account: str) -> list[Account]:
        """The limits of the institution, or of the course."""
        return [line for line in self.budget.accounts if line.account == account] if self.budget else []


@router.get("/office/{institution}/ai/use")
def ai_of_office(visit: SignedIn, institution: str, course: str = "") -> HTMLResponse:
    """Spending by course, by learner and by day, the limits, and the gateway's state."""
    as_office(visit, institution)
    with visit.records() as session:
        runs = runs_of(visit, session, institution, course)
        titles = {run.id: visit.title_of(run) for run in runs}
    courses = [course] if course else [*titles, OPERATOR_COURSE]
    most = MOST_OF_COURSE if course else MOST_OF_ALL
    use = _use(visit, courses, most)
    names = _names(visit, titles, use.learners[:most]) if use else {}
    today = visit.now.astimezone(visit.zone).date()
    days = chart(use.days, today) if use else None
    return visit.page(
        "ai_office.html", use=use, chart=days, today=today, titles=titles, names=names, course=course, most=most, accounts=ACCOUNTS,
        states=UPSTREAM_STATES,
    )  # fmt: skip


@router.get("/office/{institution}/ai/receipts.csv")
def file_of_office(visit: SignedIn, institution: str, course: str = "") -> StreamingResponse:
    """The receipts as a file, without what was asked and answered."""
    as_office(visit, institution)
    with visit.records() as session:
        runs = runs_of(visit, session, institution, course)
        courses = [course] if course else [*(run.id for run in runs), OPERATOR_COURSE]
    return csv_file(visit, "ai-use.csv", course=courses, content="0")


def _names(visit: Visit, courses: Collection[str], learners: Sequence[Spend]) -> dict[str, str]:
    """The names of those of the learners who are on the roster of one of the course runs."""
    query = select(Person.login, Person.name).join(Enrolment, Enrolment.login == Person.login)
    here = Enrolment.course_id.in_(courses), Enrolment.login.in_([line.name for line in learners])
    with visit.records() as session:
        return {row.login: row.name for row in session.execute(query.where(*here))}


def _use(visit: Visit, courses: Sequence[str], most: int) -> Use | None:
    """Ask for everything; None as soon as one answer is missing, so that a gateway that is away is waited for once."""
    gateway, token = visit.site.gateway, visit.token
    since = (visit.now.astimezone(visit.zone) - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0)
    if (status := gateway.status(token)) is None:
        return None
    if (by_course := gateway.spend("course", token, course=courses)) is None:
        return None
    if (by_learner := gateway.spend("learner", token, course=courses, limit=str(most + 1))) is None:
        return None
    if (by_day := gateway.spend("day", token, course=courses, since=since.isoformat(timespec="seconds"))) is None:
        return None
    # The limits are told by course; spending is shown without them.
    budget = gateway.budget(courses[0], token)
    return Use(status, by_course, by_learner, by_day, budget)
