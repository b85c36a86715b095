"""The completion forecast: how each level is counted, and that one more attended day never makes it worse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.attendance import CourseAttendance, Leaving, Mark, TrainingDay, judge_course
from grader.completion import LabWork
from grader.forecast import HOW_TEXT, LEVEL_TEXT, LEVELS, Forecast, Task, counted, expected_days, forecast
from grader.rules import Rules
from labs.texts import Text

SEOUL = ZoneInfo("Asia/Seoul")
MONDAY = date(2026, 7, 6)
NAME = Text(ko="실습", en="lab")
OPEN = LabWork("a", NAME, 60)
DONE = LabWork("a", NAME, 60, submitted=True, score=90, max_score=100, final=True)
WAITING = LabWork("a", NAME, 60, submitted=True)
FAILED = LabWork("a", NAME, 60, submitted=True, score=10, max_score=100, final=True)
EXEMPT = LabWork("a", NAME, 60, exempt=NAME)


def at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), SEOUL)


def days(count: int) -> list[TrainingDay]:
    dates = [MONDAY + timedelta(days=number) for number in range(count)]
    return [TrainingDay(day, at(day, 9), at(day, 17)) for day in dates]


def full(day: date) -> Mark:
    return Mark(at(day, 9), at(day, 17))


MARKS = {
    "full": full,
    "late": lambda day: Mark(at(day, 11), at(day, 17)),
    "both": lambda day: Mark(at(day, 11), at(day, 16)),
    "short": lambda day: Mark(at(day, 15), at(day, 17)),
    "none": lambda day: Mark(),
    "holiday": lambda day: Mark(excuse_kind="holiday"),
}


def attended(pattern: str, count: int, rules: Rules | None = None, leaving: Leaving | None = None) -> CourseAttendance:
    """A course of so many days; of the first ones, `+` is attended and `-` missed, the others lie ahead."""
    marks = {MONDAY + timedelta(days=n): full(MONDAY + timedelta(days=n)) for n, s in enumerate(pattern) if s == "+"}
    return judge(marks, count, len(pattern), rules, leaving)


def judge(
    marks: Mapping[date, Mark], count: int, behind: int, rules: Rules | None = None, leaving: Leaving | None = None
) -> CourseAttendance:
    as_of = at(MONDAY + timedelta(days=behind - 1), 23)
    return judge_course(days(count), marks, rules or Rules(), as_of, leaving=leaving)


def level(attendance: CourseAttendance, *works: LabWork, overdue: bool = False, over: bool = False) -> str:
    return forecast(attendance, [Task(work, overdue) for work in works], course_over=over).level


@pytest.mark.parametrize(
    ("pattern", "works", "overdue", "expected"),
    [
        ("++++++++", [DONE], False, "certain"),
        ("++++++++", [OPEN], False, "likely"),
        ("++++++++", [DONE, WAITING], False, "likely"),
        ("++++++++", [OPEN], True, "at_risk"),
        ("++++++++", [FAILED], False, "at_risk"),
        ("", [OPEN], False, "likely"),
        ("+++++", [DONE], False, "likely"),
        ("++++-", [DONE], False, "likely"),
        ("+++-", [DONE], False, "at_risk"),
        ("+--+", [DONE], False, "at_risk"),
        ("---", [DONE], False, "out_of_reach"),
        ("+++++", [], False, "out_of_reach"),
        ("+++++", [EXEMPT], False, "out_of_reach"),
        ("++++++++", [EXEMPT, DONE], False, "certain"),
    ],
)  # fmt: skip
def test_each_level_is_counted_as_the_page_says(
    pattern: str, works: list[LabWork], overdue: bool, expected: str
) -> None:
    """Ten days, of which eight are needed."""
    assert level(attended(pattern, 10), *works, overdue=overdue) == expected


def test_what_the_share_gives_is_rounded_down() -> None:
    assert (expected_days(3, 4, 6), expected_days(4, 5, 5), expected_days(0, 0, 10)) == (7, 8, 10)
    assert expected_days(0, 3, 7) == 0


def test_a_course_that_is_over_without_the_work_is_lost_and_one_that_waits_for_a_grade_is_not() -> None:
    done = attended("++++++++++", 10)
    assert [level(done, work, over=True) for work in (OPEN, FAILED, WAITING, DONE)] == [
        "out_of_reach", "out_of_reach", "likely", "certain",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"), [("dropout", "out_of_reach"), ("dismissed", "out_of_reach"), ("early_employment", "certain")]
)
def test_how_an_enrolment_ended_counts(kind: str, expected: str) -> None:
    leaving = Leaving(kind, MONDAY + timedelta(days=8), "취업")  # type: ignore[arg-type]
    assert level(attended("+++++++++", 10, leaving=leaving), DONE) == expected


def test_a_dismissal_warning_is_a_risk_even_where_the_share_is_enough() -> None:
    rules = Rules.model_validate({"attendance_percent": 50})
    few = attended("++++---", 10, rules)
    assert few.warnings
    assert few.credited * 10 // 7 >= few.needed
    assert level(few, OPEN) == "at_risk"


def test_it_says_its_numbers_in_both_languages() -> None:
    told = forecast(attended("+++-", 10), [Task(DONE), Task(OPEN, overdue=True)], course_over=False)
    assert told.attendance.en == "3 of 4 days credited; at this share 7 of all 10 (needed: 8)"
    assert "4일 중 3일 인정" in told.attendance.ko
    assert told.labs.en == "2 required labs: 1 passed, 1 overdue"
    assert told.labs.ko == "필수 실습 2개: 통과 1개, 기한 지남 1개"
    assert set(LEVEL_TEXT) == set(HOW_TEXT) == set(LEVELS)
    assert list(counted(["likely", "at_risk", "likely"]).items()) == [
        ("certain", 0), ("likely", 2), ("at_risk", 1), ("out_of_reach", 0),
    ]  # fmt: skip


WORKS = st.lists(st.sampled_from([OPEN, DONE, WAITING, FAILED, EXEMPT]), max_size=3)
RULES = st.sampled_from([Rules(), Rules.model_validate({"event_counter": "carry_over"})])


def rank(told: Forecast) -> int:
    return LEVELS.index(told.level)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(MARKS)), min_size=1, max_size=45), st.integers(0, 45), WORKS, RULES,
       st.booleans(), st.booleans(), st.data())  # fmt: skip
def test_one_more_attended_day_never_makes_it_worse(
    kinds: list[str], ahead: int, works: list[LabWork], rules: Rules, overdue: bool, over: bool, data: st.DataObject
) -> None:
    """A missed day that was attended after all."""
    dates = [MONDAY + timedelta(days=number) for number in range(len(kinds))]
    marks = {day: MARKS[kind](day) for day, kind in zip(dates, kinds, strict=True)}
    missed = [day for day in dates if marks[day].check_in is None and marks[day].excuse_kind is None]
    if not missed:
        return
    better = {**marks, (day := data.draw(st.sampled_from(missed))): full(day)}
    tasks = [Task(work, overdue) for work in works]
    before, after = (
        forecast(judge(found, len(kinds) + ahead, len(kinds), rules), tasks, course_over=over)
        for found in (marks, better)
    )
    assert rank(after) <= rank(before)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(sorted(MARKS)), max_size=45), st.integers(1, 45), WORKS, RULES, st.booleans())
def test_a_day_ahead_that_is_attended_never_makes_it_worse(
    kinds: list[str], ahead: int, works: list[LabWork], rules: Rules, overdue: bool
) -> None:
    dates = [MONDAY + timedelta(days=number) for number in range(len(kinds) + 1)]
    marks = {day: MARKS[kind](day) for day, kind in zip(dates, kinds, strict=False)}
    tasks, count = [Task(work, overdue) for work in works], len(kinds) + ahead
    before = forecast(judge(marks, count, len(kinds), rules), tasks, course_over=False)
    after = forecast(
        judge({**marks, dates[-1]: full(dates[-1])}, count, len(kinds) + 1, rules), tasks, course_over=False
    )
    assert rank(after) <= rank(before)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 200))
def test_the_share_goes_up_with_each_attended_day(credited: int, missed: int, ahead: int) -> None:
    judged = credited + missed
    assert expected_days(credited + 1, judged + 1, ahead - 1) >= expected_days(credited, judged, ahead)
    assert expected_days(credited, judged, ahead) <= credited + ahead
