"""Saving at the desk, and seeing what others save. The rule: what is in the gradebook is reported to the records in the same
request, and nothing that another person saved is written over unseen."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader import review
from grader.gradebook import open_book, report_of
from grader.records import journal, reviews, work
from grader.records.db import writing
from grader.records.work import Receipt
from grader.review import BadJudgement, Judgement, Stale
from hub_config.portal.desk import submission_page
from hub_config.portal.desk_criteria import Judged, judged_one
from hub_config.portal.desk_form import JudgementForm, Typed
from hub_config.portal.desk_work import Desk, open_desk
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.post("/class/{course}/labs/{lab}/desk/{submission}/criteria/{criterion}")
def save(
    visit: Posted, course: str, lab: str, submission: str, criterion: str, form: Annotated[JudgementForm, Form()]
) -> Response:
    """Save one criterion."""
    as_instructor(visit, course)
    typed, status = None, 200
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        receipt, root = desk.receipt(submission), desk.root
        judged_one(desk, receipt, criterion)
    try:
        said = form.judgement()
        _, new = review.save(root, lab, receipt.learner, criterion, said, form.base, submission=receipt.id)
    except Stale:
        typed, status = Typed(form, stale=True), 409
    except BadJudgement as wrong:
        typed, status = Typed(form, problem=wrong.text.in_(visit.words.lang)), 422
    else:
        _report(visit, desk, receipt, criterion, said if new else None)
    return _answer(visit, receipt, criterion, form, typed, status)


def _report(visit: Visit, desk: Desk, receipt: Receipt, criterion: str, said: Judgement | None) -> None:
    """Write the judgement and the grade that comes of it into the records."""
    who, now = visit.who.name, visit.now
    # The gradebook is read while the records' lock is held, so that of two who save at once the last reports both.
    with writing(visit.site.engine) as session, open_book(desk.root) as book:
        if said is not None:
            reviews.record(
                session, receipt, criterion, points=said.points, comment=said.comment, actor=who, now=now
            )  # fmt: skip
        report = report_of(book, receipt.lab, receipt.learner, receipt.id, _note(session, receipt))
        work.record_grade(session, receipt.course, report, actor=who, now=now)


def _note(session: Session, receipt: Receipt) -> str:
    """What grading noted of the submission stands."""
    found = journal.events(session, receipt.course, kind=work.GRADED, subject=receipt.learner)
    return next((e.payload.get("note", "") for e in reversed(found) if e.payload["submission"] == receipt.id), "")


def _answer(
    visit: Visit, receipt: Receipt, criterion: str, form: JudgementForm, typed: Typed | None, status: int
) -> Response:
    """The part that changed for a page with scripts; else the way back, or the page with what was typed."""
    course, lab = receipt.course, receipt.lab
    asked_by_script = "hx-request" in visit.request.headers
    if not asked_by_script and typed is None:
        query = "?show=waiting" if form.show == "waiting" else ""
        return visit.go("class", course, "labs", lab, "desk", receipt.id, query=f"{query}#judge")
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        if asked_by_script:
            try:
                one = judged_one(desk, receipt, criterion)
            except BadJudgement:
                # Taking back what formgrader had changed leaves the machine's points, and nothing to judge.
                return Response(status_code=204, headers={"HX-Refresh": "true"})
            return _standing(desk, one, form.base if typed else "", typed, status)
        return submission_page(desk, receipt, form.show, typed={criterion: typed} if typed else {}, status=status)


@router.get("/class/{course}/labs/{lab}/desk/{submission}/criteria/{criterion}")
def criterion_now(visit: SignedIn, course: str, lab: str, submission: str, criterion: str) -> HTMLResponse:
    """A criterion's form as it stands: what a grader takes over from another."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        receipt = desk.receipt(submission)
        one = judged_one(desk, receipt, criterion)
        return visit.page("_desk_criterion.html", desk=desk, receipt=receipt, one=one, typed={}, show="all")


@router.get("/class/{course}/labs/{lab}/desk/{submission}/criteria/{criterion}/now")
def standing_now(
    visit: SignedIn, course: str, lab: str, submission: str, criterion: str, seen: str = "", told: str = ""
) -> Response:
    """How a criterion stands, where that is not what the page tells already."""
    as_instructor(visit, course)
    with visit.records() as session:
        desk = open_desk(visit, session, course, lab)
        one = judged_one(desk, desk.receipt(submission), criterion)
        return Response(status_code=204) if one.told == told else _standing(desk, one, seen)


def _standing(desk: Desk, one: Judged, seen: str = "", typed: Typed | None = None, status: int = 200) -> HTMLResponse:
    """The part that tells how a criterion stands; `seen` is the version that the form rests on."""
    values = {"desk": desk, "receipt": one.receipt, "one": one, "seen": seen or one.standing.version}
    return desk.visit.page("_desk_standing.html", status, problem=typed.problem if typed else "", **values)
