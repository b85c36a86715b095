"""What a course run adds to the sums of its institution and programme: how many, and points, and no name.

The rule: the parts of the enrolled add up to them, so every learner stands in one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from grader.records.state import CourseState, LabState, LearnerState

#: Grows with what is counted, so that a kept count of before is counted again.
VERSION = 2
Part = Literal["attending", "completed", "not_completed", "left"]
Phase = Literal["before", "running", "over"]
#: Where a learner stands; `attending` is everybody whose course is not over and who has not left.
PARTS: tuple[Part, ...] = ("attending", "completed", "not_completed", "left")
PHASES: tuple[Phase, ...] = ("before", "running", "over")
#: A check before and the same check after, by the ids of their labs.
CheckPair = tuple[str, str]


class Scores(BaseModel):
    """One person's points before and after, each of its maximum, and where they stand; nobody's name."""

    model_config = ConfigDict(frozen=True)

    part: Part
    before: float
    before_max: float
    after: float
    after_max: float


class Counts(BaseModel):
    """A course run in numbers; `held` days are those of each learner that are judged, `credited` those that count."""

    model_config = ConfigDict(frozen=True)

    phase: Phase | None = None

    enrolled: int = 0
    attending: int = 0
    completed: int = 0
    not_completed: int = 0
    left: int = 0
    hours_present: int = 0
    held: int = 0
    credited: int = 0
    scores: tuple[Scores, ...] = ()


NUMBERS = tuple(name for name in Counts.model_fields if name not in ("phase", "scores"))


def count(state: CourseState, as_of: datetime, checks: Sequence[CheckPair] = ()) -> Counts:
    """Count a course run as known at a moment."""
    phase = _phase(state, as_of)
    stands = [_stands(learner, over=phase == "over") for learner in state.learners]
    verdicts = [verdict for learner in state.learners for verdict in learner.attendance.verdicts]
    scores = [
        found for learner, part in zip(state.learners, stands, strict=True) if (found := _scores(learner, part, checks))
    ]
    return Counts(
        phase=phase,
        enrolled=len(stands),
        hours_present=sum(verdict.minutes_present for verdict in verdicts) // 60,
        held=sum(verdict.status in ("attended", "absent", "excused") for verdict in verdicts),
        credited=sum(learner.attendance.credited for learner in state.learners),
        scores=tuple(scores),
        **{part: stands.count(part) for part in PARTS},
    )


def _phase(state: CourseState, as_of: datetime) -> Phase:
    """Before the first training day, over after the last one; a run without days has not begun."""
    if not state.days or as_of < state.days[0].starts:
        return "before"
    return "over" if as_of >= state.days[-1].ends else "running"


def together(counts: Iterable[Counts]) -> Counts:
    """Several together, of whatever phase."""
    found = tuple(counts)
    sums: dict[str, Any] = {name: sum(getattr(each, name) for each in found) for name in NUMBERS}
    # What is added up was checked when it was read: a page adds up thousands of people's scores a few dozen times.
    return Counts.model_construct(scores=tuple(chain.from_iterable(each.scores for each in found)), **sums)


def _stands(learner: LearnerState, *, over: bool) -> Part:
    """Early employment completes; a leaving that does not is one, whatever else stands."""
    if learner.outcome in ("completed", "early_employment"):
        return "completed"
    if learner.left:
        return "left"
    return "not_completed" if over or learner.frozen else "attending"


def _scores(learner: LearnerState, part: Part, checks: Sequence[CheckPair]) -> Scores | None:
    """One person's scores, so that scores count people: those of several checks are added up."""
    labs: dict[str, LabState] = {lab.lab.lab_id: lab for lab in learner.labs}
    both = [
        (before, after)
        for first, second in checks
        if (before := _points(labs.get(first))) and (after := _points(labs.get(second)))
    ]
    if not both:
        return None
    return Scores(
        part=part,
        before=sum(before[0] for before, _ in both),
        before_max=sum(before[1] for before, _ in both),
        after=sum(after[0] for _, after in both),
        after_max=sum(after[1] for _, after in both),
    )


def _points(lab: LabState | None) -> tuple[float, float] | None:
    """Final points and their maximum; being late says nothing of skill, so nothing is taken off for it."""
    if lab is None or lab.grade is None or not lab.grade.payload["final"] or not lab.grade.payload["max_points"]:
        return None
    return lab.full_points or 0, lab.grade.payload["max_points"]
