"""How a course run goes today: its phase, who is here, what waits for somebody, and who will complete.

The rule: every number is counted from the records as they stand; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.completion import COMPLETING
from grader.differences import differences
from grader.forecast import Forecast, Level, Task, counted, forecast
from grader.records import attend, journal
from grader.records.corrections import requests_in
from grader.records.models import CourseRun, Event
from grader.records.official import OFFICIAL
from grader.records.state import CourseState, LearnerState

Phase = Literal["running", "coming", "over", "frozen"]
#: As the office looks at them: what runs first, what is done last.
PHASES: tuple[Phase, ...] = ("running", "over", "coming", "frozen")


@dataclass(frozen=True)
class Today:
    """A training day that is today: how many were awaited, are in, and have gone."""

    awaited: int
    came: int
    excused: int


@dataclass(frozen=True)
class Health:
    """A course run at a glance; `differing` is None where no official attendance was imported."""

    state: CourseState
    phase: Phase
    today: Today | None
    warned: int
    ungraded: int
    requests: int
    differing: int | None
    forecasts: dict[str, Forecast]

    @property
    def run(self) -> CourseRun:
        return self.state.run

    @property
    def levels(self) -> dict[Level, int]:
        """How many learners stand where, the best first."""
        return counted(one.level for one in self.forecasts.values())

    @property
    def left(self) -> int:
        return sum(learner.left is not None for learner in self.state.learners)


def phase_of(state: CourseState, today: date) -> Phase:
    """Where a run is; frozen when every decision is."""
    if state.learners and all(learner.frozen for learner in state.learners):
        return "frozen"
    if today < state.run.starts_on:
        return "coming"
    return "over" if today > state.run.ends_on else "running"


def health_of(session: Session, state: CourseState, now: datetime) -> Health:
    """Count everything of one run."""
    run = state.run
    today = now.astimezone(attend.zone(run)).date()
    active = [learner for learner in state.learners if learner.left is None]
    labs = [lab for learner in active for lab in learner.labs]
    return Health(
        state=state,
        phase=phase_of(state, today),
        today=_today(state, active, now),
        warned=sum(bool(learner.attendance.warnings) or not learner.attendance.reachable for learner in active),
        ungraded=sum(lab.step in ("submitted", "review") for lab in labs),
        requests=sum(request.is_open for request in requests_in(session, run.id)),
        differing=_differing(session, state, now),
        forecasts=forecasts_of(state, now),
    )


def forecasts_of(state: CourseState, now: datetime) -> dict[str, Forecast]:
    """Each learner's forecast by their login; a frozen decision is not forecast but said."""
    over = now.astimezone(attend.zone(state.run)).date() > state.run.ends_on
    return {learner.login: _forecast(learner, over, now) for learner in state.learners}


def _forecast(learner: LearnerState, over: bool, now: datetime) -> Forecast:
    tasks = [Task(lab.work, lab.due_at is not None and lab.due_at < now) for lab in learner.labs if lab.lab.required]
    told = forecast(learner.attendance, tasks, course_over=over)
    if learner.frozen is None:
        return told
    return told.settled(learner.frozen.outcome in COMPLETING)


def _today(state: CourseState, active: Sequence[LearnerState], now: datetime) -> Today | None:
    if state.day(now.astimezone(attend.zone(state.run)).date()) is None:
        return None
    marks = [learner.today for learner in active]
    excused = sum(bool(mark.excused or mark.excuse_kind) for mark in marks)
    return Today(len(active), sum(mark.check_in is not None for mark in marks), excused)


def _differing(session: Session, state: CourseState, now: datetime) -> int | None:
    """On how many days of learners the official attendance differs from ours."""
    if not _has_official(session, state.run.id):
        return None
    events: dict[str, list[Event]] = {}
    for event in journal.attendance(session, state.run.id):
        events.setdefault(event.subject, []).append(event)
    period, tz = (state.run.starts_on, state.run.ends_on), attend.zone(state.run)
    return sum(
        len(differences(state.days, attend.marks_of(events.get(learner.login, []), tz), state.rules, now, period))
        for learner in state.learners
    )


def _has_official(session: Session, course: str) -> bool:
    found = select(Event.seq).where(Event.course_id == course, Event.kind == OFFICIAL).limit(1)
    return session.scalar(found) is not None
