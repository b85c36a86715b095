"""Where a course's labs lose people: how far everybody is, how long each step took, and which criteria cost points.

The rule: sums of one class and no names, from events and receipts alone; pure, without a database or a clock. People who
have left and who are exempted are not counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from grader.records.state import LabState

#: How far somebody is, from not begun on.
Stage = Literal["nothing", "asked", "handed_in", "below", "passed"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Step = Literal["to_ask", "to_hand_in", "again", "to_grade"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True)
class CriterionLoss:
    """A criterion over all newest submissions that are graded: how many lost points, and what share of the points, in percent."""

    id: str
    graded: int
    lost: int
    lost_percent: int


@dataclass(frozen=True)
class Took:
    """How long a step took: of how many people, and their median."""

    people: int
    median: timedelta


@dataclass(frozen=True)
class LabLosses:
    """One lab in numbers."""

    lab: str
    people: int
    stages: Mapping[Stage, int]
    took: Mapping[Step, Took]
    attempts_median: float
    attempts_most: int
    criteria: tuple[CriterionLoss, ...]

    @property
    def not_handed_in(self) -> int:
        return self.stages["nothing"] + self.stages["asked"]

    @property
    def not_handed_in_percent(self) -> int:
        """Rounded half up, in whole numbers."""
        return (self.not_handed_in * 200 + self.people) // (2 * self.people) if self.people else 0


def losses_of(lab: str, states: Sequence[LabState], asked: Mapping[str, datetime], logins: Sequence[str]) -> LabLosses:
    """A lab's losses; `states` and `logins` go together, `asked` says when a login first called AI in the lab."""
    counted = [(state, login) for state, login in zip(states, logins, strict=True) if state.exemption is None]
    stages = Counter(_stage(state, login in asked) for state, login in counted)
    attempts = [len(state.submissions) for state, _ in counted if state.submissions]
    return LabLosses(
        lab=lab,
        people=len(counted),
        stages={stage: stages[stage] for stage in STAGES},
        took=_took(counted, asked),
        attempts_median=median(attempts) if attempts else 0,
        attempts_most=max(attempts, default=0),
        criteria=_criteria(state for state, _ in counted),
    )


def _stage(state: LabState, asked: bool) -> Stage:
    work = state.work
    if not state.submissions:
        return "asked" if asked else "nothing"
    if not work.final:
        return "handed_in"
    return "passed" if work.passed else "below"


def _took(counted: Sequence[tuple[LabState, str]], asked: Mapping[str, datetime]) -> dict[Step, Took]:
    spans: dict[Step, list[timedelta]] = defaultdict(list)
    for state, login in counted:
        for step, begun, ended in _steps(state, asked.get(login)):
            if begun and ended and ended >= begun:
                spans[step].append(ended - begun)
    return {
        step: Took(len(spans[step]), timedelta(seconds=median(span.total_seconds() for span in spans[step])))
        for step in STEPS
        if spans[step]
    }


def _steps(state: LabState, asked: datetime | None) -> Iterable[tuple[Step, datetime | None, datetime | None]]:
    """From when to when each step went; what comes after grading is not the learner's time."""
    released = state.release.at if state.release else None
    first = state.submissions[0].received_at if state.submissions else None
    last = state.submissions[-1].received_at if len(state.submissions) > 1 else None
    final = state.grade.at if state.grade and state.grade.payload["final"] else None
    yield "to_ask", released, asked
    yield "to_hand_in", asked or released, first
    yield "again", first, last
    yield "to_grade", last or first, final


def _criteria(states: Iterable[LabState]) -> tuple[CriterionLoss, ...]:
    """The criteria that cost most first; a criterion that nobody has judged yet is none."""
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for state in states:
        for told in state.grade.payload["criteria"] if state.grade else ():
            if told["points"] is not None and told["max_points"] > 0:
                points[told["id"]].append((min(told["points"], told["max_points"]), told["max_points"]))
    found = [
        CriterionLoss(
            name, len(rows), sum(got < most for got, most in rows),
            round(100 - 100 * sum(got for got, _ in rows) / sum(most for _, most in rows)),
        )
        for name, rows in points.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda row: (-row.lost_percent, -row.lost, row.id)))
