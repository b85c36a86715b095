"""A learner's pages: today, receipts, feedback. The rule: a learner sees their own records, an instructor the course's."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.deadlines import Lateness, taken_off
from grader.feedback import Feedback
from grader.records import certificates, journal, work
from grader.records.deadlines import deadlines_of
from grader.records.state import LabState, LearnerState, find_course, learner_state
from grader.records.work import Receipt, UnknownWork
from grader.roles import Forbidden
from hub_config.portal.door_card import DONE, door_card
from hub_config.portal.i18n import N_
from hub_config.portal.idle import server_ends_at
from hub_config.portal.pages import PageRoute
from hub_config.portal.progress import bars, groups, sentence, training_day
from hub_config.portal.site import PageError, SignedIn, Visit, as_learner

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Points:
    """A submission's points by the deadline in force now: an extension counts before feedback is released again."""

    told: Feedback
    lateness: Lateness

    @property
    def full(self) -> float:
        return round(self.told.points + self.told.late_points, 2)

    @property
    def late(self) -> float:
        return taken_off(self.full, self.lateness.percent)

    @property
    def counted(self) -> float:
        return round(self.full - self.late, 2)


@router.get("/learn/{course}")
def today(visit: SignedIn, course: str, done: str = "") -> HTMLResponse:
    """The learner's home: check in, work on, see how completion stands."""
    as_learner(visit, course)
    return today_page(visit, course, said=visit.t(DONE[done]) if done in DONE else "")


def today_page(
    visit: Visit, course: str, *, status: int = 200, said: str = "", problem: str = "", typed: str = ""
) -> HTMLResponse:
    """The learner's home, with what came of a press of a button."""
    gateway = visit.site.gateway
    budget = gateway.budget(course, visit.token)
    # A gateway that is away is waited for once.
    calls = gateway.calls(course, visit.token) if budget else None
    with visit.records() as session:
        visit.run = find_course(session, course)
        state = learner_state(session, course, visit.who.name, visit.now)
        if state is None:
            raise Forbidden("이 과정의 훈련생 명단에 없습니다.", "you are not on the roster of this course")
        return visit.page(
            "learn.html", status,
            state=state, next_lab=_next_lab(visit, state), said=said, groups=groups(state),
            progress=sentence(visit, state), bars=bars(visit, state), training=training_day(visit, state),
            certified=bool(certificates.of_course(session, course, state.login)),
            server_ends_at=server_ends_at(visit), ai_there=gateway.is_there, budget=budget, calls=None if calls is None else calls[visit.who.name],
            **door_card(visit, session, problem=problem, typed=typed),
        )  # fmt: skip


def _next_lab(visit: Visit, state: LearnerState) -> LabState | None:
    """The first lab that is handed out, not handed in, and still taken."""
    return next((lab for lab in state.labs if lab.step == "open" and not lab.deadline.judge(visit.now).refused), None)


@router.get("/learn/{course}/receipts/{submission}")
def receipt(visit: SignedIn, course: str, submission: str, new: str = "") -> HTMLResponse:
    """The proof of what was handed in, to read and to print."""
    with visit.records() as session:
        found = _visible(visit, session, course, submission)
        visit.run = find_course(session, course)
        rows = {row.lab_id: row for row in visit.run.labs}
        return visit.page(
            "receipt.html", receipt=found, lab=rows.get(found.lab), name=_name(visit, found.learner), new=bool(new),
            lateness=deadlines_of(session, course).lateness(found),
        )  # fmt: skip


@router.get("/learn/{course}/feedback/{submission}")
def feedback(visit: SignedIn, course: str, submission: str) -> HTMLResponse:
    """What a submission got, criterion by criterion."""
    with visit.records() as session:
        found = _visible(visit, session, course, submission)
        visit.run = find_course(session, course)
        told = _feedback(visit, session, course, submission)
        rows = {row.lab_id: row for row in visit.run.labs}
        points = Points(told, deadlines_of(session, course).lateness(found))
        return visit.page("feedback.html", receipt=found, lab=rows.get(found.lab), told=told, points=points)


@router.get("/learn/{course}/feedback/{submission}/pictures/{criterion}/{index}")
def picture(visit: SignedIn, course: str, submission: str, criterion: str, index: int) -> Response:
    """A finding's picture, served as a file of its own because pages carry no inline data."""
    with visit.records() as session:
        _visible(visit, session, course, submission)
        told = _feedback(visit, session, course, submission)
    findings = next((c.findings for c in told.criteria if c.id == criterion), ())
    encoded = findings[index].picture if 0 <= index < len(findings) else None
    try:
        png = base64.b64decode(encoded or "", validate=True)
    except binascii.Error:
        png = b""
    if not png.startswith(PNG):
        raise PageError(404, N_("There is no such picture."))
    return Response(png, media_type="image/png")


def _visible(visit: Visit, session: Session, course: str, submission: str) -> Receipt:
    """A submission of the caller's own, or any for an instructor; else as if it were not there."""
    visit.who.must_belong(course)
    found = work.find_submission(session, course, submission)
    if found.learner != visit.who.name and not visit.who.is_instructor(course):
        raise UnknownWork("그런 제출물이 없습니다.", "there is no such submission")
    return found


def _feedback(visit: Visit, session: Session, course: str, submission: str) -> Feedback:
    """The newest feedback of a submission, from its blob."""
    events = journal.events(session, course, kind=work.FEEDBACK)
    results = [e.payload["results"] for e in events if e.payload["submission"] == submission]
    if not results:
        raise UnknownWork("아직 공개된 피드백이 없습니다.", "no feedback is released for this submission")
    return Feedback.model_validate_json(visit.site.blobs.path(results[-1]).read_bytes())


def _name(visit: Visit, login: str) -> str:
    enrolments = visit.run.enrolments if visit.run else []
    return next((enrolment.person.name for enrolment in enrolments if enrolment.login == login), login)
