"""What instructors tell their class. The rule: learners see plain text, who wrote it and until when it holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from grader.records import announcements
from grader.records.attend import Refused
from grader.records.db import writing
from grader.records.journal import BadEvent
from grader.records.models import CourseRun
from grader.records.state import find_course
from hub_config.portal.deadlines import LOCAL, moment_of
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)
DONE = {
    "made": N_("The announcement is recorded. Learners see it from its start on."),
    "withdrawn": N_("The announcement is withdrawn. Learners no longer see it."),
}
#: Each state in words, with the sign of its badge.
STATES = {
    "shown": (N_("Shown now"), "good"),
    "ahead": (N_("Not shown yet"), "info"),
    "over": (N_("Over"), "off"),
    "withdrawn": (N_("Withdrawn"), "off"),
}


class AnnouncementForm(BaseModel):
    """An announcement as it was typed; no start: at once, no end: until it is withdrawn."""

    csrf: str = ""
    text: str = ""
    starts: str = ""
    ends: str = ""


@router.get("/class/{course}/announcements")
def announcements_of_class(visit: SignedIn, course: str, done: str = "") -> HTMLResponse:
    """What stands, what is to come, and a form for a new one."""
    as_instructor(visit, course)
    return _page(visit, course, AnnouncementForm(), said=DONE.get(done, ""))


@router.post("/class/{course}/announcements")
def announce(visit: Posted, course: str, form: Annotated[AnnouncementForm, Form()]) -> Response:
    """Tell the class, or show the form again as it was typed."""
    as_instructor(visit, course)
    try:
        with writing(visit.site.engine) as session:
            run = find_course(session, course)
            announcements.announce(
                session, run, form.text, starts=_moment(run, form.starts), ends=_moment(run, form.ends),
                instructor=visit.who.name, now=visit.now,
            )  # fmt: skip
    except Refused as refused:
        return _page(visit, course, form, problem=visit.t(REFUSALS[refused.reason]))
    except BadEvent as refused:
        return _page(visit, course, form, problem=refused.text.in_(visit.words.lang))
    return visit.go("class", course, "announcements", query="?done=made")


@router.post("/class/{course}/announcements/{announcement}/withdraw")
def withdraw(visit: Posted, course: str, announcement: str) -> Response:
    """Withdraw an announcement."""
    as_instructor(visit, course)
    try:
        with writing(visit.site.engine) as session:
            run = find_course(session, course)
            announcements.withdraw(session, run, announcement, instructor=visit.who.name, now=visit.now)
    except Refused as refused:
        return _page(visit, course, AnnouncementForm(), problem=visit.t(REFUSALS[refused.reason]))
    return visit.go("class", course, "announcements", query="?done=withdrawn")


def _moment(run: CourseRun, typed: str) -> datetime | None:
    return moment_of(run, typed) if typed.strip() else None


def _page(visit: Visit, course: str, form: AnnouncementForm, *, said: str = "", problem: str = "") -> HTMLResponse:
    with visit.records() as session:
        visit.run = find_course(session, course)
        found = [(one, one.stands(visit.now)) for one in announcements.announcements(session, course)]
        return visit.page(
            "announcements.html", 422 if problem else 200, form=form, at="announcements", states=STATES,
            standing=[one for one in found if one[1] in ("shown", "ahead")],
            past=[one for one in found if one[1] in ("over", "withdrawn")], least=visit.now.astimezone(visit.zone).strftime(LOCAL),
            said=visit.t(said) if said else "", problem=problem,
        )  # fmt: skip
