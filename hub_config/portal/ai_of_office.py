"""AI use of an institution: spending, limits, and whether the gateway is well. The rule: sums only, no prompt and no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, StreamingResponse

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
        names = {enrolment.login: enrolment.person.name for run in runs for enrolment in run.enrolments}
    most = MOST_OF_COURSE if course else MOST_OF_ALL
    use = _use(visit, course or next(iter(titles), ""), narrowed={"course": course} if course else {}, most=most)
    days = chart(use.days, visit.now.astimezone(visit.zone).date()) if use else None
    return visit.page(
        "ai_office.html", use=use, chart=days, titles=titles, names=names, course=course, most=most, accounts=ACCOUNTS,
        states=UPSTREAM_STATES,
    )  # fmt: skip


@router.get("/office/{institution}/ai/receipts.csv")
def file_of_office(visit: SignedIn, institution: str, course: str = "") -> StreamingResponse:
    """The receipts as a file, without what was asked and answered."""
    as_office(visit, institution)
    with visit.records() as session:
        runs_of(visit, session, institution, course)
    return csv_file(visit, "ai-use.csv", course=course, content="0")


def _use(visit: Visit, budget_of: str, narrowed: Mapping[str, str], most: int) -> Use | None:
    """Ask for everything; None as soon as one answer is missing, so that a gateway that is away is waited for once."""
    gateway, token = visit.site.gateway, visit.token
    since = (visit.now.astimezone(visit.zone) - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0)
    if (status := gateway.status(token)) is None:
        return None
    if (by_course := gateway.spend("course", token)) is None:
        return None
    if (by_learner := gateway.spend("learner", token, limit=str(most + 1), **narrowed)) is None:
        return None
    if (by_day := gateway.spend("day", token, since=since.isoformat(timespec="seconds"), **narrowed)) is None:
        return None
    # The limits are told by course; spending is shown without them.
    budget = gateway.budget(budget_of, token) if budget_of else None
    return Use(status, by_course, by_learner, by_day, budget)
