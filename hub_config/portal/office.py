"""An institution's office: decisions and what they rest on. The rule: every verdict says how many events it rests on, and
leads to the learner's page, which names them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from grader.forecast import HOW_TEXT, LEVEL_TEXT
from grader.records import (
    attend,
    certificates,
    corrections,
    enrolments,
    exemptions,
    frozen,
    imports,
    official,
    retention,
    reviews,
    staff,
    timetable,
    work,
)
from grader.records.health import PHASES, Health, Phase, health_of
from grader.records.models import CourseRun, Event, Institution
from grader.records.state import CourseState, UnknownCourse, course_state, find_course
from hub_config.portal.deadlines import CHANGES
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, as_office
from hub_config.register import RUN_ENTERED

router = APIRouter(route_class=PageRoute, include_in_schema=False)
KINDS = {
    attend.CHECKED_IN: N_("Checked in"),
    attend.CHECKED_OUT: N_("Checked out"),
    attend.WENT_OUT: N_("Went out"),
    attend.CAME_BACK: N_("Came back"),
    attend.CORRECTED: N_("Attendance corrected"),
    official.OFFICIAL: N_("Official attendance imported"),
    imports.APPLIED: N_("Import applied"),
    corrections.REQUESTED: N_("Correction asked for"),
    corrections.REFUSED: N_("Correction refused"),
    work.RELEASED: N_("Lab handed out"),
    work.RECEIVED: N_("Handed in"),
    work.GRADED: N_("Grade recorded"),
    work.FEEDBACK: N_("Feedback released"),
    reviews.SAVED: N_("Review saved"),
    timetable.TIMETABLE_SET: N_("Timetable set"),
    enrolments.OPENED: N_("Enrolled"),
    enrolments.ENDED: N_("Left the course"),
    enrolments.END_WITHDRAWN: N_("Leaving taken back"),
    exemptions.EXEMPTED: N_("Exempted from a lab"),
    exemptions.EXEMPTION_WITHDRAWN: N_("Exemption taken back"),
    exemptions.FLAGGED: N_("Allowance flag set"),
    exemptions.FLAG_CLEARED: N_("Allowance flag cleared"),
    frozen.FROZEN: N_("Decision frozen"),
    frozen.REOPENED: N_("Decision opened again"),
    retention.ANONYMISED: N_("Name deleted at the end of the retention period"),
    certificates.ISSUED: N_("Certificate issued"),
    certificates.REVOKED: N_("Certificate revoked"),
    certificates.SHARED: N_("Holder chose what is shown"),
    RUN_ENTERED: N_("Course run entered"),
    staff.GIVEN: N_("Role given"),
    staff.ENDED: N_("Role ended"),
    **CHANGES,
}

PHASE_TEXT: dict[Phase, tuple[str, str]] = {
    "running": (N_("Running"), "info"),
    "over": (N_("Over, to be frozen"), "todo"),
    "coming": (N_("Coming"), "off"),
    "frozen": (N_("Decisions frozen"), "good"),
}


@dataclass(frozen=True)
class Line:
    """A course run in the list, with how many learners stand where."""

    state: CourseState

    @property
    def run(self) -> CourseRun:
        return self.state.run

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(learner.outcome for learner in self.state.learners)

    @property
    def open(self) -> int:
        """How many decisions are not frozen yet."""
        return sum(learner.frozen is None for learner in self.state.learners)


@router.get("/office/{institution}")
def office(visit: SignedIn, institution: str) -> HTMLResponse:
    """The institution's course runs and the state of the journal."""
    as_office(visit, institution)
    with visit.records() as session:
        found = session.get(Institution, institution)
        if found is None:
            raise UnknownCourse("그런 기관이 없습니다.", "there is no such institution")
        # Events are numbered without a gap: counting them would walk through all of the journal.
        visit.institution, count = found, session.scalar(select(func.max(Event.seq))) or 0
        return visit.page(
            "office.html", institution=found, runs=runs_of(session, institution, visit.now), phases=PHASE_TEXT, at="runs",
            levels=LEVEL_TEXT, journal=visit.site.journal.look(session), count=count,
        )  # fmt: skip


def runs_of(session: Session, institution: str, now: datetime) -> list[Health]:
    """The institution's course runs as they go today: what runs first, and in each phase what ends first."""
    query = select(CourseRun).where(CourseRun.institution_id == institution)
    found = [health_of(session, course_state(session, run.id, now), now) for run in session.scalars(query)]
    return sorted(found, key=lambda one: (PHASES.index(one.phase), one.run.ends_on, one.run.id))


@router.get("/office/{institution}/{course}/forecast")
def forecast(visit: SignedIn, institution: str, course: str) -> HTMLResponse:
    """Who will complete as far as the records can tell, those first who need somebody, and how it is counted."""
    as_office(visit, institution)
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        health = health_of(session, course_state(session, course, visit.now), visit.now)
        order = {level: place for place, level in enumerate(("at_risk", "out_of_reach", "likely", "certain"))}
        learners = sorted(health.state.learners, key=lambda one: (order[health.forecasts[one.login].level], one.name))
        return visit.page(
            "forecast.html", health=health, learners=learners, levels=LEVEL_TEXT, hows=HOW_TEXT, institution=institution
        )


@router.get("/office/{institution}/{course}")
def decisions(visit: SignedIn, institution: str, course: str, done: str = "") -> HTMLResponse:
    """Each learner's decision and its requirements; the events they rest on are on the learner's page."""
    as_office(visit, institution)
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        state = course_state(session, course, visit.now)
        return visit.page(
            "decisions.html", line=Line(state), journal=visit.site.journal.look(session), institution=institution,
            hows=enrolments.HOW_TEXT, said=visit.t(N_("The decisions are frozen.")) if done == "frozen" else "",
        )  # fmt: skip


def run_of(session: Session, institution: str, course: str) -> CourseRun:
    """A course run of the institution; UnknownCourse where it is another's."""
    run = find_course(session, course)
    if run.institution_id != institution:
        raise UnknownCourse("이 기관의 과정이 아닙니다.", "this course does not belong to the institution")
    return run
