"""The pure functions against the naive computation of the same rules, over random histories.

PRACTICUM_HISTORIES sets how many: `PRACTICUM_HISTORIES=100000 pytest tests/unit/test_naive_rules.py`.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import naive_rules

from grader.allowance import CoursePlan, estimate
from grader.attendance import CourseAttendance, Leaving, Mark, Official, TrainingDay, judge_course
from grader.completion import LabWork, decide
from grader.rules import Dismissal, ExcuseKind, Rules
from labs.texts import Text

SEOUL, UTC = ZoneInfo("Asia/Seoul"), ZoneInfo("UTC")
STARTS = [
    date(2026, 7, 6),
    date(2026, 1, 31),
    date(2028, 1, 30),
    date(2028, 2, 29),
    date(2026, 12, 15),
    date(2027, 8, 31),
]
KINDS = tuple(
    ExcuseKind(id=name, title=Text(ko=name, en=name), **caps)
    for name, caps in [("two", {"max_days": 2}), ("tenth", {"max_percent_of_days": 10}), ("third", {"max_percent_of_days": 34}),
                       ("monthly", {"max_days_per_unit": 1}), ("never", {"max_days": 0}), ("free", {}),
                       ("both", {"max_days": 3, "max_days_per_unit": 1})]
)  # fmt: skip
PLACES = ("capital", "elsewhere", "declining", "live_remote")
TEXT = Text(ko="가", en="a")


@dataclass
class History:
    days: list[TrainingDay]
    marks: dict[date, Mark]
    rules: Rules
    as_of: datetime
    leaving: Leaving | None
    plan: tuple[int, int, str]
    labs: list[str]
    over: bool


def a_rules(dice: random.Random) -> Rules:
    places = {
        place: {"daily_krw": dice.choice([5_000, 10_000]), "cap_krw": dice.choice([15_000, 100_000])}
        for place in PLACES
    }
    allowance = {
        "incentive": {"long_day": {"daily_krw": 10_000, "cap_krw": dice.choice([30_000, 200_000])}},
        "special": {"paid_days": dice.choice(["credited", "attended_only"]), "places": places},
    }
    return Rules(
        attendance_percent=dice.choice([80, 80, 80, 0, 1, 50, 75, 90, 100]),
        absent_below_percent=dice.choice([50, 50, 50, 0, 33, 80, 100]),
        half_day_is=dice.choice(["event", "absent"]),
        grace_minutes=dice.choice([0, 0, 2, 10]),
        events_per_absence=dice.choice([3, 3, 3, 1, 2, 4]),
        event_counter=dice.choice(["per_unit", "carry_over"]),
        official_attendance=dice.choice(["wins", "listed"]),
        excuses=KINDS,
        dismissal=Dismissal(unit_percent=dice.choice([50, 50, 33, 100]), course_percent=dice.choice([20, 20, 0, 45])),
        early_employment_percent=dice.choice([80, 80, 50, 100]),
        allowance=allowance,  # type: ignore[arg-type]
    )


def an_official(dice: random.Random) -> Official:
    status = dice.choice(["attended", "attended", "excused", "absent"])
    events = (
        [event for event in ("late", "early_leave", "outing") if dice.random() < 0.3] if status == "attended" else []
    )
    kind = dice.choice([None, *[kind.id for kind in KINDS]]) if status == "excused" else None
    return Official(status, tuple(events), kind, status)  # type: ignore[arg-type]


def a_mark(dice: random.Random, day: TrainingDay, rules: Rules) -> Mark:
    length = int((day.ends - day.starts).total_seconds()) // 60

    def at(minute: int) -> datetime:
        return (day.starts + timedelta(minutes=minute, seconds=dice.choice([0, 0, 59]))).astimezone(UTC)

    grace = rules.grace_minutes
    if dice.random() < 0.15:  # every event of a day
        return Mark(at(grace + 1), at(length - grace - 1), ((at(grace + 2), at(grace + 3)),))
    came = dice.choice(
        [0, 0, -30, grace, grace + 1, length - length * rules.absent_below_percent // 100, dice.randint(-5, length + 5)]
    )
    went = dice.choice([length, length, length + 700, 24 * 60, length - grace, length - grace - 1,
                        length * rules.absent_below_percent // 100, dice.randint(-5, length + 5)])  # fmt: skip
    outings = tuple(
        (at(dice.randint(-8, length + 8)), at(dice.randint(-8, length + 8)))
        for _ in range(dice.choice([0, 0, 0, 1, 3]))
    )
    kind = dice.choice([None, *[kind.id for kind in KINDS], "unknown"]) if dice.random() < 0.3 else None
    return Mark(
        check_in=at(came) if dice.random() < 0.85 else None,
        check_out=at(went) if dice.random() < 0.85 else None,
        outings=outings,
        excused="까닭" if dice.random() < (0.8 if kind else 0.05) else None,
        excuse_kind=kind,
        official=an_official(dice) if dice.random() < 0.2 else None,
    )


def a_history(seed: int) -> History:
    dice = random.Random(seed)
    rules = a_rules(dice)
    length, gap = dice.choice([4, 6, 10, 20]), dice.choice([1, 3, 9])
    start, days, at = time(9, 0), [], dice.choice(STARTS)
    for _ in range(dice.randint(1, 12)):
        opens = datetime.combine(at, start, SEOUL)
        days.append(TrainingDay(at, opens, opens + timedelta(minutes=length)))
        at += timedelta(days=dice.randint(1, gap))
    care = dice.choice([0.0, 0.2, 0.8, 0.95])  # how likely a day is attended in full
    marks = {
        day.date: Mark(day.starts, day.ends) if dice.random() < care else a_mark(dice, day, rules)
        for day in days
        if dice.random() < 0.95
    }
    span = (days[-1].date - days[0].date).days + 1
    now = dice.choice([400, 400, dice.randint(-1, span)])
    as_of = days[0].starts + timedelta(
        days=now, minutes=dice.choice([0, -1, length, length // 2, 14 * 60 + 59, 15 * 60])
    )
    kind = dice.choice(["completed", "dropout", "dismissed", "early_employment", "early_employment"])
    leaving = (
        Leaving(kind, days[0].date + timedelta(days=dice.randint(-1, span)), "까닭") if dice.random() < 0.3 else None
    )  # type: ignore[arg-type]
    plan = (dice.choice([8399, 8400, 20999, 21000]), dice.choice([299, 300, 480]), dice.choice(PLACES))
    labs = [dice.choice(["passed", "passed", "passed", "exempt", "failed"]) for _ in range(dice.randint(0, 2))]
    return History(days, marks, rules, as_of.astimezone(UTC), leaving, plan, labs, dice.random() < 0.5)


def a_lab(state: str) -> LabWork:
    done = state == "passed"
    return LabWork("lab", TEXT, 60, done, 60 if done else None, 100, done, exempt=TEXT if state == "exempt" else None)


def by_the_code(history: History) -> tuple[CourseAttendance, dict[str, Any]]:
    found = judge_course(history.days, history.marks, history.rules, history.as_of, leaving=history.leaving)
    paid = estimate(found, CoursePlan(*history.plan), history.rules)  # type: ignore[arg-type]
    work = [a_lab(state) for state in history.labs]
    amounts = [{part.id: part.amount_krw for part in unit.parts} for unit in paid.units]
    return found, {
        "days": [(one.status, one.events, one.minutes_present) for one in found.verdicts],
        "units": [(unit.days, unit.credited) for unit in found.units],
        "left": max(-1, found.absences_left),
        "since": found.out_of_reach_since,
        "warnings": [(one.scope, one.since, one.absences) for one in found.warnings],
        "paid": [(unit.get("incentive", 0), unit.get("special", 0)) for unit in amounts],
        "outcome": decide(found, work, course_over=history.over).outcome,
    }


def test_the_pure_functions_say_what_the_naive_computation_says() -> None:
    seen: Counter[str] = Counter()
    for seed in range(int(os.environ.get("PRACTICUM_HISTORIES", "5000"))):
        history = a_history(seed)
        found, said = by_the_code(history)
        naive = naive_rules.everything(
            history.days,
            history.marks,
            history.rules,
            history.as_of,
            history.leaving,
            history.plan,
            history.labs,
            history.over,
        )
        assert said == naive, f"history {seed}: {history}"
        seen.update([said["outcome"], *(one.status for one in found.verdicts)])
        seen["several units"] += len(found.units) > 1
        seen["since"] += said["since"] is not None
        seen["warned"] += bool(said["warnings"])
        seen["paid"] += any(sum(amounts) for amounts in said["paid"])
        seen["over a cap"] += any(one.excuse_refused is not None for one in found.verdicts)
        seen["outing"] += any("outing" in one.events for one in found.verdicts)
        seen["official"] += any(one.ground == "official" for one in found.verdicts)
        seen["at the line"] += any(
            0 < one.minutes_present < one.minutes_scheduled
            and one.minutes_present * 100 == one.minutes_scheduled * history.rules.absent_below_percent
            for one in found.verdicts
        )
    # Histories that never meet a rule would prove nothing of it.
    rare = {what: count for what, count in seen.items() if count < 25}
    assert not rare
    assert len(seen) == 7 + 6 + 8
