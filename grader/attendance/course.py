"""A learner's attendance over a whole course: every day judged, counted in units, held against what is needed.

The rule: whole numbers, never rounded up in anybody's favour (rule 7).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from grader.attendance.data import DayVerdict, Leaving, Mark, TrainingDay
from grader.attendance.day import NOTHING, Judge, in_force
from grader.attendance.excuses import Excuses
from grader.attendance.units import UnitAttendance, count_units, unit_periods
from grader.attendance.warnings import DismissalWarning, dismissal_warnings, out_of_reach_since
from grader.rules import Rules
from labs.texts import Text


@dataclass(frozen=True)
class CourseAttendance:
    """A learner's attendance over the whole course; `needed` is that of early employment where that is the leaving."""

    verdicts: tuple[DayVerdict, ...]
    units: tuple[UnitAttendance, ...]
    days: int
    credited: int
    needed: int
    days_ahead: int
    rests_on: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    leaving: Leaving | None = None

    @property
    def passes(self) -> bool:
        """The requirement is met; a course without training days has none that could be."""
        return self.days > 0 and self.credited >= self.needed

    # A state is kept between requests, and several parts of a page ask: what walks through all days is found once.
    @cached_property
    def absences_left(self) -> int:
        """How many more days may be missed with the requirement still in reach; below zero: out of reach."""
        return sum(unit.best for unit in self.units) - self.needed

    @cached_property
    def event_count(self) -> int:
        """How often somebody was late, left early or was out, as far as it counts."""
        return sum(len(verdict.events) for verdict in self.verdicts)

    @property
    def reachable(self) -> bool:
        return self.absences_left >= 0

    @cached_property
    def out_of_reach_since(self) -> date | None:
        """The first date as of which the requirement could not be met any more; None while it can."""
        return None if self.reachable else out_of_reach_since(self.units, self.needed, self.rules, self.leaving)

    @cached_property
    def warnings(self) -> tuple[DismissalWarning, ...]:
        """Dismissal warnings of units and of the course (rule 9)."""
        return dismissal_warnings(self.units, self.rules)

    @property
    def outlook(self) -> Text:
        """Whether the attendance requirement is met, still can be, or since when not."""
        if self.passes:
            return Text(ko="출석 요건을 채웠습니다.", en="the attendance requirement is met")
        left, since = self.absences_left, self.out_of_reach_since
        if since is None:
            return Text(
                ko=f"아직 채울 수 있습니다. 앞으로 결석 가능 {left}일",
                en=f"can still be reached: at most {left} more absence{'s' * (left != 1)}",
            )
        return Text(ko=f"{since}부터 남은 훈련일로 채울 수 없습니다.", en=f"can no longer be reached since {since}")


def judge_course(
    days: Sequence[TrainingDay],
    marks: Mapping[date, Mark],
    rules: Rules,
    as_of: datetime,
    period: tuple[date, date] | None = None,
    *,
    leaving: Leaving | None = None,
) -> CourseAttendance:
    """Judge every day, unit and the whole course of one learner (rules 1-10).

    `period` is the course's first and last date; without it, those of its training days. A leaving that lies ahead of
    `as_of` has not happened.
    """
    ordered = sorted(days, key=lambda day: day.date)
    today = as_of.astimezone(ordered[0].starts.tzinfo).date() if ordered else as_of.date()
    leaving = in_force(leaving, today)
    judge = Judge(rules, as_of, today, Excuses(rules, len(ordered)), leaving)
    periods = _periods(ordered, period)
    by_unit: list[list[DayVerdict]] = [[] for _ in periods]
    starts = [first for first, _ in periods]
    for day in ordered:
        # A day outside the course's dates is nobody's to lose: it counts in the nearest unit.
        unit = max(0, bisect_right(starts, day.date) - 1)
        by_unit[unit].append(judge.day(day, marks.get(day.date, NOTHING), unit))
    units = count_units(periods, by_unit, rules)
    verdicts = tuple(verdict for inside in by_unit for verdict in inside)
    return CourseAttendance(
        verdicts=verdicts,
        units=units,
        days=len(ordered),
        credited=sum(unit.credited for unit in units),
        needed=_needed(len(ordered), rules, leaving),
        days_ahead=sum(unit.days_ahead for unit in units),
        rests_on=(*(event for verdict in verdicts for event in verdict.rests_on), *(leaving.rests_on if leaving else ())),
        rules=rules,
        leaving=leaving,
    )  # fmt: skip


def _periods(ordered: Sequence[TrainingDay], period: tuple[date, date] | None) -> list[tuple[date, date]]:
    if period is not None and period[0] <= period[1]:
        return unit_periods(*period)
    return unit_periods(ordered[0].date, ordered[-1].date) if ordered else []


def _needed(days: int, rules: Rules, leaving: Leaving | None) -> int:
    """Days to be credited (rule 7); at least one, so that attendance is always half of a decision."""
    early = leaving is not None and leaving.kind == "early_employment"
    percent = rules.early_employment_percent if early else rules.attendance_percent
    return max(1, -(-days * percent // 100)) if days else 0
