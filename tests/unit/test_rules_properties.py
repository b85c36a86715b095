"""What must hold for any history: nothing is lost, nothing rewards being worse, nobody completes by one half alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from training_days import MONDAY, at, training_day

from grader.allowance import CoursePlan, estimate, self_pay
from grader.attendance import (
    CourseAttendance,
    Leaving,
    Mark,
    Official,
    judge_course,
    judge_day,
    unit_periods,
)
from grader.completion import LabWork, decide
from grader.rules import Rules
from labs.texts import Text

LATER = datetime(2028, 1, 1, tzinfo=UTC)
PLAN = CoursePlan(400 * 60, 480, "elsewhere")
NAME = Text(ko="실습", en="lab")
#: From the worst outcome to the best.
RANK = ("dismissed", "dropout", "out_of_reach", "not_completed", "in_progress", "early_employment", "completed")


def full(day: date) -> Mark:
    return Mark(at(9, day=day), at(17, day=day), rests_on=(f"in {day}", f"out {day}"))


MARKS: dict[str, Callable[[date], Mark]] = {
    "full": full,
    "late": lambda day: Mark(at(10, day=day), at(17, day=day)),
    "both": lambda day: Mark(at(10, day=day), at(16, day=day)),
    "every": lambda day: Mark(at(10, day=day), at(16, day=day), ((at(12, day=day), at(13, day=day)),)),
    "half": lambda day: Mark(at(13, day=day), at(17, day=day)),
    "short": lambda day: Mark(at(15, day=day), at(17, day=day)),
    "open": lambda day: Mark(at(9, day=day)),
    "none": lambda day: Mark(),
    "free": lambda day: Mark(excused="예비군"),
    "ill": lambda day: Mark(excuse_kind="illness"),
    "holiday": lambda day: Mark(excuse_kind="holiday"),
    "official": lambda day: Mark(official=Official("absent", raw="결석")),
    "official late": lambda day: Mark(official=Official("attended", ("late",), raw="지각")),
    "official holiday": lambda day: Mark(official=Official("excused", (), "holiday", "휴가")),
}
histories = st.lists(st.sampled_from(sorted(MARKS)), min_size=1, max_size=70)
rules_of = st.builds(
    Rules,
    attendance_percent=st.integers(0, 100),
    grace_minutes=st.sampled_from([0, 10]),
    half_day_is=st.sampled_from(["event", "absent"]),
    events_per_absence=st.integers(3, 5),
    official_attendance=st.sampled_from(["wins", "listed"]),
    allowance=st.sampled_from(
        [Rules().allowance, Rules.model_validate({"allowance": {"special": {"paid_days": "attended_only"}}}).allowance]
    ),
)
labs_of = st.lists(
    st.builds(
        LabWork,
        lab=st.just("lab"),
        title=st.just(NAME),
        pass_percent=st.integers(0, 100),
        submitted=st.booleans(),
        score=st.none() | st.integers(0, 100),
        max_score=st.sampled_from([0, 100]),
        final=st.booleans(),
        exempt=st.sampled_from([None, None, NAME]),
    ),
    max_size=3,
)
leavings = st.none() | st.builds(
    Leaving,
    kind=st.sampled_from(["completed", "dropout", "dismissed", "early_employment"]),
    on=st.integers(-1, 70).map(lambda days: MONDAY + timedelta(days=days)),
    reason=st.just("까닭"),
)


def course(
    kinds: list[str], rules: Rules, as_of: datetime = LATER, leaving: Leaving | None = None, **marks: Mark
) -> CourseAttendance:
    dates = [MONDAY + timedelta(days=i) for i in range(len(kinds))]
    found = {day: MARKS[kind](day) for day, kind in zip(dates, kinds, strict=True)}
    found |= {date.fromisoformat(day): mark for day, mark in marks.items()}
    days = [training_day(day) for day in dates]
    return judge_course(days, found, rules, as_of, leaving=leaving)


def rank(attendance: CourseAttendance, work: list[LabWork], over: bool = True) -> int:
    return RANK.index(decide(attendance, work, course_over=over).outcome)


def numbers(thing: Any) -> list[Any]:
    """Every number in a result and in what it is made of."""
    if is_dataclass(thing) and not isinstance(thing, type):
        return [number for field in fields(thing) for number in numbers(getattr(thing, field.name))]
    if isinstance(thing, BaseModel):
        return [number for name in type(thing).model_fields for number in numbers(getattr(thing, name))]
    if isinstance(thing, tuple | list):
        return [number for one in thing for number in numbers(one)]
    return [thing] if isinstance(thing, int | float) else []


@settings(max_examples=50, deadline=None)
@given(histories, rules_of, st.integers(0, 99_999_999))
def test_only_whole_numbers(kinds: list[str], rules: Rules, tuition: int) -> None:
    found = course(kinds, rules)
    every = numbers([found, list(found.warnings), estimate(found, PLAN, rules), self_pay(tuition, rules)])
    assert every
    assert {type(number) for number in every} <= {int, bool}
    assert 0 <= found.credited <= found.days


@settings(max_examples=200, deadline=None)
@given(histories, rules_of, labs_of, st.data())
def test_one_more_attended_day_never_lowers_anything(
    kinds: list[str], rules: Rules, work: list[LabWork], data: st.DataObject
) -> None:
    day = MONDAY + timedelta(days=data.draw(st.integers(0, len(kinds) - 1)))
    as_of = at(20, day=MONDAY + timedelta(days=data.draw(st.integers(0, len(kinds)))))
    before = course(kinds, rules, as_of)
    after = course(kinds, rules, as_of, **{day.isoformat(): full(day)})
    assert after.credited >= before.credited
    assert after.absences_left >= before.absences_left
    assert rank(after, work) >= rank(before, work)
    paid = [estimate(found, PLAN, rules).units for found in (before, after)]
    assert all(more.estimate_krw >= less.estimate_krw for less, more in zip(*paid, strict=True))


@settings(max_examples=200, deadline=None)
@given(histories, rules_of, st.data())
def test_an_absence_that_is_attended_lowers_nothing_where_events_carry_over(
    kinds: list[str], rules: Rules, data: st.DataObject
) -> None:
    rules = rules.model_copy(update={"event_counter": "carry_over"})
    number = data.draw(st.integers(0, len(kinds) - 1))
    kinds = [*kinds[:number], "none", *kinds[number + 1 :]]
    day = MONDAY + timedelta(days=number)
    before, after = course(kinds, rules), course(kinds, rules, **{day.isoformat(): full(day)})
    assert after.credited >= before.credited
    assert estimate(after, PLAN, rules).estimate_krw >= estimate(before, PLAN, rules).estimate_krw


WORSE = {"full": "late", "late": "half", "half": "short", "both": "every", "every": "none", "free": "none",
         "official late": "official", "open": "none"}  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(histories, rules_of, labs_of, leavings, st.data())
def test_no_outcome_is_better_with_worse_input(
    kinds: list[str], rules: Rules, work: list[LabWork], leaving: Leaving | None, data: st.DataObject
) -> None:
    before = course(kinds, rules, leaving=leaving)
    number = data.draw(st.integers(0, len(kinds) - 1))
    worse = [*kinds[:number], WORSE.get(kinds[number], kinds[number]), *kinds[number + 1 :]]
    after = course(worse, rules, leaving=leaving)
    assert after.credited <= before.credited
    assert rank(after, work) <= rank(before, work)
    if work:
        undone = [replace(work[0], final=False, exempt=None), *work[1:]]
        assert rank(before, undone) <= rank(before, work)
    assert len(after.warnings) >= len(before.warnings)


@settings(max_examples=300, deadline=None)
@given(histories, rules_of, labs_of, leavings, st.booleans())
@example(["none"] * 5, Rules(attendance_percent=0), [], None, True)
def test_one_half_alone_never_completes(
    kinds: list[str], rules: Rules, work: list[LabWork], leaving: Leaving | None, over: bool
) -> None:
    attendance = course(kinds, rules, leaving=leaving)
    decision = decide(attendance, work, course_over=over)
    done = any(lab.passed and lab.exempt is None for lab in work) and all(lab.met for lab in work)
    left = attendance.leaving.kind if attendance.leaving else None
    assert decision.completes == (attendance.passes and done and left not in ("dropout", "dismissed"))
    assert decision.completes == all(requirement.met for requirement in decision.requirements)
    if decision.completes:
        assert attendance.credited > 0
    assert set(attendance.rests_on) <= set(decision.rests_on)


@settings(max_examples=60, deadline=None)
@given(histories, rules_of, leavings)
def test_out_of_reach_since_is_the_first_date_as_of_which_it_was(
    kinds: list[str], rules: Rules, leaving: Leaving | None
) -> None:
    # Until midnight a day without a check-out is open; here every date is looked at in its last minute.
    kinds = ["none" if kind == "open" else kind for kind in kinds]
    since = course(kinds, rules, leaving=leaving).out_of_reach_since
    if leaving and leaving.kind == "early_employment":
        rules = rules.model_copy(update={"early_employment_percent": rules.attendance_percent})
        since = course(kinds, rules, leaving=leaving).out_of_reach_since
    dates = [MONDAY + timedelta(days=i) for i in range(-1, len(kinds) + 1)]
    gone = [day for day in dates if not course(kinds, rules, at(23, 59, day=day), leaving).reachable]
    assert since == (gone[0] if gone else None)


@given(st.dates(date(1999, 1, 1), date(2100, 12, 31)), st.integers(0, 800))
@example(date(2026, 1, 31), 60)
@example(date(2028, 1, 31), 60)
@example(date(2028, 2, 29), 400)
@example(date(2027, 2, 28), 400)
@example(date(2026, 12, 31), 90)
@example(date(2026, 12, 1), 31)
def test_units_lose_no_day_and_never_overlap(starts: date, length: int) -> None:
    ends = starts + timedelta(days=length)
    periods = unit_periods(starts, ends)
    covered = [first + timedelta(days=i) for first, last in periods for i in range((last - first).days + 1)]
    assert covered == [starts + timedelta(days=i) for i in range(length + 1)]
    for (first, last), (following, _) in pairwise(periods):
        assert 28 <= (last - first).days + 1 <= 31
        end_of_month = (following + timedelta(days=1)).month != following.month
        assert following.day == starts.day or (end_of_month and following.day < starts.day)


@settings(max_examples=60, deadline=None)
@given(histories, st.integers(-40, 40), st.integers(-40, 40))
def test_days_outside_of_the_courses_dates_are_not_lost(kinds: list[str], before: int, after: int) -> None:
    dates = [MONDAY + timedelta(days=i) for i in range(len(kinds))]
    marks = {day: MARKS[kind](day) for day, kind in zip(dates, kinds, strict=True)}
    period = (dates[0] + timedelta(days=before), dates[-1] + timedelta(days=after))
    found = judge_course([training_day(day) for day in dates], marks, Rules(), LATER, period)
    assert sum(unit.days for unit in found.units) == found.days == len(kinds)
    assert [verdict.date for verdict in found.verdicts] == dates


minutes = st.integers(-60, 600).map(lambda minute: at(9) + timedelta(minutes=minute))


@settings(deadline=None)
@given(minutes, minutes, st.lists(st.tuples(minutes, minutes), max_size=5), st.randoms(), st.integers(0, 30))
def test_the_order_of_events_within_a_day_does_not_matter(
    came: datetime, went: datetime, outings: list[tuple[datetime, datetime]], dice: Any, grace: int
) -> None:
    day, rules = training_day(), Rules(grace_minutes=grace)
    one = judge_day(day, Mark(came, went, tuple(outings)), rules, LATER)
    dice.shuffle(outings)
    other = judge_day(day, Mark(came, went, tuple(outings)), rules, LATER)
    assert one == other
    assert 0 <= one.minutes_present <= one.minutes_scheduled
    elsewhere = [(out.astimezone(UTC), back.astimezone(UTC)) for out, back in outings]
    in_utc = Mark(came.astimezone(UTC), went.astimezone(UTC), tuple(elsewhere))
    assert judge_day(day, in_utc, rules, LATER) == one
    longer = judge_day(day, Mark(came, went, (*outings, (came, came + timedelta(minutes=30)))), rules, LATER)
    assert longer.minutes_present <= one.minutes_present
