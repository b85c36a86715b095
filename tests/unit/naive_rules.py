"""The rules a second time: computed in the most naive way from the text of the training rules, never from the code.

Minutes are counted one by one, periods are found by walking the calendar, what is out of reach by hiding the days after
each date in turn. Slow on purpose, and without anything of `grader` but the types that histories are written in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any

from grader.attendance import Leaving, Mark, TrainingDay
from grader.rules import Rules

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class Day:
    date: date
    status: str
    events: list[str]
    present: int = 0


def shown(at: datetime) -> datetime:
    """A time as a clock without seconds shows it."""
    return at.replace(second=0, microsecond=0)


def minutes_of(day: TrainingDay, mark: Mark, grace: int) -> tuple[int, int, list[str]]:
    """Scheduled minutes, minutes present and what happened, minute by minute."""
    assert mark.check_in
    assert mark.check_out
    came, went = shown(mark.check_in), shown(mark.check_out)
    outings = [(shown(out), shown(back)) for out, back in mark.outings]
    late = came - day.starts > grace * MINUTE
    early = day.ends - went > grace * MINUTE
    scheduled = present = away = 0
    was_there_at_all = False
    minute = day.starts
    while minute < day.ends:
        scheduled += 1
        if came <= minute < went:
            was_there_at_all = True
        if (minute >= came or not late) and (minute < went or not early):
            if any(out <= minute < back for out, back in outings):
                away += 1
            else:
                present += 1
        minute += MINUTE
    if not was_there_at_all:
        return scheduled, 0, []
    return scheduled, present, ["late"] * late + ["early_leave"] * early + ["outing"] * (away > 0)


def day_without_excuse(day: TrainingDay, mark: Mark, rules: Rules, as_of: datetime, today: date) -> Day:
    """Rules 1, 2 and 4."""
    known = [at if at and (day.date < today or at <= as_of) else None for at in (mark.check_in, mark.check_out)]
    mark = Mark(known[0], known[1], mark.outings)
    if not mark.check_in:
        still_running = day.date == today and as_of < day.ends
        return Day(day.date, "ahead" if still_running else "absent", [])
    if not mark.check_out:
        return Day(day.date, "open" if day.date == today else "absent", [])
    scheduled, present, events = minutes_of(day, mark, rules.grace_minutes)
    if present == 0:
        return Day(day.date, "absent", [])
    if present == scheduled:
        return Day(day.date, "attended", [], present)
    line = Fraction(scheduled * rules.absent_below_percent, 100)
    if present < line or (present == line and rules.half_day_is == "absent"):
        return Day(day.date, "absent", [], present)
    return Day(day.date, "attended", events, present)


def unit_numbers(first: date, last: date) -> dict[date, int]:
    """The number of the unit period of each date, by walking the calendar (rule 5)."""
    numbers, number, at = {}, 0, first
    while at <= last:
        month_ends = (at + DAY).month != at.month
        if at != first and (at.day == first.day or (month_ends and at.day < first.day)):
            number += 1
        numbers[at] = number
        at += DAY
    return numbers


def all_days(
    days: Sequence[TrainingDay], marks: dict[date, Mark], rules: Rules, as_of: datetime, leaving: Leaving | None,
    numbers: dict[date, int],
) -> list[Day]:  # fmt: skip
    """Each day in its order, with caps of excuses, the official status and the leaving."""
    today = as_of.astimezone(days[0].starts.tzinfo).date()
    found: list[Day] = []
    spent: list[tuple[str, int]] = []  # kind and unit of each excused day
    for day in days:
        mark = marks.get(day.date, Mark())
        unit = numbers[day.date]
        if leaving and leaving.on <= today and day.date > leaving.on:
            found.append(Day(day.date, "left", []))
            continue
        if day.date > today:
            found.append(Day(day.date, "ahead", []))
            continue
        official = mark.official
        if official and rules.official_attendance == "wins":
            found.append(Day(day.date, official.status, list(official.events)))
            if official.status == "excused" and official.excuse_kind:
                spent.append((official.excuse_kind, unit))
            continue
        plain = day_without_excuse(day, mark, rules, as_of, today)
        needs_excuse = plain.status != "attended" or plain.events
        if (
            (mark.excused or mark.excuse_kind)
            and needs_excuse
            and may_excuse(mark.excuse_kind, unit, spent, rules, days)
        ):
            found.append(Day(day.date, "excused", []))
            if mark.excuse_kind:
                spent.append((mark.excuse_kind, unit))
            continue
        found.append(plain)
    return found


def may_excuse(
    kind: str | None, unit: int, spent: list[tuple[str, int]], rules: Rules, days: Sequence[TrainingDay]
) -> bool:
    """Rule 3."""
    if kind is None:
        return True
    for known in rules.excuses:
        if known.id != kind:
            continue
        in_course = len([1 for name, _ in spent if name == kind]) + 1
        in_unit = len([1 for name, number in spent if name == kind and number == unit]) + 1
        if known.max_days is not None and in_course > known.max_days:
            return False
        if known.max_percent_of_days is not None and in_course > Fraction(len(days) * known.max_percent_of_days, 100):
            return False
        return known.max_days_per_unit is None or in_unit <= known.max_days_per_unit
    return False


def absences(days: list[Day], numbers: dict[date, int], rules: Rules) -> list[tuple[date, int, str]]:
    """Each unexcused absence: its date, its unit, and whether a day or events made it (rule 6)."""
    found, waiting, unit = [], 0, 0
    for day in days:
        if numbers[day.date] != unit and rules.event_counter == "per_unit":
            waiting = 0
        unit = numbers[day.date]
        if day.status == "absent":
            found.append((day.date, unit, "day"))
        for _ in day.events:
            waiting += 1
            if waiting == rules.events_per_absence:
                found.append((day.date, unit, "events"))
                waiting = 0
    return found


def credited_by_unit(days: list[Day], numbers: dict[date, int], rules: Rules, counting: set[str]) -> list[int]:
    """Rule 6 for each unit, never below zero."""
    made = absences(days, numbers, rules)
    units = []
    for unit in range(max(numbers.values()) + 1):
        there = len([day for day in days if numbers[day.date] == unit and day.status in counting])
        units.append(max(0, there - len([one for one in made if one[1] == unit and one[2] == "events"])))
    return units


def enough(credited: int, days: int, percent: int) -> bool:
    """Rule 7; nobody has attended a course with no day credited."""
    return credited > 0 and credited * 100 >= days * percent


def reach(days: list[Day], numbers: dict[date, int], rules: Rules, percent: int) -> int:
    """How many absences are left: what could still be credited, less one by one until it is too little."""
    best = sum(credited_by_unit(days, numbers, rules, {"attended", "excused", "ahead", "open"}))
    if not enough(best, len(days), percent):
        return -1
    more = 0
    while enough(best - more - 1, len(days), percent):
        more += 1
    return more


def since_when(
    days: list[Day], numbers: dict[date, int], rules: Rules, percent: int, leaving: Leaving | None
) -> date | None:
    """The first date as of which it was out of reach: with the days after each date hidden in turn."""
    at = days[0].date - DAY
    while at <= days[-1].date:
        hidden = []
        for day in days:
            known = day.date <= at or (day.status == "left" and leaving is not None and leaving.on <= at)
            hidden.append(day if known else Day(day.date, "ahead", []))
        if reach(hidden, numbers, rules, percent) < 0:
            return at
        at += DAY
    return None


def dismissals(days: list[Day], numbers: dict[date, int], rules: Rules) -> list[tuple[str, date, int]]:
    """Rule 9: scope, since when, how many."""
    made = absences(days, numbers, rules)
    found = []
    for unit in range(max(numbers.values()) + 1):
        size = len([day for day in days if numbers[day.date] == unit])
        inside = [when for when, number, _ in made if number == unit]
        half = floor(Fraction(size * rules.dismissal.unit_percent, 100) + Fraction(1, 2))
        for count, when in enumerate(inside, 1):
            if count >= half:
                found.append(("unit", when, len(inside)))
                break
    for count, (when, _, _) in enumerate(made, 1):
        if count > Fraction(len(days) * rules.dismissal.course_percent, 100):
            found.append(("course", when, len(made)))
            break
    return found


def paid(
    unit_days: list[Day], credited: int, rules: Rules, hours: Fraction, hours_a_day: Fraction, place: str,
    excused: int,
) -> tuple[int, int]:  # fmt: skip
    """Rules 11 to 13 without flags: incentive and special allowance of a unit."""
    if not unit_days or credited * 100 < len(unit_days) * rules.attendance_percent:
        return 0, 0
    incentive = special = 0
    terms = rules.allowance.incentive
    if hours >= terms.from_course_hours:
        amounts = terms.long_day if hours_a_day >= terms.long_day_hours else terms.short_day
        incentive = min(amounts.daily_krw * credited, amounts.cap_krw)
    long = rules.allowance.special
    if hours >= long.from_course_hours and hours_a_day >= long.from_day_hours:
        amounts = getattr(long.places, place)
        days = credited if long.paid_days == "credited" else max(0, credited_without(unit_days, credited, excused))
        special = min(amounts.daily_krw * days, amounts.cap_krw)
    return incentive, special


def credited_without(unit_days: list[Day], credited: int, excused: int) -> int:
    """Credited days without the excused ones; absences that events make come off the attended days."""
    return credited - excused if unit_days else 0


def outcome(
    credited: int, left: int, total: int, rules: Rules, leaving: Leaving | None, labs: list[str], over: bool
) -> str:
    """Rules 8 and 10; a lab is `passed`, `failed` or `exempt`."""
    early = leaving is not None and leaving.kind == "early_employment"
    attendance = enough(credited, total, rules.early_employment_percent if early else rules.attendance_percent)
    practical = "failed" not in labs and "passed" in labs
    if leaving and leaving.kind in ("dropout", "dismissed"):
        return leaving.kind
    if early and not attendance:
        return "dropout"
    if attendance and practical:
        return "early_employment" if early else "completed"
    if left < 0:
        return "out_of_reach"
    return "not_completed" if over else "in_progress"


def everything(
    days: Sequence[TrainingDay], marks: dict[date, Mark], rules: Rules, as_of: datetime, leaving: Leaving | None,
    plan: tuple[int, int, str], labs: list[str], over: bool,
) -> dict[str, Any]:  # fmt: skip
    """All that the rules say of one history; `plan` is minutes of the course, minutes a day, and the class of place."""
    numbers = unit_numbers(days[0].date, days[-1].date)
    today = as_of.astimezone(days[0].starts.tzinfo).date()
    leaving = leaving if leaving and leaving.on <= today else None
    found = all_days(days, marks, rules, as_of, leaving, numbers)
    by_unit = credited_by_unit(found, numbers, rules, {"attended", "excused"})
    early = leaving is not None and leaving.kind == "early_employment"
    percent = rules.early_employment_percent if early else rules.attendance_percent
    left = reach(found, numbers, rules, percent)
    inside = [[day for day in found if numbers[day.date] == unit] for unit in range(len(by_unit))]
    hours, hours_a_day, place = Fraction(plan[0], 60), Fraction(plan[1], 60), plan[2]
    return {
        "days": [(day.status, tuple(day.events), day.present) for day in found],
        "units": [(len(days), credited) for days, credited in zip(inside, by_unit, strict=True)],
        "left": max(-1, left),
        "since": since_when(found, numbers, rules, percent, leaving) if left < 0 else None,
        "warnings": dismissals(found, numbers, rules),
        "paid": [
            paid(days, credited, rules, hours, hours_a_day, place, [day.status for day in days].count("excused"))
            for days, credited in zip(inside, by_unit, strict=True)
        ],
        "outcome": outcome(sum(by_unit), left, len(found), rules, leaving, labs, over),
    }
