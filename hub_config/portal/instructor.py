"""An instructor's class at a glance. The rule: what is shown of a learner here leads to what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.needs import Need, pressing
from grader.records.state import LearnerState, course_state
from hub_config.portal.needs import WORDS, ai_today, needs_of_class
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, as_instructor

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Shown = Literal["all", "help", "absent"]
Sorted = Literal["need", "name"]


@dataclass(frozen=True)
class Row:
    """A learner on the roster."""

    state: LearnerState
    calls: int | None
    needs: tuple[Need, ...]

    @property
    def events(self) -> int:
        return self.state.attendance.event_count

    def is_shown(self, shown: Shown) -> bool:
        """Whether a filter shows it: who is not here is found by name, everybody else with a need needs help."""
        kinds = {need.kind for need in self.needs}
        return shown == "all" or ("absent" in kinds if shown == "absent" else bool(kinds - {"absent"}))


@router.get("/class/{course}")
def roster(
    visit: SignedIn, course: str, show: Shown = "all", sort: Sorted = "need", done: str = ""
) -> HTMLResponse:  # fmt: skip
    """The class at a glance: who is here, who needs help, and where everybody stands."""
    as_instructor(visit, course)
    visit.look_up(course)
    gateway, ai = visit.site.gateway, ai_today(visit, course, ever=True)
    # A gateway that is away is waited for once.
    switch = gateway.switch(course, visit.token) if ai else None
    calls = ai.calls if ai else None
    with visit.records() as session:
        state = course_state(session, course, visit.now)
        visit.run = state.run
        needs = needs_of_class(visit, session, state, ai)
        rows = [
            Row(one, None if calls is None else calls.get(one.login, 0), needs[one.login]) for one in state.learners
        ]
        return visit.page(
            "class.html", rows=_in_order([row for row in rows if row.is_shown(show)], sort), day=state.day(visit.now.astimezone(visit.zone).date()), dues=state.deadlines,
            counts={name: sum(row.is_shown(name) for row in rows) for name in ("all", "help", "absent")},
            show=show, sort=sort, words=WORDS, corrected=done == "corrected", at="roster", switch=switch,
            ai_there=gateway.is_there,
        )  # fmt: skip


def _in_order(rows: list[Row], by: Sorted) -> list[Row]:
    """By need or by name; who has left stands last."""
    by_name = sorted(rows, key=lambda row: (row.state.left is not None, row.state.name))
    return (
        by_name if by == "name" else sorted(by_name, key=lambda row: (row.state.left is not None, pressing(row.needs)))
    )
