"""The worked examples of the attendance rules, and what must hold for any history."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from training_days import MONDAY, at, training_day

from grader.attendance import (
    CourseAttendance,
    Leaving,
    Mark,
    Official,
    judge_course,
    judge_day,
    unit_periods,
)
from grader.rules import Rules
from labs.texts import Text

STRICT = Rules(grace_minutes=0)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


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
def test_rule_1_and_2_a_day(
    check_in: datetime | None, check_out: datetime | None, rules: Rules, expected: tuple[str, tuple[str, ...]]
) -> None:
    assert judged(check_in, check_out, rules) == expected


def test_an_outing_is_an_event_and_its_minutes_count_off() -> None:
    assert judged(at(9), at(17), outings=((at(12), at(13)),)) == ("attended", ("outing",))
    assert judged(at(9), at(17), outings=((at(9, 30), at(15)),)) == ("absent", ())


@pytest.mark.parametrize(
    ("outings", "minutes", "events"),
    [
        (((at(12), at(13)), (at(12, 30), at(13, 30))), 390, ("outing",)),  # overlapping minutes count once
        (((at(12), at(14)), (at(12, 30), at(13))), 360, ("outing",)),  # one within another
        (((at(7), at(8)), (at(18), at(19))), 480, ()),  # outside the hours
        (((at(8), at(9, 30)), (at(16, 45), at(20))), 435, ("outing",)),  # partly outside
        (((at(13), at(12)), (at(12), at(12))), 480, ()),  # reversed, and empty
    ],
)
def test_rule_1_outings(outings: tuple[tuple[datetime, datetime], ...], minutes: int, events: tuple[str, ...]) -> None:
    for order in permutations(outings):
        verdict = judge_day(training_day(), Mark(at(9), at(17), tuple(order)), STRICT, LATER)
        assert (verdict.minutes_present, verdict.events) == (minutes, events)


@pytest.mark.parametrize(
    ("came", "went", "minutes"),
    [
        (at(6), at(17), 480),  # before the start
        (at(9), at(23, 59), 480),
        (at(9), at(1, day=MONDAY + timedelta(days=1)), 480),  # the next day
        (at(9, day=MONDAY - timedelta(days=1)), at(17), 480),
        (at(17), at(20), 0),  # after the hours
        (at(6), at(9), 0),
        (at(16), at(10), 0),  # reversed
        (at(9, 0, MONDAY) + timedelta(seconds=59), at(17), 480),  # the minute that a clock shows
        (at(13) + timedelta(seconds=59), at(17), 240),
    ],
)
def test_rule_1_minutes_are_those_of_the_hours(came: datetime, went: datetime, minutes: int) -> None:
    verdict = judge_day(training_day(), Mark(came, went), STRICT, LATER)
    assert verdict.minutes_present == minutes
    assert verdict.status == ("attended" if minutes else "absent")


def test_rule_1_nobody_attends_for_no_minute_and_who_was_there_all_day_does() -> None:
    anything = STRICT.model_copy(update={"absent_below_percent": 0})
    assert judged(at(17), at(20), anything) == ("absent", ())
    everything = STRICT.model_copy(update={"absent_below_percent": 100, "half_day_is": "absent"})
    assert judged(at(9), at(17), everything) == ("attended", ())


def test_rule_2_a_correction_is_open_until_the_next_day() -> None:
    assert Rules().correction_until(date(2026, 12, 31)) == date(2027, 1, 1)


def test_excused_is_credited_without_a_check_in() -> None:
    assert judged(None, None, excused="예비군") == ("excused", ())


def excused(count: int, kind: str | None, days: int = 20, rules: Rules = STRICT, gap: int = 1) -> CourseAttendance:
    dates = [MONDAY + timedelta(days=i * gap) for i in range(days)]
    marks = {day: Mark(excuse_kind=kind, excused="까닭", rests_on=(f"e{day}",)) for day in dates[:count]}
    return judge_course([training_day(day) for day in dates], marks, rules, LATER)


@pytest.mark.parametrize(
    ("kind", "days", "credited"),
    [("own_wedding", 20, 5), ("child_wedding", 20, 1), ("spouse_childbirth", 20, 5), ("death_parent_or_spouse", 20, 5),
     ("death_grandparent", 20, 3), ("death_sibling", 20, 1), ("illness", 20, 2), ("illness", 19, 1), ("holiday", 20, 1),
     (None, 20, 7), ("no_such_kind", 20, 0)],
)  # fmt: skip
def test_rule_3_excuses_over_their_cap_are_absences(kind: str | None, days: int, credited: int) -> None:
    found = excused(7, kind, days)
    assert [verdict.status for verdict in found.verdicts[:7]] == ["excused"] * credited + ["absent"] * (7 - credited)
    assert found.credited == credited
    assert found.days == days
    if credited < 7:
        assert found.verdicts[6].excuse_refused is not None
        assert found.verdicts[6].excuse_refused.ko in found.verdicts[6].because.ko


def test_rule_3_one_holiday_in_each_unit() -> None:
    found = excused(40, "holiday", 40)
    assert [unit.excused for unit in found.units] == [1, 1]


def test_rule_3_a_refused_excuse_says_the_cap_and_leaves_what_the_times_say() -> None:
    dates = [MONDAY, MONDAY + timedelta(days=1)]
    marks = {
        dates[0]: Mark(excuse_kind="child_wedding", excused="딸"),
        dates[1]: Mark(at(10, day=dates[1]), at(17, day=dates[1]), excuse_kind="child_wedding"),
    }
    first, second = judge_course([training_day(day) for day in dates], marks, STRICT, LATER).verdicts
    assert first.because == Text(ko="공가·휴가: 자녀 결혼, 딸", en="excused: a child's wedding, 딸")
    assert (second.status, second.events) == ("attended", ("late",))
    assert second.because == Text(
        ko="480분 중 420분 참여했습니다. '자녀 결혼' 인정 한도(과정 전체 1일)를 넘어 인정하지 않습니다.",
        en="present for 420 of 480 minutes; 'a child's wedding' is credited for at most 1 day in the course",
    )


def test_rule_3_a_day_attended_in_full_uses_no_excuse_up() -> None:
    dates = [MONDAY, MONDAY + timedelta(days=1)]
    marks = {dates[0]: Mark(at(9), at(17), excuse_kind="child_wedding"), dates[1]: Mark(excuse_kind="child_wedding")}
    found = judge_course([training_day(day) for day in dates], marks, STRICT, LATER)
    assert [verdict.status for verdict in found.verdicts] == ["attended", "excused"]


def test_rule_4_a_day_ahead_is_in_the_denominator_and_never_attended() -> None:
    dates = [MONDAY, MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)]
    marks = {
        dates[1]: Mark(excused="예비군"),
        dates[2]: Mark(at(9, day=dates[2]), at(17, day=dates[2]), official=Official("attended")),
    }
    found = judge_course([training_day(day) for day in dates], marks, STRICT, at(20))
    assert [verdict.status for verdict in found.verdicts] == ["absent", "ahead", "ahead"]
    assert (found.days, found.credited, found.days_ahead) == (3, 0, 2)


def test_rule_4_a_time_that_lies_ahead_today_is_not_counted() -> None:
    corrected = Mark(at(9), at(17))
    assert judge_day(training_day(), corrected, STRICT, at(16)).status == "open"
    assert judge_day(training_day(), corrected, STRICT, at(8)).status == "ahead"
    assert judge_day(training_day(), corrected, STRICT, at(17)).status == "attended"


def test_the_official_status_wins_where_the_rules_say_so() -> None:
    official = Official("attended", ("late", "early_leave"), raw="지각&조퇴")
    mark = Mark(at(9), at(17), official=official, rests_on=("import-1",))
    wins = judge_day(training_day(), mark, STRICT, LATER)
    assert (wins.status, wins.events, wins.rests_on) == ("attended", ("late", "early_leave"), ("import-1",))
    assert wins.because == Text(ko="공식 출결: 지각&조퇴", en="official attendance: 지각&조퇴")
    assert not wins.differs_from_official
    listed = judge_day(training_day(), mark, STRICT.model_copy(update={"official_attendance": "listed"}), LATER)
    assert (listed.status, listed.events, listed.official) == ("attended", (), official)
    assert listed.differs_from_official


@pytest.mark.parametrize("typed", ["{scheduled}", "{0.__class__}", "%(x)s", "<b>", "}{"])
def test_what_somebody_typed_stays_text(typed: str) -> None:
    assert judge_day(training_day(), Mark(excused=typed), STRICT, LATER).because.ko == f"공가·휴가: {typed}"


def test_an_official_excuse_is_credited_over_the_cap_and_uses_it_up() -> None:
    dates = [MONDAY + timedelta(days=i) for i in range(3)]
    holiday = Official("excused", excuse_kind="holiday", raw="휴가")
    marks = {dates[0]: Mark(official=holiday), dates[1]: Mark(official=holiday), dates[2]: Mark(excuse_kind="holiday")}
    found = judge_course([training_day(day) for day in dates], marks, STRICT, LATER)
    assert [verdict.status for verdict in found.verdicts] == ["excused", "excused", "absent"]


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
def test_rule_5_unit_periods(starts: date, ends: date, expected: list[tuple[date, date]]) -> None:
    assert unit_periods(starts, ends) == expected


def course(days: int, attended: int, late: int = 0, rules: Rules = STRICT) -> CourseAttendance:
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
def test_rule_7_the_rate_passes_in_whole_numbers(days: int, attended: int, late: int, passes: bool) -> None:
    assert course(days, attended, late).passes is passes


def test_rule_7_120_days_need_96() -> None:
    assert course(120, 96).needed == 96


def test_rule_6_three_events_of_two_units_are_an_absence_only_where_they_carry_over() -> None:
    dates = [date(2026, 7, 6), date(2026, 7, 7), date(2026, 8, 6)]
    marks = {day: Mark(at(10, day=day), at(17, day=day)) for day in dates}
    days = [training_day(day) for day in dates]
    apart = judge_course(days, marks, STRICT, LATER)
    carried = judge_course(days, marks, STRICT.model_copy(update={"event_counter": "carry_over"}), LATER)
    assert (apart.credited, carried.credited) == (3, 2)
    assert [unit.absences_from_events for unit in carried.units] == [0, 1]


def test_rule_6_a_unit_is_never_credited_below_zero_and_takes_nothing_from_the_next() -> None:
    each = STRICT.model_copy(update={"events_per_absence": 1})
    dates = [date(2026, 7, 6), date(2026, 7, 7), date(2026, 8, 6), date(2026, 8, 7)]
    marks = {day: Mark(at(9, day=day), at(17, day=day)) for day in dates[2:]}
    marks[dates[0]] = Mark(at(10, day=dates[0]), at(16, day=dates[0]), ((at(12), at(13)),))
    days = [training_day(day) for day in dates]
    found = judge_course(days, marks, each, LATER)
    assert [(unit.attended, unit.absences_from_events, unit.credited) for unit in found.units] == [(1, 3, 0), (2, 0, 2)]
    # As of the first day, the day that is still ahead cannot make up for more than the unit lost.
    assert judge_course(days, marks, each, at(20)).absences_left == 2 - found.needed


def test_rule_7_a_course_without_days_or_threshold_completes_nobody_by_its_attendance() -> None:
    assert not judge_course([], {}, STRICT, LATER).passes
    assert judge_course([], {}, STRICT, LATER).reachable
    assert not course(20, 0, rules=STRICT.model_copy(update={"attendance_percent": 0})).passes


@pytest.mark.parametrize(("attended", "since"), [(10, None), (9, date(2026, 7, 24))])
def test_rule_9_in_a_unit_of_19_days_the_10th_absence(attended: int, since: date | None) -> None:
    found = course(19, attended)
    warnings = [warning for warning in found.warnings if warning.scope == "unit"]
    assert [warning.since for warning in warnings] == ([since] if since else [])
    if warnings:
        assert (warnings[0].limit, warnings[0].absences, warnings[0].days) == (10, 10, 19)
        assert warnings[0].rests_on == tuple(f"e{i}" for i in range(attended))


def weekly(absent: int) -> CourseAttendance:
    """120 days in four units and more, with absences spread so that no unit has too many."""
    dates = [MONDAY + timedelta(days=i) for i in range(120)]
    missed = set(dates[::4][:absent])
    marks = {day: Mark(at(9, day=day), at(17, day=day)) for day in dates if day not in missed}
    return judge_course([training_day(day) for day in dates], marks, STRICT, LATER)


def test_rule_9_in_a_course_of_120_days_the_25th_absence() -> None:
    assert weekly(24).warnings == ()
    (warning,) = weekly(25).warnings
    assert (warning.scope, warning.limit, warning.absences, warning.days) == ("course", 25, 25, 120)
    assert warning.since == MONDAY + timedelta(days=96)
    assert warning.text.ko == (
        "제적 경고: 과정 전체의 훈련일 120일 중 무단결석 25일. 기준은 25일(20% 초과)이며 2026-10-10부터 해당합니다."
    )


def test_rule_9_events_are_absences_and_excused_days_are_none() -> None:
    late = course(19, 19, late=6)
    assert [unit.unexcused for unit in late.units] == [2]
    assert excused(5, "own_wedding", 10).units[0].unexcused == 5  # the five days that are not excused
    days = [training_day(MONDAY)]
    (unit, whole) = judge_course(days, {}, STRICT, LATER).warnings
    assert (unit.limit, whole.limit) == (1, 1)
    assert judge_course(days, {MONDAY: Mark(at(9), at(17))}, STRICT, LATER).warnings == ()


@pytest.mark.parametrize("kind", ["dropout", "dismissed", "early_employment", "completed"])
def test_rule_10_days_after_leaving_are_not_attended_and_in_the_denominator(kind: str) -> None:
    dates = [MONDAY + timedelta(days=i) for i in range(10)]
    days = [training_day(day) for day in dates]
    marks = {day: Mark(at(9, day=day), at(17, day=day)) for day in dates}
    leaving = Leaving(kind, dates[6], "취업", ("left-1",))  # type: ignore[arg-type]
    found = judge_course(days, marks, STRICT, at(20, day=dates[7]), leaving=leaving)
    assert [verdict.status for verdict in found.verdicts] == ["attended"] * 7 + ["left"] * 3
    assert (found.credited, found.days, found.absences_left, found.out_of_reach_since) == (7, 10, -1, dates[6])
    assert "left-1" in found.rests_on
    assert "2026-07-12" in found.verdicts[-1].because.en
    ahead = judge_course(days, marks, STRICT, at(20, day=dates[2]), leaving=leaving)
    assert ahead.leaving is None
    assert ahead.reachable


def test_it_says_when_completion_is_out_of_reach() -> None:
    dates = [MONDAY + timedelta(days=i) for i in range(5)]
    days = [training_day(day) for day in dates]
    after_one_absence = judge_course(days, {}, STRICT, at(20))
    assert (after_one_absence.reachable, after_one_absence.absences_left) == (True, 0)
    after_two = judge_course(days, {}, STRICT, at(20, day=dates[1]))
    assert not after_two.reachable
    assert after_two.out_of_reach_since == dates[1]
    assert after_two.outlook == Text(
        ko="2026-07-07부터 남은 훈련일로 채울 수 없습니다.", en="can no longer be reached since 2026-07-07"
    )
    assert after_one_absence.outlook.en == "can still be reached: at most 0 more absences"
