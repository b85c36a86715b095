"""A submission's AI calls beside it. The rule: only the calls of that learner in that lab, and without a name where names
are off."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from hub_config.portal.ai_parts import WORDS, lab_title, receipt_of, receipts_of
from hub_config.portal.conversation import ROLES, answered, asked
from hub_config.portal.desk_work import open_desk
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/class/{course}/labs/{lab}/desk/{submission}/ai")
def calls(visit: SignedIn, course: str, lab: str, submission: str, before: str = "") -> HTMLResponse:
    """The learner's calls in this lab: a part of the submission's page, or a page where there are no scripts."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        receipt = desk.receipt(submission)
    # The gateway is asked while no connection to the records is held: it may take its time.
    found = receipts_of(visit, course=course, learner=receipt.learner, lab=lab, before=before)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        template = "_desk_ai.html" if "hx-request" in visit.request.headers else "desk_ai.html"
        return visit.page(template, desk=desk, receipt=receipt, receipts=found, before=before, at=lab, **WORDS)


@router.get("/class/{course}/labs/{lab}/desk/{submission}/ai/{call}")
def call(visit: SignedIn, course: str, lab: str, submission: str, call: str) -> HTMLResponse:
    """One of these calls, with what was asked and answered."""
    as_instructor(visit, course)
    with visit.records() as session:
        learner = open_desk(visit, session, course, lab).receipt(submission).learner
    found = receipt_of(visit, call, course=course, learner=learner, lab=lab)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        receipt = desk.receipt(submission)
        turns = [replace(turn, text=desk.veil(turn.text)) for turn in [*asked(found), *answered(found)]]
        called = found.model_copy(update={"learner": desk.who(receipt)}) if desk.blind else found
        return visit.page(
            "ai_receipt.html", receipt=called, turns=turns, roles=ROLES, back=desk.url(submission),
            lab=lab_title(visit), name=lambda _login: desk.who(receipt), **WORDS,
        )  # fmt: skip
