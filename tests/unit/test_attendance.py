"""The worked examples of the attendance rules, and what must hold for any history."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.attendance import Mark, TrainingDay, judge_course, judge_day, unit_periods
from grader.rules import Rules

SEOUL = ZoneInfo("Asia/Seoul")
MONDAY = date(2026, 7, 6)
STRICT = Rules(grace_minutes=0)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time(hour, minute), SEOUL)


def training_day(day: date = MONDAY) -> TrainingDay:
    return TrainingDay(day, at(9, day=day), at(17, day=day))


def judged(
    check_in: datetime | None, check_out: datetime | None, rules: Rules = STRICT, **more: object
) -> tuple[str, tuple[str, ...]]:
    verdict = judge_day(training_day(), Mark(check_in, check_out, **more), rules, LATER)  # type: ignore[arg-type]
    return verdict.status, verdict.events


@pytest.mark.parametrize(
    ("check_in", "check_out", "rules", "expected"),
    [
        (at(9), at(17), STRICT, ("attended", ())),
        (at(8, 30), at(18), STRICT, ("attended", ())),
        (at(13, 1), at(17), STRICT, ("absent", ())),  # 3 h 59 min of 8 h
        (at(13), at(17), STRICT, ("attended", ("late",))),  # 4 h
        (at(13), at(17), STRICT.model_copy(update={"half_day_is": "absent"}), ("absent", ())),
        (at(9, 30), at(16, 30), STRICT, ("attended", ("late", "early_leave"))),
        (at(9, 10), at(16, 50), Rules(), ("attended", ())),  # within the grace of ten minutes
        (at(9, 11), at(17), Rules(), ("attended", ("late",))),
        (at(9), None, STRICT, ("absent", ())),
        (None, at(17), STRICT, ("absent", ())),
        (None, None, STRICT, ("absent", ())),
    ],
)
def test_a_day(
    check_in: datetime | None, check_out: datetime | None, rules: Rules, expected: tuple[str, tuple[str, ...]]
) -> None:
    assert judged(check_in, check_out, rules) == expected


def test_an_outing_is_an_event_and_its_minutes_count_off() -> None:
    assert judged(at(9), at(17), outings=((at(12), at(13)),)) == ("attended", ("outing",))
    assert judged(at(9), at(17), outings=((at(9, 30), at(15)),)) == ("absent", ())


def test_excused_is_credited_without_a_check_in() -> None:
    assert judged(None, None, excused="예비군") == ("excused", ())


def test_a_day_in_progress_is_neither_attended_nor_absent() -> None:
    open_day = judge_day(training_day(), Mark(check_in=at(9)), STRICT, at(11))
    assert open_day.status == "open"
    assert judge_day(training_day(), Mark(), STRICT, at(8)).status == "ahead"
    assert judge_day(training_day(), Mark(), STRICT, at(17, 1)).status == "absent"
    # The local date decides: 23:30 in Seoul is still that day, an hour later it is not.
    assert judge_day(training_day(), Mark(check_in=at(9)), STRICT, at(23, 30)).status == "open"
    assert judge_day(training_day(), Mark(check_in=at(9)), STRICT, at(23, 30) + timedelta(hours=1)).status == "absent"


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        (
            date(2026, 7, 6),
            date(2026, 8, 20),
            [(date(2026, 7, 6), date(2026, 8, 5)), (date(2026, 8, 6), date(2026, 8, 20))],
        ),
        (
            date(2026, 1, 31),
            date(2026, 3, 15),
            [(date(2026, 1, 31), date(2026, 2, 27)), (date(2026, 2, 28), date(2026, 3, 15))],
        ),
        (
            date(2028, 1, 31),
            date(2028, 3, 1),
            [(date(2028, 1, 31), date(2028, 2, 28)), (date(2028, 2, 29), date(2028, 3, 1))],
        ),
    ],
)
def test_unit_periods(starts: date, ends: date, expected: list[tuple[date, date]]) -> None:
    assert unit_periods(starts, ends) == expected


def course(days: int, attended: int, late: int = 0, rules: Rules = STRICT) -> object:
    dates = [MONDAY + timedelta(days=i) for i in range(days)]
    marks = {}
    for index, day in enumerate(dates[:attended]):
        marks[day] = Mark(at(10 if index < late else 9, day=day), at(17, day=day), rests_on=(f"e{index}",))
    return judge_course([training_day(day) for day in dates], marks, rules, LATER)


@pytest.mark.parametrize(
    ("days", "attended", "late", "passes"),
    [(20, 16, 0, True), (20, 15, 0, False), (18, 15, 0, True), (18, 14, 0, False), (16, 13, 0, True), (16, 12, 0, False),
     (20, 17, 3, True), (20, 16, 3, False), (20, 16, 2, True)],
)  # fmt: skip
def test_the_rate_passes_in_whole_numbers(days: int, attended: int, late: int, passes: bool) -> None:
    assert course(days, attended, late).passes is passes  # type: ignore[attr-defined]


def test_120_days_need_96() -> None:
    assert course(120, 96).needed == 96  # type: ignore[attr-defined]


def test_three_events_of_two_units_are_an_absence_only_where_they_carry_over() -> None:
    dates = [date(2026, 7, 6), date(2026, 7, 7), date(2026, 8, 6)]
    marks = {day: Mark(at(10, day=day), at(17, day=day)) for day in dates}
    days = [training_day(day) for day in dates]
    apart = judge_course(days, marks, STRICT, LATER)
    carried = judge_course(days, marks, STRICT.model_copy(update={"event_counter": "carry_over"}), LATER)
    assert (apart.credited, carried.credited) == (3, 2)
    assert [unit.absences_from_events for unit in carried.units] == [0, 1]


def test_it_says_when_completion_is_out_of_reach() -> None:
    dates = [MONDAY + timedelta(days=i) for i in range(5)]
    days = [training_day(day) for day in dates]
    after_one_absence = judge_course(days, {}, STRICT, at(20))
    assert (after_one_absence.reachable, after_one_absence.absences_left) == (True, 0)
    after_two = judge_course(days, {}, STRICT, at(20, day=dates[1]))
    assert not after_two.reachable


day_marks = st.sampled_from(["full", "late", "half", "short", "none", "excused"])


def mark_of(kind: str, day: date) -> Mark:
    return {
        "full": Mark(at(9, day=day), at(17, day=day)),
        "late": Mark(at(10, day=day), at(17, day=day)),
        "half": Mark(at(13, day=day), at(17, day=day)),
        "short": Mark(at(15, day=day), at(17, day=day)),
        "none": Mark(),
        "excused": Mark(excused="병가"),
    }[kind]


@given(st.lists(day_marks, min_size=1, max_size=70), st.data())
def test_one_more_attended_day_never_lowers_anything(kinds: list[str], data: st.DataObject) -> None:
    dates = [MONDAY + timedelta(days=i) for i in range(len(kinds))]
    days = [training_day(day) for day in dates]
    marks = {day: mark_of(kind, day) for day, kind in zip(dates, kinds, strict=True)}
    before = judge_course(days, marks, STRICT, LATER)
    better = data.draw(st.sampled_from(dates))
    after = judge_course(days, {**marks, better: mark_of("full", better)}, STRICT, LATER)
    assert after.credited >= before.credited
    assert sum(unit.days for unit in before.units) == before.days
    assert 0 <= before.credited <= before.days
