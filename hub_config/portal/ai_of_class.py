"""AI use of a class: who used what, every call, and the switch. The rule: AI goes off or on only after the page said for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from grader.records.state import find_course
from hub_config.portal.ai_days import DAYS, chart
from hub_config.portal.ai_parts import WORDS, csv_file, lab_title, learner_name, receipt_of, receipt_page, receipts_of
from hub_config.portal.ai_words import ACCOUNTS
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, Posted, SignedIn, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Turned = Literal["on", "off"]


@router.get("/class/{course}/ai")
def ai_of_class(visit: SignedIn, course: str, done: str = "") -> HTMLResponse:
    """What the class used, by learner and by lab, and whether AI is on."""
    as_instructor(visit, course)
    gateway, token = visit.site.gateway, visit.token
    # A gateway that is away is waited for once.
    switch = gateway.switch(course, token)
    budget = gateway.budget(course, token) if switch else None
    learners = gateway.spend("learner", token, course=course) if switch else None
    labs = gateway.spend("lab", token, course=course) if switch else None
    since = (visit.now - timedelta(days=DAYS)).date().isoformat()
    days = gateway.spend("day", token, course=course, since=since) if switch else None
    with visit.records() as session:
        visit.run = find_course(session, course)
        today = visit.now.astimezone(visit.zone).date()
        return visit.page(
            "ai_class.html", switch=switch, learners=learners, labs=labs, budget=budget, accounts=ACCOUNTS, done=done,
            days=days, chart=chart(days or (), today), name=learner_name(visit), lab=lab_title(visit), at="ai",
        )  # fmt: skip


@router.get("/class/{course}/ai/receipts")
def calls_of_class(visit: SignedIn, course: str, learner: str = "", lab: str = "", before: str = "") -> HTMLResponse:
    """The calls of the class, of one learner or of one lab."""
    as_instructor(visit, course)
    receipts = receipts_of(visit, course=course, learner=learner, lab=lab, before=before)
    with visit.records() as session:
        visit.run = find_course(session, course)
        return visit.page(
            "ai_receipts.html", receipts=receipts, learner=learner, chosen_lab=lab, before=before, at="ai",
            chosen=_query(learner=learner, lab=lab), name=learner_name(visit), lab=lab_title(visit), **WORDS,
        )  # fmt: skip


@router.get("/class/{course}/ai/receipts.csv")
def file_of_class(
    visit: SignedIn, course: str, learner: str = "", lab: str = "", content: bool = False
) -> StreamingResponse:
    """The calls of the class as a file."""
    as_instructor(visit, course)
    return csv_file(visit, "ai-use.csv", course=course, learner=learner, lab=lab, content="1" if content else "0")


@router.get("/class/{course}/ai/receipts/{receipt}")
def call_of_class(visit: SignedIn, course: str, receipt: str) -> HTMLResponse:
    """One call of a learner's."""
    as_instructor(visit, course)
    found = receipt_of(visit, receipt, course=course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        back = visit.url("class", course, "ai", "receipts") + _query(learner=found.learner, lab=found.lab)
        return receipt_page(visit, found, back)


@router.get("/class/{course}/ai/switch")
def before_switching(visit: SignedIn, course: str, to: Turned) -> HTMLResponse:
    """What switching AI off or on means, before it is done."""
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        return visit.page("ai_switch.html", to=to, everybody=len(visit.run.enrolments), at="ai")


@router.post("/class/{course}/ai/switch")
def switch(visit: Posted, course: str, to: Annotated[Turned, Form()]) -> RedirectResponse:
    """Switch AI off or on for the whole course."""
    as_instructor(visit, course)
    if not visit.site.gateway.set_switch(course, visit.token, to == "on"):
        raise PageError(
            503, N_("The AI gateway did not confirm the change. Look at the course's AI use, and try again.")
        )
    return visit.go("class", course, "ai", query=f"?done={to}")


def _query(**given: str) -> str:
    """The filters of an address, where there are any."""
    chosen = {name: value for name, value in given.items() if value}
    return f"?{urlencode(chosen)}" if chosen else ""
