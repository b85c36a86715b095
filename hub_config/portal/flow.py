"""Where labs lose people: how far the class is, where it takes long, and what costs points. The rule: sums of this class, no names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.handed_out import spec_of
from grader.losses import LabLosses, Stage, Step, losses_of
from grader.records.models import CourseLab
from grader.records.state import CourseState, course_state
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, Visit, as_instructor
from labs.texts import Text

router = APIRouter(route_class=PageRoute, include_in_schema=False)
STAGES: dict[Stage, str] = {
    "nothing": N_("Nothing yet"),
    "asked": N_("AI called, not handed in"),
    "handed_in": N_("Handed in, not final"),
    "below": N_("Final, below the pass mark"),
    "passed": N_("Passed"),
}
STEPS: dict[Step, str] = {
    "to_ask": N_("Handed out → first AI call"),
    "to_hand_in": N_("First AI call → first handed in"),
    "again": N_("First → last handed in"),
    "to_grade": N_("Last handed in → final grade"),
}
HOUR = timedelta(hours=1)
#: So many criteria of a lab are seen at once; the others are folded.
MOST_CRITERIA = 5


@dataclass(frozen=True)
class Lab:
    """A lab with its losses and its criteria's titles."""

    row: CourseLab
    losses: LabLosses
    titles: Mapping[str, Text]

    def criterion(self, name: str) -> Text:
        return self.titles.get(name) or Text(ko=name, en=name)


@router.get("/class/{course}/flow")
def flow(visit: SignedIn, course: str) -> HTMLResponse:
    """Each lab that is handed out, in numbers."""
    as_instructor(visit, course)
    visit.look_up(course)
    asked = _asked(visit, course)
    with visit.records() as session:
        state = course_state(session, course, visit.now)
        visit.run = state.run
        rows = [row for row in state.run.labs if row.lab_id in state.releases]
        shown = [_lab(visit, state, row, (asked or {}).get(row.lab_id, {})) for row in rows]
        return visit.page(
            "flow.html", labs=shown, stages=STAGES, steps=STEPS, unasked=asked is None, at="flow", span=lambda took: _span(visit, took),
            most=MOST_CRITERIA, gone=sum(learner.left is not None for learner in state.learners),
        )  # fmt: skip


def _lab(visit: Visit, state: CourseState, row: CourseLab, asked: Mapping[str, datetime]) -> Lab:
    learners = [learner for learner in state.learners if learner.left is None]
    states = [next(lab for lab in learner.labs if lab.lab.lab_id == row.lab_id) for learner in learners]
    losses = losses_of(row.lab_id, states, asked, [learner.login for learner in learners])
    spec = spec_of(visit.site.blobs, state.releases[row.lab_id])
    return Lab(row, losses, {criterion.id: criterion.title for criterion in spec.criteria} if spec else {})


def _asked(visit: Visit, course: str) -> dict[str, dict[str, datetime]] | None:
    """When each learner first called AI in each lab; None where the gateway does not answer."""
    if not visit.site.gateway.is_there:
        return {}
    lines = visit.site.gateway.spend("learner", visit.token, course=course, by="lab")
    if lines is None:
        return None
    found: dict[str, dict[str, datetime]] = {}
    for line in lines:
        if line.first_at and line.calls:
            found.setdefault(line.lab, {})[line.name] = line.first_at
    return found


def _span(visit: Visit, took: timedelta) -> str:
    """A length of time in words, as exact as it is of use."""
    if took < HOUR:
        return visit.tn("%(count)s minute", "%(count)s minutes", int(took.total_seconds()) // 60)
    if took < 48 * HOUR:
        return visit.tn("%(count)s hour", "%(count)s hours", round(took / HOUR))
    return visit.tn("%(count)s day", "%(count)s days", round(took / timedelta(days=1)))
