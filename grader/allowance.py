"""What is paid for a unit period, and what a learner pays of the tuition: estimates (예상액), never decisions.

The employment centre decides in the end. The rule: whole won, and each amount says the numbers that it is made of.
Rules 11-14 of the programme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from grader.attendance import CourseAttendance, UnitAttendance
from grader.rules import DailyAmount, PlaceClass, Rules, SelfPayBand
from labs.texts import Text, UserError

Flag = Literal["receiving_unemployment_benefit", "insured_work_15h", "remote_course", "survey_missing"]

ESTIMATE = Text(ko="예상액", en="estimate")
DISCLAIMER = Text(
    ko="예상액입니다. 실제 지급 여부와 금액은 고용센터가 정합니다.",
    en="This is an estimate. The employment centre decides what is paid.",
)
FLAG_TEXT: dict[Flag, Text] = {
    "receiving_unemployment_benefit": Text(ko="실업급여 수급 중", en="receiving unemployment benefit"),
    "insured_work_15h": Text(ko="주 15시간 이상 고용보험 근로", en="insured work of 15 hours a week or more"),
    "remote_course": Text(ko="원격 훈련 과정", en="a remote course"),
    "survey_missing": Text(ko="단위기간 설문 미제출", en="the survey of the unit period is missing"),
}
PLACE_TEXT: dict[PlaceClass, Text] = {
    "capital": Text(ko="수도권", en="capital area"),
    "elsewhere": Text(ko="비수도권", en="outside the capital area"),
    "declining": Text(ko="인구감소지역", en="area of declining population"),
    "live_remote": Text(ko="실시간 원격", en="live remote"),
}


@dataclass(frozen=True)
class CoursePlan:
    """What the allowance asks of a course: its hours as they are approved, in minutes, and its main training place."""

    course_minutes: int
    day_minutes: int
    place: PlaceClass


@dataclass(frozen=True)
class Ineligible:
    """A reason for which nothing is paid; `unit_starts` is the first day of the only unit that it is about."""

    flag: Flag
    reason: str = ""
    unit_starts: date | None = None
    rests_on: tuple[str, ...] = ()

    @property
    def text(self) -> Text:
        flag = FLAG_TEXT[self.flag]
        return Text(ko=f"{flag.ko}: {self.reason}", en=f"{flag.en}: {self.reason}") if self.reason else flag


@dataclass(frozen=True)
class Part:
    """One amount of a unit, in won, and how it comes about."""

    id: Literal["incentive", "special", "self_pay"]
    amount_krw: int
    derivation: Text


@dataclass(frozen=True)
class UnitAllowance:
    """The estimate of one unit period; `refused` are the reasons for which it is nothing."""

    unit: UnitAttendance
    parts: tuple[Part, ...]
    refused: tuple[Text, ...]
    rests_on: tuple[str, ...]

    @property
    def estimate_krw(self) -> int:
        return sum(part.amount_krw for part in self.parts)

    @property
    def final_days(self) -> bool:
        """Every day of the unit is over; before that the estimate is one of the days so far."""
        return self.unit.days_ahead == 0


@dataclass(frozen=True)
class AllowanceEstimate:
    """The estimates of a course's unit periods, in order."""

    units: tuple[UnitAllowance, ...]

    @property
    def estimate_krw(self) -> int:
        return sum(unit.estimate_krw for unit in self.units)


def estimate(
    attendance: CourseAttendance, plan: CoursePlan, rules: Rules, ineligible: Sequence[Ineligible] = ()
) -> AllowanceEstimate:
    """Estimate what is paid for each unit period (rules 11-13)."""
    return AllowanceEstimate(tuple(_unit(unit, plan, rules, ineligible) for unit in attendance.units))


def self_pay(tuition_krw: int, rules: Rules) -> Part:
    """Estimate what a learner pays of the tuition, rounded down to a whole won (rule 14)."""
    if tuition_krw < 0:
        raise UserError(
            f"훈련비는 0원 이상이어야 합니다: {tuition_krw}", f"tuition_krw must be 0 or more, not {tuition_krw}"
        )
    band = next(band for band in rules.self_pay if band.up_to_krw is None or tuition_krw <= band.up_to_krw)
    share = band.amount_krw if band.percent is None else tuition_krw * band.percent // 100
    amount = min(share or 0, tuition_krw)
    return Part("self_pay", amount, _self_pay_text(tuition_krw, band, amount))


def _unit(unit: UnitAttendance, plan: CoursePlan, rules: Rules, ineligible: Sequence[Ineligible]) -> UnitAllowance:
    against = [one for one in ineligible if one.unit_starts in (None, unit.starts)]
    refused = (*_rate(unit, rules), *(one.text for one in against))
    parts = () if refused else (_incentive(unit, plan, rules), _special(unit, plan, rules))
    rests_on = (*unit.rests_on, *(event for one in against for event in one.rests_on))
    return UnitAllowance(unit, parts, refused, rests_on)


