"""Unit periods of a course, and what a learner is credited in each (rules 5-7).

The rule: a unit is never credited below zero, and what its events would take beyond that is dropped, not carried on:
formula 6 is one unit's, so no unit loses days for the events of another (`carry_over` carries events, not absences).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from grader.attendance.data import DayVerdict
from grader.rules import Rules


@dataclass(frozen=True)
class UnitAttendance:
    """A unit period: its days by what they count as, its events, and the absences that these make."""

    starts: date
    ends: date
    days: int
    attended: int
    excused: int
    events: int
    absences_from_events: int
    absent: int = 0
    days_ahead: int = 0
    #: Events of earlier units that still count here (`carry_over`).
    events_before: int = 0
    verdicts: tuple[DayVerdict, ...] = ()

    @property
    def credited(self) -> int:
        return max(0, self.attended + self.excused - self.absences_from_events)

    @property
    def best(self) -> int:
        """What is credited where every day ahead is attended in full."""
        return max(0, self.attended + self.excused + self.days_ahead - self.absences_from_events)

    @property
    def unexcused(self) -> int:
        """Unexcused absences: days, and those that events make."""
        return self.absent + self.absences_from_events

    @property
    def rests_on(self) -> tuple[str, ...]:
        return tuple(event for verdict in self.verdicts for event in verdict.rests_on)

    def passes(self, percent: int) -> bool:
        """Rule 7 over the unit; a unit without days passes nothing."""
        return self.days > 0 and self.credited * 100 >= self.days * percent


def unit_periods(starts: date, ends: date) -> list[tuple[date, date]]:
    """Cut a course into unit periods: months from its start date, the last one to its end (rule 5)."""
    periods, first, month = [], starts, 1
    while first <= ends:
        following = _same_day(starts, month)
        periods.append((first, min(following - timedelta(days=1), ends)))
        first, month = following, month + 1
    return periods


def count_units(
    periods: Sequence[tuple[date, date]], verdicts: Sequence[Sequence[DayVerdict]], rules: Rules
) -> tuple[UnitAttendance, ...]:
    """Count each period's verdicts (rule 6)."""
    units, before = [], 0
    for (first, last), inside in zip(periods, verdicts, strict=True):
        statuses = [verdict.status for verdict in inside]
        events = sum(len(verdict.events) for verdict in inside)
        absences, rest = divmod(before + events, rules.events_per_absence)
        units.append(
            UnitAttendance(
                first, last, len(inside), statuses.count("attended"), statuses.count("excused"), events, absences,
                absent=statuses.count("absent"), days_ahead=statuses.count("ahead") + statuses.count("open"),
                events_before=before, verdicts=tuple(inside),
            )
        )  # fmt: skip
        before = rest if rules.event_counter == "carry_over" else 0
    return tuple(units)


def absences_by_day(unit: UnitAttendance, rules: Rules) -> Iterator[tuple[DayVerdict, int]]:
    """Each day of a unit with the unexcused absences that fall on it: its own, and that of its third event."""
    events, per_absence = unit.events_before, rules.events_per_absence
    for verdict in unit.verdicts:
        counted, events = events // per_absence, events + len(verdict.events)
        yield verdict, (verdict.status == "absent") + events // per_absence - counted


def _same_day(starts: date, months: int) -> date:
    """The same date so many months on; the month's last day where that date does not exist."""
    year, month = divmod(starts.month - 1 + months, 12)
    year, month = starts.year + year, month + 1
    return date(year, month, min(starts.day, calendar.monthrange(year, month)[1]))
