"""A learner's pages: today, receipts, feedback. The rule: a learner sees their own records, an instructor the course's."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.attendance import Mark, TrainingDay
from grader.completion import COMPLETING
from grader.deadlines import Lateness, taken_off
from grader.feedback import Feedback
from grader.records import attend, certificates, journal, work
from grader.records.attend import Refused
from grader.records.db import writing
from grader.records.deadlines import deadlines_of
from grader.records.state import LabState, LearnerState, find_course, learner_state
from grader.records.work import Receipt, UnknownWork
from grader.roles import Forbidden
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.site import PageError, Posted, SignedIn, Visit, as_learner

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Today:
    """The check-in card: today's training day, if it is one, and what is recorded."""

    day: TrainingDay | None
    mark: Mark


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
    said = {"in": N_("You are checked in."), "out": N_("You are checked out. See you next time.")}.get(done, "")
    return _today(visit, course, said=visit.t(said) if said else "")


@router.post("/learn/{course}/check")
def check(visit: Posted, course: str, code: str = Form("")) -> Response:
    """Check in or out with the class code."""
    as_learner(visit, course)
    site = visit.site
    try:
        with writing(site.engine) as session:
            run = find_course(session, course)
            event = attend.check(
                session, run, visit.who.name, code,
                secret=site.settings.secret.get_secret_value(), now=visit.now, limiter=site.limiter,
            )  # fmt: skip
    except Refused as refused:
        return _today(visit, course, status=422, problem=REFUSALS[refused.reason], typed=code[:12])
    return visit.go("learn", course, query=f"?done={'in' if event.kind == attend.CHECKED_IN else 'out'}")


def _today(
    visit: Visit, course: str, *, status: int = 200, said: str = "", problem: str = "", typed: str = ""
) -> HTMLResponse:
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
            state=state, today=_today_of(visit, session, state), next_lab=_next_lab(visit, state),
            progress=progress(visit, state), said=said, problem=visit.t(problem) if problem else "", typed=typed,
            certified=bool(certificates.of_course(session, course, state.login)),
            ai_there=gateway.is_there, budget=budget, calls=None if calls is None else calls[visit.who.name],
        )  # fmt: skip


def _today_of(visit: Visit, session: Session, state: LearnerState) -> Today:
    run = find_course(session, visit.run.id if visit.run else "")
    day = attend.today_of(session, run, visit.now)
    marks = attend.marks_of(journal.events(session, run.id, subject=state.login), attend.zone(run))
    return Today(day, marks.get(day.date, Mark()) if day else Mark())


def _next_lab(visit: Visit, state: LearnerState) -> LabState | None:
    """The first lab that is handed out, not handed in, and still taken."""
    return next((lab for lab in state.labs if lab.step == "open" and not lab.deadline.judge(visit.now).refused), None)


def progress(visit: Visit, state: LearnerState) -> str:
    """One sentence: what is still to do until completion."""
    outcome = state.outcome
    if outcome in COMPLETING:
        return visit.t(N_("You meet every requirement for completion."))
    if outcome in ("dropout", "dismissed"):
        return visit.t(N_("Your enrolment in this course has ended. Your institution can tell you more."))
    if outcome == "out_of_reach":
        return visit.t(N_("The attendance requirement can no longer be met. Talk to your institution."))
    if outcome == "not_completed":
        return visit.t(N_("The course is over and not every requirement is met."))
    labs = sum(not requirement.met for requirement in state.decision.requirements if requirement.id.startswith("lab:"))
    parts = [visit.tn("%(count)s more lab to pass", "%(count)s more labs to pass", labs)] if labs else []
    if not state.attendance.passes:
        left = state.attendance.absences_left
        parts.append(visit.tn("at most %(count)s more absence", "at most %(count)s more absences", left))
    return ", ".join(parts) or visit.t(N_("Completion is not decided yet."))


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
