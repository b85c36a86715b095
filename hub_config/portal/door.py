"""The door on a phone, and what is recorded there. The rule: looking records nothing, only a press of a button does.

The address of a scanned QR has the code in it. It is worth as much as a number on the wall: for less than a minute, for who
is signed in here and enrolled in the course.
"""

from __future__ import annotations

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response

from grader import codes
from grader.records import door
from grader.records.attend import Refused
from grader.records.db import writing
from grader.records.sightings import Whence
from grader.records.state import find_course
from hub_config.portal.door_card import DONE, door_card
from hub_config.portal.learner import today_page
from hub_config.portal.pages import PageRoute
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.security import cookie_options, network_of, new_id
from hub_config.portal.site import Posted, SignedIn, Visit, as_learner

router = APIRouter(route_class=PageRoute, include_in_schema=False)
#: A random name of the browser, forgotten after a day: it tells that two people used one, and nothing more.
DEVICE_COOKIE, DEVICE_SECONDS = "practicum-device", 24 * 3600
MOST_SHOWN = 12


@router.get("/learn/{course}/door")
def at_the_door(visit: SignedIn, course: str, code: str = "", slot: int = 0, done: str = "") -> HTMLResponse:
    """The learner's door, with the code of a scanned QR filled in."""
    as_learner(visit, course)
    over = bool(code) and not codes.is_shown(slot, visit.now)
    problem = REFUSALS["code_over"] if over else ""
    return _door(visit, course, said=DONE.get(done, ""), problem=problem, typed="" if over else code[:MOST_SHOWN])


@router.post("/learn/{course}/check")
def check(visit: Posted, course: str, code: str = Form(""), action: str = Form(""), page: str = Form("")) -> Response:
    """Check in or out, go out or come back with the class code."""
    as_learner(visit, course)
    device = visit.request.cookies.get(DEVICE_COOKIE, "")[:64] or new_id()
    answer = _check(visit, course, code, action, device, phone=page == "door")
    settings = visit.site.settings
    options = cookie_options(visit.request, settings.prefix, settings.public_url)
    answer.set_cookie(DEVICE_COOKIE, device, max_age=DEVICE_SECONDS, **options)
    return answer


def _check(visit: Visit, course: str, code: str, action: str, device: str, *, phone: bool) -> Response:
    refused: Refused | None = None
    with writing(visit.site.engine) as session:
        visit.run = find_course(session, course)
        try:
            event = door.check(
                session, visit.run, visit.who.name, code, secret=visit.site.settings.secret.get_secret_value(),
                now=visit.now, action=action[:8] or None, whence=_whence(visit, device),
            )  # fmt: skip
        except Refused as error:
            # Caught in here, so that a wrong code stays counted.
            refused = error
    if refused is None:
        done = next(name for name, kind in door.KINDS.items() if kind == event.kind)
        return visit.go("learn", course, *(["door"] if phone else []), query=f"?done={done}")
    visit.run = None
    problem, typed = REFUSALS[refused.reason], code[:MOST_SHOWN]
    show = _door if phone else today_page
    return show(visit, course, status=422, problem=problem, typed=typed)


def _whence(visit: Visit, device: str) -> Whence:
    day, seals = visit.now.astimezone(visit.zone).date(), visit.site.seals
    return Whence(
        place=seals.pseudonym("network", day, network_of(visit.request)),
        device=seals.pseudonym("device", day, device),
    )


def _door(
    visit: Visit, course: str, *, status: int = 200, said: str = "", problem: str = "", typed: str = ""
) -> HTMLResponse:
    with visit.records() as session:
        visit.run = find_course(session, course)
        card = door_card(visit, session, problem=problem, typed=typed)
        return visit.page("door.html", status, said=visit.t(said) if said else "", **card)
