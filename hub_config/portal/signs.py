"""What is odd about a day's attendance. The rule: it says what was seen, to a person who looks into it; it decides nothing."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.attendance import TrainingDay
from grader.records.db import reading
from grader.records.signs import Kind, signs_of
from grader.records.state import find_course
from grader.records.timetable import training_days
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, Visit, as_staff

router = APIRouter(route_class=PageRoute, include_in_schema=False)
TITLES: dict[Kind, str] = {
    "two_networks": N_("Seen from two networks within minutes"),
    "shared_device": N_("The same browser as another learner"),
    "other_course": N_("In another course at the same time"),
    "many_wrong_codes": N_("Many wrong codes"),
    "no_trace": N_("No trace of work"),
}
#: What it may be as well, so that nobody is judged by it.
HARMLESS: dict[Kind, str] = {
    "two_networks": N_("It is the same with a phone that changes from Wi-Fi to mobile data, or with a phone beside a computer."),
    "shared_device": N_("It is the same where two learners take turns at one computer, or one lends the other a phone."),
    "other_course": N_("It is the same where one of the two courses is corrected later."),
    "many_wrong_codes": N_("It is the same with somebody who mistypes, or reads an old picture of the screen."),
    "no_trace": N_(
        "Nothing was handed in, no lab was opened from here and AI was not called. A lecture, a talk or work on paper leaves no trace either."
    ),
}  # fmt: skip


@router.get("/class/{course}/signs")
def signs(visit: SignedIn, course: str, day: str = "") -> HTMLResponse:
    """What there is to look into of a training day, for an instructor or the office."""
    # What the gateway is asked for is too little to wait for a turn.
    with reading(visit.site.engine) as session:
        visit.run = find_course(session, course)
        as_staff(visit, visit.run)
        past = [found for found in training_days(visit.run) if found.starts <= visit.now][::-1]
    chosen = next((found for found in past if found.date.isoformat() == day), past[0] if past else None)
    users = _ai_users(visit, course, chosen) if chosen else None
    with visit.records() as session:
        run = visit.run = find_course(session, course)
        found = signs_of(session, run, chosen, visit.now, users) if chosen else []
        return visit.page(
            "signs.html", signs=found, day=chosen, days=[past_day.date for past_day in past[:30]],
            names={row.login: row.person.name for row in run.enrolments}, titles=TITLES, harmless=HARMLESS,
            unasked=users is None, over=chosen is not None and visit.now >= chosen.ends, at="signs",
        )  # fmt: skip


def _ai_users(visit: Visit, course: str, day: TrainingDay) -> set[str] | None:
    """Who called AI on a day: one question to the gateway; None where it does not answer."""
    gateway = visit.site.gateway
    if not gateway.is_there:
        return set()
    since = datetime.combine(day.date, time(0), visit.zone)
    until = since + timedelta(days=1)
    lines = gateway.spend("learner", visit.token, course=course, since=since.isoformat(), until=until.isoformat())
    return None if lines is None else {line.name for line in lines if line.calls}
