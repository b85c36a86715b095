"""Opening a lab: one press, and the learner ends in the notebook. The rule: whoever pressed once never has to press again.

The portal starts the learner's server as that learner and waits on a page of its own: while it starts or stops, while others
are before it (the Hub answers 429), and while the Hub is away. Only a server that failed again and again asks for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any, Literal
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.requests import Request

from grader.records import sightings
from grader.records.db import writing
from grader.records.models import CourseLab
from grader.records.state import find_course
from hub_config.portal.hub import PROBLEMS, ServerProblem
from hub_config.portal.pages import PageRoute
from hub_config.portal.server import notebooks_of, release_of
from hub_config.portal.site import SignedIn, Visit, as_learner

#: What a page waits for; `ready` and `failed` end the waiting.
Stage = Literal["ready", "starting", "stopping", "queued", "answering", "away", "failed"]
#: A server that did not come up is started again by itself, so often in all; then a person has to look.
MOST_STARTS = 3
#: After so long the page says that it takes longer than usual. It goes on waiting.
LONG_SECONDS = 120
#: Who wants to hand in needs the server, and not the notebook.
TO_HAND_IN = "hand-in"


class WaitingRoute(PageRoute):
    """A route whose page comes back by itself while something is away, without a script too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the page's handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            response = await handler(request)
            if response.status_code == 503:
                response.headers["refresh"] = "5"
            return response

        return handle


router = APIRouter(route_class=WaitingRoute, include_in_schema=False)


@dataclass(frozen=True)
class Wait:
    """How the opening stands: its stage, how often a server was started for it, since when (in Unix seconds), and what for."""

    stage: Stage
    starts: int
    since: int
    to_hand_in: bool

    @property
    def query(self) -> str:
        return urlencode({"starts": self.starts, "since": self.since, **self._to})

    @property
    def again(self) -> str:
        """The query of a new beginning."""
        return f"?{urlencode(self._to)}" if self._to else ""

    @property
    def _to(self) -> dict[str, str]:
        return {"to": TO_HAND_IN} if self.to_hand_in else {}


@router.get("/learn/{course}/open/{lab}")
async def open_lab(visit: SignedIn, course: str, lab: str, starts: int = 0, since: int = 0, to: str = "") -> Response:
    """Start the learner's server where needed, put the lab there, and go to its notebook."""
    return await to_thread.run_sync(
        _open, visit, course, lab, Wait("starting", starts, since, to == TO_HAND_IN), limiter=visit.site.waiting
    )


@router.get("/learn/{course}/open/{lab}/waiting")
async def waiting(visit: SignedIn, course: str, lab: str, starts: int = 0, since: int = 0, to: str = "") -> Response:
    """The part of the waiting page that tells how far it is."""
    return await to_thread.run_sync(
        _look, visit, course, lab, Wait("starting", starts, since, to == TO_HAND_IN), limiter=visit.site.waiting
    )


def _open(visit: Visit, course: str, lab: str, wait: Wait) -> Response:
    as_learner(visit, course)
    notebooks = notebooks_of(release_of(visit, course, lab))
    hub, name = visit.site.hub, visit.who.name
    wait = _next(visit, wait)
    if wait.stage != "ready":
        return _page(visit, course, lab, wait)
    _note_work(visit, course)
    try:
        hub.fetch(name, visit.token, course, lab, notebooks)
    except ServerProblem as problem:
        if problem.kind == "refused":
            return _page(visit, course, lab, replace(wait, stage="failed"), problem)
        return _page(visit, course, lab, replace(wait, stage="answering"))
    if wait.to_hand_in:
        return visit.go("learn", course, "hand-in", lab)
    # Several notebooks lie beside each other in the folder that JupyterLab shows with the first.
    return RedirectResponse(hub.user_path(name, "/".join(["lab/tree", lab, *notebooks[:1]])), 303)


def _look(visit: Visit, course: str, lab: str, wait: Wait) -> Response:
    as_learner(visit, course)
    release_of(visit, course, lab)
    return _page(visit, course, lab, _next(visit, wait), template="_opening.html")


def _next(visit: Visit, wait: Wait) -> Wait:
    """Look at the server, and start it where it stands still; what is counted are the starts."""
    now = int(visit.now.timestamp())
    wait = replace(wait, since=wait.since if 0 < wait.since <= now else now)
    hub, name = visit.site.hub, visit.who.name
    try:
        stands = hub.server(name, visit.token)
        if stands == "ready" and hub.is_ready(name, visit.token):
            return replace(wait, stage="ready")
        if stands == "starting" or stands == "stopping":
            return replace(wait, stage=stands)
        if wait.starts >= MOST_STARTS:
            return replace(wait, stage="failed")
        # A server that is said to run and does not answer is looked at by the Hub when it is asked to start it.
        stage = hub.start(name, visit.token)
    except ServerProblem as problem:
        if problem.kind == "refused":
            return replace(wait, stage="failed")
        # Servers go on without the Hub: who has one goes on too.
        return replace(wait, stage="ready" if hub.is_ready(name, visit.token) else "away")
    return replace(wait, stage=stage, starts=wait.starts + (stage == "starting"))


def _note_work(visit: Visit, course: str) -> None:
    """Note once a day that a lab was opened, so that nobody who works is asked why there is no trace of it."""
    with visit.records() as session:
        visit.run = find_course(session, course)
        midnight = datetime.combine(visit.now.astimezone(visit.zone).date(), time(0), visit.zone)
        if sightings.is_noted(session, course, visit.who.name, sightings.OPENED, midnight):
            return
    with writing(visit.site.engine) as session:
        sightings.see(session, course, visit.who.name, sightings.OPENED, visit.now)


def _page(
    visit: Visit,
    course: str,
    lab: str,
    wait: Wait,
    problem: ServerProblem | None = None,
    template: str = "opening.html",
) -> Response:
    with visit.records() as session:
        visit.run = find_course(session, course)
        row = session.get_one(CourseLab, (course, lab))
        return visit.page(
            template, 409 if wait.stage == "failed" else 200, lab=row, wait=wait,
            takes_long=visit.now.timestamp() - wait.since > LONG_SECONDS,
            problem=visit.t(PROBLEMS[problem.kind]) if problem else "", detail=problem.detail if problem else "",
        )  # fmt: skip
