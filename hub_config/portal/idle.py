"""Idle servers: each asks here whether it may be put away, and ends itself; its person is told, and may keep it.

The rule: the portal holds no right over anybody's server, and what it cannot tell keeps a server running.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from grader.attendance import TrainingDay
from grader.records.db import reading
from grader.records.models import CourseRun
from grader.records.state import find_course
from grader.records.timetable import training_days
from grader.roles import Caller
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import Posted, SignedIn, Site, Visit, as_learner

router = APIRouter(route_class=PageRoute, include_in_schema=False)
#: What servers ask, with their own tokens.
asked = APIRouter(include_in_schema=False)
#: A server asks again at the latest after so long; while a warning stands, often, so that keeping it is soon known.
ASK_SECONDS, WARNED_SECONDS = 300.0, 10.0


class Idle(BaseModel):
    """A server's question: when it was last used."""

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime


class Answer(BaseModel):
    """When a server is put away, if a warning stands; whether that is now; and when to ask again."""

    ends_at: datetime | None = None
    is_over: bool = False
    ask_again_seconds: float = ASK_SECONDS


@asked.post("/servers/idle")
def ask(request: Request, idle: Idle, authorization: Annotated[str, Header()] = "") -> Answer:
    """Tell a server, by its own token, whether it may be put away."""
    site: Site = request.app.state.portal
    caller = site.identity.caller(authorization.partition(" ")[2])
    if caller is None or caller.kind != "user":
        raise HTTPException(401, "a server's own Hub token is needed: Authorization: Bearer <token>")
    patience = site.settings.patience(is_formgrader=caller.is_formgrader)
    if patience is None:
        return Answer()
    now = site.settings.now()
    standing = site.idle.judge(caller.name, idle.since, now, _class_days(site, caller), patience)
    most = WARNED_SECONDS if standing.warned else ASK_SECONDS
    return Answer(
        ends_at=standing.next_at if standing.warned else None,
        is_over=standing.is_over,
        ask_again_seconds=min(most, max(1.0, (standing.next_at - now).total_seconds())),
    )


def _class_days(site: Site, caller: Caller) -> list[TrainingDay]:
    """The class hours of every course of a person; a course's formgrader has none, it is nobody's seat in class."""
    if caller.is_formgrader:
        return []
    with reading(site.engine) as session:
        runs = [session.get(CourseRun, course) for role in ("nbgrader", "formgrade") for course in caller.courses(role)]
        return [day for run in runs if run is not None for day in training_days(run)]


@router.get("/learn/{course}/server")
def warning(visit: SignedIn, course: str) -> HTMLResponse:
    """The part of a learner's page that says that their server is about to be put away."""
    as_learner(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        return visit.page("_server.html", server_ends_at=server_ends_at(visit))


@router.post("/learn/{course}/server/keep")
def keep(visit: Posted, course: str) -> Response:
    """Keep one's server."""
    as_learner(visit, course)
    visit.site.idle.keep(visit.who.name, visit.now)
    return visit.go("learn", course)


def server_ends_at(visit: Visit) -> datetime | None:
    """When the visitor's server is put away, where they have been warned."""
    return visit.site.idle.ends_at(visit.who.name, visit.now)