def _rate(unit: UnitAttendance, rules: Rules) -> tuple[Text, ...]:
    """Rule 7 over the unit, as a reason where it fails."""
    percent = rules.attendance_percent
    if unit.passes(percent):
        return ()
    ahead_ko = f", 남은 훈련일 {unit.days_ahead}일" if unit.days_ahead else ""
    ahead_en = f", {unit.days_ahead} still ahead" if unit.days_ahead else ""
    return (
        Text(
            ko=f"단위기간 출석률 {percent}% 미달: 훈련일 {unit.days}일 중 인정 {unit.credited}일{ahead_ko}",
            en=f"less than {percent}% of the unit: {unit.credited} of {unit.days} days credited{ahead_en}",
        ),
    )


def _incentive(unit: UnitAttendance, plan: CoursePlan, rules: Rules) -> Part:
    terms = rules.allowance.incentive
    if plan.course_minutes < terms.from_course_hours * 60:
        return _nothing("incentive", "훈련장려금", "training incentive", _short(plan, terms.from_course_hours))
    long_day = plan.day_minutes >= terms.long_day_hours * 60
    said = Text(
        ko=f"훈련장려금(하루 {terms.long_day_hours}시간 {'이상' if long_day else '미만'})",
        en=f"training incentive ({'at least' if long_day else 'less than'} {terms.long_day_hours} hours a day)",
    )
    return _paid("incentive", said, unit.credited, terms.long_day if long_day else terms.short_day)


def _special(unit: UnitAttendance, plan: CoursePlan, rules: Rules) -> Part:
    terms = rules.allowance.special
    title_ko, title_en = "특별훈련수당", "special training allowance"
    if plan.course_minutes < terms.from_course_hours * 60:
        return _nothing("special", title_ko, title_en, _short(plan, terms.from_course_hours))
    if plan.day_minutes < terms.from_day_hours * 60:
        return _nothing("special", title_ko, title_en, Text(
            ko=f"하루 훈련시간 {_hours(plan.day_minutes)}시간이 {terms.from_day_hours}시간보다 적습니다.",
            en=f"{_hours(plan.day_minutes)} hours a day are fewer than {terms.from_day_hours}",
        ))  # fmt: skip
    days = unit.credited if terms.paid_days == "credited" else max(0, unit.attended - unit.absences_from_events)
    place = PLACE_TEXT[plan.place]
    said = Text(ko=f"{title_ko}({place.ko})", en=f"{title_en} ({place.en})")
    return _paid("special", said, days, terms.places.of(plan.place))


def _paid(part: Literal["incentive", "special"], said: Text, days: int, terms: DailyAmount) -> Part:
    full = days * terms.daily_krw
    amount = min(full, terms.cap_krw)
    return Part(part, amount, Text(
        ko=f"{said.ko}: {days}일 × {terms.daily_krw:,}원 = {full:,}원, 한도 {terms.cap_krw:,}원 → 예상액 {amount:,}원",
        en=f"{said.en}: {days} day{'s' * (days != 1)} × {terms.daily_krw:,} won = {full:,} won, "
           f"cap {terms.cap_krw:,} won → estimate {amount:,} won",
    ))  # fmt: skip


def _nothing(part: Literal["incentive", "special"], ko: str, en: str, why: Text) -> Part:
    return Part(part, 0, Text(ko=f"{ko}: {why.ko} → 예상액 0원", en=f"{en}: {why.en} → estimate 0 won"))


def _short(plan: CoursePlan, from_hours: int) -> Text:
    hours = _hours(plan.course_minutes)
    return Text(
        ko=f"총 훈련시간 {hours}시간이 {from_hours}시간보다 적습니다.", en=f"{hours} hours are fewer than {from_hours}"
    )


def _hours(minutes: int) -> str:
    """Hours, and hours and minutes where they are not whole: 4, 4:30."""
    return str(minutes // 60) if minutes % 60 == 0 else f"{minutes // 60}:{minutes % 60:02}"


def _self_pay_text(tuition_krw: int, band: SelfPayBand, amount: int) -> Text:
    limit_ko = f"{band.up_to_krw:,}원 이하" if band.up_to_krw is not None else "그보다 많은 금액"
    limit_en = f"up to {band.up_to_krw:,} won" if band.up_to_krw is not None else "above all bands"
    how_ko = f"{band.percent}%" if band.percent is not None else f"{band.amount_krw:,}원"
    how_en = f"{band.percent}%" if band.percent is not None else f"{band.amount_krw:,} won"
    return Text(
        ko=f"자부담: 훈련비 {tuition_krw:,}원({limit_ko}: {how_ko}) → 예상액 {amount:,}원",
        en=f"self-pay: tuition {tuition_krw:,} won ({limit_en}: {how_en}) → estimate {amount:,} won",
    )
