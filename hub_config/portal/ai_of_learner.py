"""A learner's own AI use: what is left, and every call. The rule: nobody else's call, whatever the address or the gateway says."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, StreamingResponse

from grader.records.state import find_course
from hub_config.portal.ai_parts import WORDS, csv_file, lab_title, receipt_of, receipt_page, receipts_of
from hub_config.portal.ai_words import ACCOUNTS
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, as_learner

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/learn/{course}/ai")
def my_ai_use(visit: SignedIn, course: str, before: str = "") -> HTMLResponse:
    """What is left of the budget, and the learner's calls, newest first."""
    as_learner(visit, course)
    budget = visit.site.gateway.budget(course, visit.token)
    receipts = receipts_of(visit, course=course, learner=visit.who.name, before=before) if budget else None
    with visit.records() as session:
        visit.run = find_course(session, course)
        return visit.page(
            "ai_mine.html", budget=budget, receipts=receipts, lab=lab_title(visit), accounts=ACCOUNTS, before=before,
            **WORDS,
        )  # fmt: skip


@router.get("/learn/{course}/ai/receipts.csv")
def my_file(visit: SignedIn, course: str, content: bool = False) -> StreamingResponse:
    """The learner's calls as a file."""
    as_learner(visit, course)
    return csv_file(visit, "ai-use.csv", course=course, learner=visit.who.name, content="1" if content else "0")


@router.get("/learn/{course}/ai/receipts/{receipt}")
def my_call(visit: SignedIn, course: str, receipt: str) -> HTMLResponse:
    """One of the learner's calls."""
    as_learner(visit, course)
    found = receipt_of(visit, receipt, course=course, learner=visit.who.name)
    with visit.records() as session:
        visit.run = find_course(session, course)
        return receipt_page(visit, found, visit.url("learn", course, "ai"))
