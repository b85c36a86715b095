"""People and roles of an institution. The rule: its own runs only, each change by a named person with a reason, and it can be undone."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from grader.records import enrolments, staff
from grader.records.db import writing
from grader.records.models import CourseRun, Enrolment, Institution
from grader.records.staff import BadRole
from grader.records.state import UnknownCourse
from grader.roles import Forbidden
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, Visit, as_office
from labs.texts import UserError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,59}")
LONGEST_NAME = 60
DONE = {
    "given": N_(
        "The role is recorded. It holds within a minute, and a server that runs already gets it when it is started again."
    ),
    "enrolled": N_("The learner is enrolled."),
    "ended": N_("The role is ended. It holds within a minute."),
}
ROLE_TEXT = {"office": N_("Office"), "instructor": N_("Instructor"), "learner": N_("Learner")}


class RoleForm(BaseModel):
    """What was typed into a form of the page."""

    csrf: str = ""
    login: str = ""
    name: str = ""
    role: str = ""
    run: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Roster:
    """A run with its learners."""

    run: CourseRun
    learners: list[tuple[str, str]]


@router.get("/office/{institution}/staff/roles")
def people(visit: SignedIn, institution: str, done: str = "", run: str = "") -> HTMLResponse:
    """Who has which role in which run."""
    as_office(visit, institution)
    return _page(visit, institution, RoleForm(run=run), said=visit.t(DONE[done]) if done in DONE else "")


@router.post("/office/{institution}/staff/roles")
def give(visit: Posted, institution: str, form: Annotated[RoleForm, Form()]) -> Response:
    """Give a role, to somebody of the records or to somebody new; or show the form again as it was typed."""
    as_office(visit, institution)
    try:
        with writing(visit.site.engine) as session:
            _give(session, institution, form, visit)
    except (UnknownCourse, Forbidden):
        raise
    except UserError as refused:
        return _page(visit, institution, form, at="give", problem=refused.text.in_(visit.words.lang))
    return visit.go(
        "office", institution, "staff", "roles", query=f"?done={'enrolled' if form.role == 'learner' else 'given'}"
    )


@router.post("/office/{institution}/staff/roles/end")
def end(visit: Posted, institution: str, form: Annotated[RoleForm, Form()]) -> Response:
    """End a role."""
    as_office(visit, institution)
    try:
        with writing(visit.site.engine) as session:
            staff.end(session, institution, form.login, form.role, form.run or None,
                      reason=form.reason, actor=visit.who.name, now=visit.now)  # fmt: skip
    except UserError as refused:
        return _page(visit, institution, form, at="end", problem=refused.text.in_(visit.words.lang))
    return visit.go("office", institution, "staff", "roles", query="?done=ended")


def _give(session: Session, institution: str, form: RoleForm, visit: Visit) -> None:
    login, name = form.login.strip(), " ".join(form.name.split())
    if LOGIN.fullmatch(login) is None:
        raise BadRole(
            "아이디는 영문 소문자나 숫자로 시작하고 소문자, 숫자, . _ @ - 만 60자까지 쓰세요.",
            "login: begin with a small letter or a digit; small letters, digits and . _ @ - only, at most 60",
        )
    if not name or len(name) > LONGEST_NAME or any(unicodedata.category(letter)[0] == "C" for letter in name):
        raise BadRole("이름을 60자까지 한 줄로 적으세요.", "name: one line of at most 60 visible characters")
    by = {"actor": visit.who.name, "now": visit.now}
    if form.role != "learner":
        staff.person_of(session, login, name)
        staff.give(session, institution, login, form.role, form.run or None, reason=form.reason, **by)  # type: ignore[arg-type]
        return
    run = session.get(CourseRun, form.run)
    if run is None or run.institution_id != institution:
        raise BadRole("이 기관의 과정을 고르세요.", "choose a course run of this institution")
    staff.person_of(session, login, name)
    if enrolments.enrol(session, run, login, **by) is None:  # type: ignore[arg-type]
        raise BadRole("이미 등록된 훈련생입니다.", "this learner is enrolled already")


def _page(
    visit: Visit, institution: str, form: RoleForm, *, said: str = "", at: str = "", problem: str = ""
) -> HTMLResponse:
    with visit.records() as session:
        found = session.get(Institution, institution)
        if found is None:
            raise UnknownCourse("그런 기관이 없습니다.", "there is no such institution")
        visit.institution = found
        # All learners and their names in two questions, in place of one for each.
        whole = selectinload(CourseRun.enrolments).joinedload(Enrolment.person)
        ours = select(CourseRun).where(CourseRun.institution_id == institution).options(whole)
        runs = session.scalars(ours.order_by(CourseRun.starts_on.desc()))
        rosters = [Roster(run, [(row.login, row.person.name) for row in run.enrolments]) for run in runs]
        return visit.page(
            "staff.html", 422 if problem else 200, at="people", held=staff.held_in(session, institution), rosters=rosters,
            history=staff.history(session, institution)[:50], form=form, form_at=at, problem=problem, said=said,
            roles=ROLE_TEXT, given=staff.GIVEN, me=visit.who.name,
        )  # fmt: skip
