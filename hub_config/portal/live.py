"""How a run goes, as server-sent events and as a part to poll. The rule: who listens holds no thread and no connection to the records.

A stream waits in the event loop and borrows a thread only to render what has changed. It ends with the run, and after a few
minutes, when the browser asks again: so a person who has left a role does not go on listening.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import anyio
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from grader.records.state import find_course
from hub_config.portal.i18n import N_
from hub_config.portal.listeners import Listeners
from hub_config.portal.pages import PageRoute
from hub_config.portal.runs import Run
from hub_config.portal.site import PageError, SignedIn, Visit, as_instructor, lab_row

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LOOK_SECONDS, BEAT_SECONDS, LONGEST_SECONDS = 0.4, 10.0, 300.0
#: Neither a proxy nor a browser may keep events back or change them.
HEADERS = {"cache-control": "no-store, no-transform", "x-accel-buffering": "no"}


@router.get("/class/{course}/labs/{lab}/run")
def run_now(visit: SignedIn, course: str, lab: str) -> HTMLResponse:
    """The part of a page that tells how a run goes."""
    as_instructor(visit, course)
    return _part(visit, course, lab)


@router.get("/class/{course}/labs/{lab}/run/events")
def run_events(visit: SignedIn, course: str, lab: str) -> StreamingResponse:
    """The same part each time it changes, until the run ends."""
    as_instructor(visit, course)
    _part(visit, course, lab)  # refuses what is not there, before the stream begins
    listeners, who = visit.site.listeners, visit.who.name
    if not listeners.has_room(who):
        raise PageError(503, N_("Too many pages are waiting for news. Close some and reload this one."))

    def part() -> str:
        return bytes(_part(visit, course, lab).body).decode()

    told = events(listeners, who, lambda: visit.site.runs.latest(course, lab), part)
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


async def events(
    listeners: Listeners, who: str, latest: Callable[[], Run | None], part: Callable[[], str]
) -> AsyncIterator[str]:
    """Tell each change of a run, a beat where there is none, and the end."""
    begun = beat = anyio.current_time()
    told: object = None
    with listeners.seat(who) as free:
        while free and not listeners.closing and anyio.current_time() - begun < LONGEST_SECONDS:
            run = latest()
            stands = (run, run.progress, run.state) if run else None
            if told is None or stands != told:
                over = run is None or run.state != "running"
                yield _event("end" if over else "part", await run_in_threadpool(part))
                if over:
                    return
                told, beat = stands, anyio.current_time()
            elif anyio.current_time() - beat >= BEAT_SECONDS:
                yield _event("beat", "")
                beat = anyio.current_time()
            await anyio.sleep(LOOK_SECONDS)


def _event(name: str, html: str) -> str:
    return f"event: {name}\nretry: 2000\ndata: {json.dumps(html)}\n\n"


def _part(visit: Visit, course: str, lab: str) -> HTMLResponse:
    with visit.records() as session:
        visit.run = find_course(session, course)
        return visit.page("_run.html", lab=lab_row(visit, lab), run=visit.site.runs.latest(course, lab))
