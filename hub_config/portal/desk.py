"""The review desk: who waits, and one submission with everything that is needed to judge it. The rule: an instructor of the
course only, and nothing is judged that the page does not show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from grader.engine.again import report
from grader.records import reviews
from grader.records.db import writing
from grader.records.work import Receipt
from hub_config.portal.desk_criteria import judged, machine_results, rerun_of
from hub_config.portal.desk_files import evidence_of, pieces
from hub_config.portal.desk_form import Show, Typed
from hub_config.portal.desk_text import drafts_of
from hub_config.portal.desk_work import Desk, open_desk
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)
DECISIONS = {"accepted": N_("Taken over"), "edited": N_("Changed"), "rejected": N_("Rejected")}


@router.get("/class/{course}/labs/{lab}/desk")
def queue(visit: SignedIn, course: str, lab: str, show: Show = "all") -> HTMLResponse:
    """Who waits and who is done."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        return visit.page("desk.html", desk=desk, entries=desk.shown(show == "waiting"), show=show, at=lab)


@router.post("/class/{course}/labs/{lab}/desk/blind")
def switch_names(visit: Posted, course: str, lab: str, to: Annotated[Literal["on", "off"], Form()]) -> RedirectResponse:
    """Switch judging without names on or off, for everybody who judges this lab."""
    as_instructor(visit, course)
    with visit.records() as session:
        open_desk(visit, session, course, lab)
    with writing(visit.site.engine) as session:
        reviews.set_blind(session, course, lab, to == "on", actor=visit.who.name, now=visit.now)
    return visit.go("class", course, "labs", lab, "desk")


@router.get("/class/{course}/labs/{lab}/desk/{submission}")
def submission(visit: SignedIn, course: str, lab: str, submission: str, show: Show = "all") -> HTMLResponse:
    """One submission, with what is judged beside it."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        return submission_page(desk, desk.receipt(submission), show)


def submission_page(
    desk: Desk, receipt: Receipt, show: Show = "all", *, typed: Mapping[str, Typed] | None = None, status: int = 200
) -> HTMLResponse:
    """The page of a submission; `typed` is what could not be saved."""
    drafts, more = drafts_of(evidence_of(desk, receipt))
    before, after = _neighbours(desk, receipt, show)
    mine = [one for one in desk.receipts if one.learner == receipt.learner]
    return desk.visit.page(
        "desk_work.html", status, desk=desk, receipt=receipt, pieces=pieces(desk, receipt), drafts=drafts, more=more,
        machine=machine_results(desk, receipt), rerun=rerun_of(desk, receipt), again=report, judged=judged(desk, receipt), typed=typed or {}, decisions=DECISIONS,
        mine=mine, before=before, after=after, show=show, suffix="?show=waiting" if show == "waiting" else "",
        graded=desk.graded(receipt.learner), at=desk.row.lab_id,
    )  # fmt: skip


def _neighbours(desk: Desk, receipt: Receipt, show: Show) -> tuple[Receipt | None, Receipt | None]:
    """The submissions before and after this one; an older attempt has the neighbours of its learner's newest."""
    here = next((one.id for one in desk.newest if one.learner == receipt.learner), receipt.id)
    order = desk.order(show == "waiting", here)
    place = next((number for number, one in enumerate(order) if one.id == here), None)
    if place is None:
        return None, None
    return (order[place - 1] if place else None), (order[place + 1] if place + 1 < len(order) else None)
