"""The worked examples of the allowance rules: estimates with every number that they are made of."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from grader.allowance import ESTIMATE, CoursePlan, Flag, Ineligible, PlaceClass, estimate, self_pay
from grader.attendance import CourseAttendance, Mark, TrainingDay, judge_course
from grader.rules import Rules
from labs.texts import UserError

START = date(2026, 7, 6)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def attendance(
    attended: int, days: int, *, late: int = 0, excused: int = 0, rules: Rules | None = None, as_of: datetime = LATER
) -> CourseAttendance:
    dates = [START + timedelta(days=i) for i in range(days)]
    marks = {
        day: Mark(at(day, 10 if i < late else 9), at(day, 17), rests_on=(f"e{i}",))
        for i, day in enumerate(dates[:attended])
    }
    marks |= {day: Mark(excused="예비군") for day in dates[attended : attended + excused]}
    training = [TrainingDay(day, at(day, 9), at(day, 17)) for day in dates]
    return judge_course(training, marks, rules or Rules(), as_of)


def plan(place: PlaceClass = "capital", hours: int = 400, day_minutes: int = 480) -> CoursePlan:
    return CoursePlan(hours * 60, day_minutes, place)


@pytest.mark.parametrize(
    ("found", "of", "amount"),
    [
        (attendance(20, 20), plan("capital"), 300_000),
        (attendance(20, 20), plan("elsewhere"), 400_000),
        (attendance(22, 22), plan("capital"), 300_000),  # caps
        (attendance(19, 21), plan("elsewhere"), 380_000),
        (attendance(16, 20), plan("capital"), 240_000),
        (attendance(15, 20), plan("elsewhere"), 0),
        (attendance(17, 20, late=3), plan("capital"), 240_000),  # 17 base days with 3 events
        (attendance(20, 20), plan("capital", hours=200), 200_000),
        (attendance(20, 20), plan("declining"), 500_000),
        (attendance(20, 20), plan("live_remote"), 300_000),
    ],
)
def test_rules_11_to_13_the_worked_examples(found: CourseAttendance, of: CoursePlan, amount: int) -> None:
    (unit,) = estimate(found, of, Rules()).units
    assert unit.estimate_krw == amount
    assert type(unit.estimate_krw) is int


@pytest.mark.parametrize(
    ("of", "incentive", "special"),
    [
        (plan(hours=139), 0, 0),
        (plan(hours=140), 200_000, 0),
        (plan(hours=140, day_minutes=299), 86_000, 0),
        (plan(hours=349), 200_000, 0),
        (plan(hours=350), 200_000, 100_000),
        (plan(hours=350, day_minutes=299), 86_000, 0),
        (plan(hours=350, day_minutes=300), 200_000, 100_000),
    ],
)
def test_rules_12_and_13_hours_of_the_course_and_of_the_day(of: CoursePlan, incentive: int, special: int) -> None:
    (unit,) = estimate(attendance(20, 20), of, Rules()).units
    assert [part.amount_krw for part in unit.parts] == [incentive, special]


def test_rule_12_fewer_hours_a_day_pay_4300() -> None:
    (unit,) = estimate(attendance(16, 20), plan(hours=140, day_minutes=240), Rules()).units
    assert unit.estimate_krw == 16 * 4_300


def test_rule_13_excused_days_are_paid_where_credited_days_are() -> None:
    found = attendance(16, 20, excused=2)
    only = Rules.model_validate({"allowance": {"special": {"paid_days": "attended_only"}}})
    assert [part.amount_krw for part in estimate(found, plan(), Rules()).units[0].parts] == [180_000, 90_000]
    assert [part.amount_krw for part in estimate(found, plan(), only).units[0].parts] == [180_000, 80_000]


def test_each_amount_says_every_number_and_that_it_is_an_estimate() -> None:
    (unit,) = estimate(attendance(22, 22), plan(), Rules()).units
    incentive, special = unit.parts
    assert incentive.derivation.ko == (
        "훈련장려금(하루 5시간 이상): 22일 × 10,000원 = 220,000원, 한도 200,000원 → 예상액 200,000원"
    )
    assert special.derivation.en == (
        "special training allowance (capital area): 22 days × 5,000 won = 110,000 won, "
        "cap 100,000 won → estimate 100,000 won"
    )
    assert unit.rests_on == tuple(f"e{i}" for i in range(22))
    (short,) = estimate(attendance(20, 20), plan(hours=140, day_minutes=270), Rules()).units
    assert short.parts[1].derivation.ko == "특별훈련수당: 총 훈련시간 140시간이 350시간보다 적습니다. → 예상액 0원"
    (few,) = estimate(attendance(20, 20), plan(day_minutes=270), Rules()).units
    assert "4:30" in few.parts[1].derivation.ko
    assert all(ESTIMATE.ko in part.derivation.ko and ESTIMATE.en in part.derivation.en for part in unit.parts)


def test_rule_11_a_failed_rate_says_its_numbers() -> None:
    (unit,) = estimate(attendance(15, 20), plan(), Rules()).units
    assert (unit.parts, unit.estimate_krw, unit.final_days) == ((), 0, True)
    assert [reason.ko for reason in unit.refused] == ["단위기간 출석률 80% 미달: 훈련일 20일 중 인정 15일"]
    half_way = attendance(10, 20, as_of=at(START + timedelta(days=9), 20))
    (unit,) = estimate(half_way, plan(), Rules()).units
    assert not unit.final_days
    assert unit.refused[0].en == "less than 80% of the unit: 10 of 20 days credited, 10 still ahead"


@pytest.mark.parametrize(
    "flag", ["receiving_unemployment_benefit", "insured_work_15h", "remote_course", "survey_missing"]
)
def test_rule_11_nothing_where_a_flag_is_set_with_its_reason(flag: Flag) -> None:
    against = Ineligible(flag, "확인서", rests_on=("flag-1",))
    (unit,) = estimate(attendance(20, 20), plan(), Rules(), [against]).units
    assert unit.estimate_krw == 0
    assert unit.refused == (against.text,)
    assert against.text.ko.endswith(": 확인서")
    assert "flag-1" in unit.rests_on


def test_rule_11_a_missing_survey_is_that_of_one_unit() -> None:
    found = attendance(40, 40)
    missing = Ineligible("survey_missing", unit_starts=found.units[1].starts)
    paid = estimate(found, plan(), Rules(), [missing])
    assert [unit.estimate_krw for unit in paid.units] == [300_000, 0]
    assert paid.estimate_krw == 300_000


@pytest.mark.parametrize(
    ("tuition", "amount"),
    [
        (0, 0), (10, 1), (2_999_999, 299_999), (3_000_000, 300_000), (3_000_001, 300_000), (6_000_000, 300_000),
        (6_000_001, 400_000), (12_000_000, 400_000), (12_000_001, 500_000), (18_000_000, 500_000),
        (18_000_001, 600_000), (99_000_000, 600_000),
    ],
)  # fmt: skip
def test_rule_14_self_pay(tuition: int, amount: int) -> None:
    paid = self_pay(tuition, Rules())
    assert paid.amount_krw == amount
    assert f"{amount:,}원" in paid.derivation.ko
    assert f"{tuition:,} won" in paid.derivation.en


def test_rule_14_a_negative_tuition_is_an_error_that_names_it() -> None:
    with pytest.raises(UserError, match="tuition_krw must be 0 or more, not -1"):
        self_pay(-1, Rules())
