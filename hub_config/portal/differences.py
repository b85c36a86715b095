"""Where our record and the official attendance differ. The rule: both are shown, and neither is changed here."""

from __future__ import annotations

from collections import Counter, defaultdict

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.attendance import DayVerdict
from grader.differences import differences
from grader.records import attend, journal
from grader.records.models import Event
from grader.records.official import OFFICIAL
from grader.records.state import course_state
from hub_config.portal.office import run_of
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, as_office

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/office/{institution}/{course}/differences")
def page(visit: SignedIn, institution: str, course: str) -> HTMLResponse:
    """Each day of each learner on which the two differ."""
    as_office(visit, institution)
    with visit.records() as session:
        run = visit.run = run_of(session, institution, course)
        state = course_state(session, course, visit.now)
        official = Counter(event.subject for event in journal.events(session, course, kind=OFFICIAL))
        events: dict[str, list[Event]] = defaultdict(list)
        # Who has nothing official differs from nothing.
        for event in journal.attendance(session, course, set(official)):
            events[event.subject].append(event)
        period, tz = (run.starts_on, run.ends_on), attend.zone(run)
        found: list[tuple[str, str, DayVerdict]] = []
        for learner in state.learners:
            if learner.login in official:
                marks = attend.marks_of(events[learner.login], tz)
                told = differences(state.days, marks, state.rules, visit.now, period)
                found += [(learner.login, learner.name, verdict) for verdict in told]
        imported = official.total()
        return visit.page(
            "differences.html", institution=institution, imported=imported, wins=state.rules.official_attendance == "wins",
            found=sorted(found, key=lambda one: (one[2].date, one[0])),
        )  # fmt: skip
