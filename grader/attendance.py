"""Attendance: from marks to days, units and a course, in whole numbers.

Pure functions over plain data: no database, no clock. Each verdict says why, and names the records it rests on.
Rules 1-8 of the programme (`grader.rules`).
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from grader.rules import Rules
from labs.texts import Text

Status = Literal["attended", "excused", "absent", "open", "ahead"]
Event = Literal["late", "early_leave", "outing"]

STATUS_TEXT: dict[Status, Text] = {
    "attended": Text(ko="출석", en="attended"),
    "excused": Text(ko="공가·휴가", en="excused"),
    "absent": Text(ko="결석", en="absent"),
    "open": Text(ko="진행 중", en="in progress"),
    "ahead": Text(ko="예정", en="ahead"),
}
EVENT_TEXT: dict[Event, Text] = {
    "late": Text(ko="지각", en="late"),
    "early_leave": Text(ko="조퇴", en="early leave"),
    "outing": Text(ko="외출", en="outing"),
}


@dataclass(frozen=True)
class TrainingDay:
    """A scheduled day of a course run; starts and ends are aware times."""

    date: date
    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class Mark:
    """What is recorded of a learner on a day, and the ids of the events it comes from."""

    check_in: datetime | None = None
    check_out: datetime | None = None
    outings: tuple[tuple[datetime, datetime], ...] = ()
    excused: str | None = None
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class DayVerdict:
    """What a day counts as, and why."""

    date: date
    status: Status
    because: Text
    events: tuple[Event, ...] = ()
    minutes_present: int = 0
    minutes_scheduled: int = 0
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnitAttendance:
    """A unit period: its days, and the absences that its events make."""

    starts: date
    ends: date
    days: int
    attended: int
    excused: int
    events: int
    absences_from_events: int

    @property
    def credited(self) -> int:
        return max(0, self.attended + self.excused - self.absences_from_events)


@dataclass(frozen=True)
class CourseAttendance:
    """A learner's attendance over the whole course (rule 7: whole numbers, never rounded up)."""

    verdicts: tuple[DayVerdict, ...]
    units: tuple[UnitAttendance, ...]
    days: int
    credited: int
    needed: int
    days_ahead: int
    rests_on: tuple[str, ...] = field(default=())

    @property
    def passes(self) -> bool:
        return self.credited >= self.needed

    @property
    def absences_left(self) -> int:
        """How many more days may be missed with the requirement still in reach; below zero: out of reach."""
        return self.credited + self.days_ahead - self.needed

    @property
    def reachable(self) -> bool:
        return self.absences_left >= 0


def judge_day(day: TrainingDay, mark: Mark, rules: Rules, as_of: datetime) -> DayVerdict:
    """Say what one day counts as (rules 1-4); a day without a check-out is open until its local date is over."""
    scheduled = _minutes(day.starts, day.ends)

    def verdict(status: Status, ko: str, en: str, *, present: int = 0, events: tuple[Event, ...] = ()) -> DayVerdict:
        return DayVerdict(day.date, status, Text(ko=ko, en=en), events, present, scheduled, mark.rests_on)

    if mark.excused:
        return verdict("excused", f"공가·휴가: {mark.excused}", f"excused: {mark.excused}")
    today = as_of.astimezone(day.starts.tzinfo).date()
    if mark.check_in is None or mark.check_out is None:
        if today < day.date or (today == day.date and mark.check_in is None and as_of < day.ends):
            return verdict("ahead", "아직 오지 않은 훈련일입니다.", "this training day is still to come")
        if mark.check_in is None:
            return verdict("absent", "입실 기록이 없습니다.", "no check-in is recorded")
        if today == day.date:
            return verdict("open", "입실했고 아직 퇴실하지 않았습니다.", "checked in, not yet checked out")
        return verdict("absent", "퇴실 기록이 없습니다.", "no check-out is recorded")
    present = _minutes_present(day, mark, rules)
    text_ko, text_en = f"{scheduled}분 중 {present}분 참여했습니다.", f"present for {present} of {scheduled} minutes"
    share, line = present * 100, scheduled * rules.absent_below_percent
    if share < line or (share == line and rules.half_day_is == "absent"):
        return verdict("absent", text_ko, text_en, present=present)
    events = _events(day, mark, rules) if present < scheduled else ()
    return verdict("attended", text_ko, text_en, present=present, events=events)


