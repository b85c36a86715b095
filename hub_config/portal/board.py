"""The class screen: the rotating code as number and QR, and who has come. The rule: only the code of now is ever shown.

The QR leads to the learner's own page with the code filled in; there it takes a login and a press of a button, as a typed
code does.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import segno
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader import codes
from grader.attendance import Mark, TrainingDay
from grader.records.attend import day_marks
from grader.records.door import AtDoor, today_of
from grader.records.enrolments import END_WITHDRAWN, ENDED, ends
from grader.records.journal import in_order
from grader.records.models import CourseRun, Event
from grader.records.programmes import rules_of
from grader.records.remembered import enrolled
from grader.records.state import find_course
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.security import origin_of
from hub_config.portal.site import PageError, SignedIn, Visit, as_instructor

#: Names of this very machine: a phone that reads one looks for the portal in itself.
LOOPBACK = ("localhost", "127.0.0.1", "[")
router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Arrival:
    """A learner on the class screen."""

    name: str
    at: AtDoor
    late: bool

    @property
    def mark(self) -> Mark:
        return self.at.mark


@router.get("/class/{course}/code")
def class_code(visit: SignedIn, course: str) -> HTMLResponse:
    """The class screen: the code to check in with, and who has come."""
    as_instructor(visit, course)
    with visit.records() as session:
        day = _day(visit, session, course)
        arrivals = _arrivals(visit, session, day) if day else []
        return visit.page("code.html", at="code", arrivals=arrivals, **_shown(visit, day))


@router.get("/class/{course}/code/live")
def class_code_now(visit: SignedIn, course: str) -> HTMLResponse:
    """The code as it is now."""
    as_instructor(visit, course)
    with visit.records() as session:
        return visit.page("_code.html", **_shown(visit, _day(visit, session, course)))


@router.get("/class/{course}/code/arrivals")
def arrivals_now(visit: SignedIn, course: str) -> HTMLResponse:
    """Who has come, as it is now."""
    as_instructor(visit, course)
    with visit.records() as session:
        day = _day(visit, session, course)
        return visit.page("_arrivals.html", day=day, arrivals=_arrivals(visit, session, day) if day else [])


@router.get("/class/{course}/code/{slot}.svg")
def qr_code(visit: SignedIn, course: str, slot: int) -> Response:
    """The code of a slot as a QR picture; there is none of a slot that lies ahead or is over."""
    as_instructor(visit, course)
    with visit.records() as session:
        day = _day(visit, session, course)
    if day is None or not codes.is_shown(slot, visit.now):
        raise PageError(404, N_("There is no such picture."))
    picture = _picture(_address(visit, course, _code(visit, course, day)))
    return Response(picture, media_type="image/svg+xml")


def _day(visit: Visit, session: Session, course: str) -> TrainingDay | None:
    visit.run = find_course(session, course)
    return today_of(session, visit.run, visit.now)


def _code(visit: Visit, course: str, day: TrainingDay) -> str:
    return codes.code_at(visit.site.settings.secret.get_secret_value(), course, day.date, visit.now)


def _shown(visit: Visit, day: TrainingDay | None) -> dict[str, Any]:
    run, now = visit.run, visit.now
    code = _code(visit, run.id, day) if day and run else ""
    host = urlsplit(origin_of(visit.request, visit.site.settings.public_url)).netloc
    return {
        "day": day, "code": code, "left": codes.seconds_left(now), "seconds": codes.SLOT_SECONDS,
        "slot": codes.slot_at(now), "host": host, "only_here": host.partition(":")[0] in LOOPBACK,
    }  # fmt: skip


def _address(visit: Visit, course: str, code: str) -> str:
    """The slot goes along, so that a code that is over is known without asking whether it was right."""
    origin = origin_of(visit.request, visit.site.settings.public_url)
    query = urlencode({"code": code, "slot": codes.slot_at(visit.now)})
    return f"{origin}{visit.url('learn', course, 'door')}?{query}"


def _picture(address: str) -> bytes:
    """An SVG without styles or scripts, dark on white whatever the colours of the page."""
    picture = io.BytesIO()
    segno.make_qr(address, error="m").save(
        picture, kind="svg", border=4, light="#fff", dark="#000", svgclass=None, lineclass=None, omitsize=True
    )
    return picture.getvalue()


def _arrivals(visit: Visit, session: Session, day: TrainingDay) -> list[Arrival]:
    """Everybody who is still enrolled: the last to come first, then who has not come, by name."""
    run = visit.run
    if run is None:
        return []
    marks = day_marks(session, run, day.date)
    grace = timedelta(minutes=rules_of(session, run, visit.now).grace_minutes)
    rows = [_arrival(name, marks.get(login, Mark()), day, grace) for login, name in _enrolled(session, run)]
    came = sorted(
        (row for row in rows if row.mark.check_in), key=lambda row: row.mark.check_in or day.starts, reverse=True
    )
    return came + sorted((row for row in rows if not row.mark.check_in), key=lambda row: row.name)


def _arrival(name: str, mark: Mark, day: TrainingDay, grace: timedelta) -> Arrival:
    return Arrival(name, AtDoor(day, mark), bool(mark.check_in and mark.check_in > day.starts + grace))


def _enrolled(session: Session, run: CourseRun) -> list[tuple[str, str]]:
    kinds = (ENDED, END_WITHDRAWN)
    query = select(Event).where(Event.course_id == run.id, Event.kind.in_(kinds))
    left = ends(in_order(session, query))
    return [(login, name) for login, name in enrolled(session, run.id) if login not in left]
