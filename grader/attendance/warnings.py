"""What a learner is warned of: dismissal (rule 9), and that completion can no longer be reached.

The rule: each warning has its numbers, the day since when it holds, and the events it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from grader.attendance.data import DayVerdict, Leaving
from grader.attendance.units import UnitAttendance, absences_by_day
from grader.rules import Rules
from labs.texts import Text


@dataclass(frozen=True)
class DismissalWarning:
    """So many unexcused absences that the institution may dismiss; `limit` is the first number that is too many."""

    scope: Literal["unit", "course"]
    since: date
    starts: date
    ends: date
    days: int
    absences: int
    from_events: int
    limit: int
    percent: int
    rests_on: tuple[str, ...] = ()

    @property
    def text(self) -> Text:
        events_ko = f"(지각·조퇴·외출로 인한 {self.from_events}일 포함)" if self.from_events else ""
        events_en = f" ({self.from_events} of them made by events)" if self.from_events else ""
        where_ko = f"단위기간 {self.starts}~{self.ends}" if self.scope == "unit" else "과정 전체"
        where_en = f"the unit period {self.starts} to {self.ends}" if self.scope == "unit" else "the whole course"
        share_ko = f"{self.percent}% 이상" if self.scope == "unit" else f"{self.percent}% 초과"
        share_en = f"{self.percent}% or more" if self.scope == "unit" else f"more than {self.percent}%"
        return Text(
            ko=f"제적 경고: {where_ko}의 훈련일 {self.days}일 중 무단결석 {self.absences}일{events_ko}. "
            f"기준은 {self.limit}일({share_ko})이며 {self.since}부터 해당합니다.",
            en=f"dismissal warning: {self.absences} unexcused absences{events_en} of {self.days} training days in "
            f"{where_en}; the limit is {self.limit} ({share_en}), reached on {self.since}",
        )


def unit_limit(days: int, rules: Rules) -> int:
    """From how many absences in a unit on: its share of the days, half a day rounded up, and at least one."""
    return max(1, (days * rules.dismissal.unit_percent * 2 + 100) // 200)


def course_limit(days: int, rules: Rules) -> int:
    """The first number of absences that is more than the share of all days."""
    return days * rules.dismissal.course_percent // 100 + 1


def dismissal_warnings(units: Sequence[UnitAttendance], rules: Rules) -> tuple[DismissalWarning, ...]:
    """Warnings of units in their order, then that of the course."""
    warnings = [_unit_warning(unit, rules) for unit in units]
    return tuple(warning for warning in (*warnings, _course_warning(units, rules)) if warning)


def out_of_reach_since(
    units: Sequence[UnitAttendance], needed: int, rules: Rules, leaving: Leaving | None
) -> date | None:
    """The first date as of which the days left were too few, with what is recorded now; None while they are enough."""
    best = [unit.days for unit in units]
    for number, unit in enumerate(units):
        for verdict, absences in absences_by_day(unit, rules):
            gone = verdict.status == "left"
            best[number] -= absences + gone
            if (absences or gone) and sum(max(0, left) for left in best) < needed:
                return leaving.on if gone and leaving else verdict.date
    return None


def _unit_warning(unit: UnitAttendance, rules: Rules) -> DismissalWarning | None:
    limit = unit_limit(unit.days, rules)
    since = _reached(absences_by_day(unit, rules), limit)
    return None if since is None else DismissalWarning(
        "unit", since, unit.starts, unit.ends, unit.days, unit.unexcused, unit.absences_from_events, limit,
        rules.dismissal.unit_percent, unit.rests_on,
    )  # fmt: skip


def _course_warning(units: Sequence[UnitAttendance], rules: Rules) -> DismissalWarning | None:
    days = sum(unit.days for unit in units)
    limit = course_limit(days, rules)
    since = _reached((day for unit in units for day in absences_by_day(unit, rules)), limit)
    return None if since is None else DismissalWarning(
        "course", since, units[0].starts, units[-1].ends, days, sum(unit.unexcused for unit in units),
        sum(unit.absences_from_events for unit in units), limit, rules.dismissal.course_percent,
        tuple(event for unit in units for event in unit.rests_on),
    )  # fmt: skip


def _reached(days: Iterable[tuple[DayVerdict, int]], limit: int) -> date | None:
    """The day on which the absences came to the limit."""
    absences = 0
    for verdict, more in days:
        absences += more
        if more and absences >= limit:
            return verdict.date
    return None