def unit_periods(starts: date, ends: date) -> list[tuple[date, date]]:
    """Cut a course into unit periods: months from its start date, the last one to its end (rule 5)."""
    periods, first, month = [], starts, 1
    while first <= ends:
        following = _same_day(starts, month)
        periods.append((first, min(following - timedelta(days=1), ends)))
        first, month = following, month + 1
    return periods


def judge_course(
    days: Sequence[TrainingDay],
    marks: Mapping[date, Mark],
    rules: Rules,
    as_of: datetime,
    period: tuple[date, date] | None = None,
) -> CourseAttendance:
    """Judge every day, unit and the whole course of one learner (rules 4-8).

    `period` is the course's first and last date; without it, those of its training days.
    """
    ordered = sorted(days, key=lambda day: day.date)
    verdicts = tuple(judge_day(day, marks.get(day.date, Mark()), rules, as_of) for day in ordered)
    if period is None and ordered:
        period = (ordered[0].date, ordered[-1].date)
    units = _judge_units(verdicts, unit_periods(*period), rules) if period else ()
    total = len(ordered)
    return CourseAttendance(
        verdicts=verdicts,
        units=units,
        days=total,
        credited=sum(unit.credited for unit in units),
        needed=-(-total * rules.attendance_percent // 100),
        days_ahead=sum(verdict.status in ("ahead", "open") for verdict in verdicts),
        rests_on=tuple(event for verdict in verdicts for event in verdict.rests_on),
    )


def _judge_units(
    verdicts: Sequence[DayVerdict], periods: Sequence[tuple[date, date]], rules: Rules
) -> tuple[UnitAttendance, ...]:
    units, carried = [], 0
    for first, last in periods:
        inside = [verdict for verdict in verdicts if first <= verdict.date <= last]
        events = sum(len(verdict.events) for verdict in inside)
        before = carried if rules.event_counter == "carry_over" else 0
        absences = (before + events) // rules.events_per_absence
        carried = (before + events) % rules.events_per_absence
        attended = sum(verdict.status == "attended" for verdict in inside)
        excused = sum(verdict.status == "excused" for verdict in inside)
        units.append(UnitAttendance(first, last, len(inside), attended, excused, events, absences))
    return tuple(units)


def _same_day(starts: date, months: int) -> date:
    """The same date so many months on; the month's last day where that date does not exist."""
    year, month = divmod(starts.month - 1 + months, 12)
    year, month = starts.year + year, month + 1
    return date(year, month, min(starts.day, calendar.monthrange(year, month)[1]))


def _minutes(start: datetime, end: datetime) -> int:
    return max(0, int((end - start).total_seconds()) // 60)


def _minutes_present(day: TrainingDay, mark: Mark, rules: Rules) -> int:
    """Minutes within the scheduled hours; lateness and leaving within the grace are made good."""
    if mark.check_in is None or mark.check_out is None:
        return 0
    grace = timedelta(minutes=rules.grace_minutes)
    start = day.starts if mark.check_in <= day.starts + grace else mark.check_in
    end = day.ends if mark.check_out >= day.ends - grace else mark.check_out
    away = sum(_minutes(max(out, start), min(back, end)) for out, back in mark.outings)
    return max(0, _minutes(start, end) - away)


def _events(day: TrainingDay, mark: Mark, rules: Rules) -> tuple[Event, ...]:
    grace = timedelta(minutes=rules.grace_minutes)
    happened: list[Event] = []
    if mark.check_in and mark.check_in > day.starts + grace:
        happened.append("late")
    if mark.check_out and mark.check_out < day.ends - grace:
        happened.append("early_leave")
    if mark.outings:
        happened.append("outing")
    return tuple(happened)
