"""A programme's rules as data; every number is a setting, because programmes differ and rules change every year.

The defaults are those of the programme `ai-transition-2026`. What a stored programme does not name has its default, so
rows that were written before a setting was there still load; what nobody knows is refused.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from labs.texts import Text

PlaceClass = Literal["capital", "elsewhere", "declining", "live_remote"]
PLACE_CLASSES: tuple[PlaceClass, ...] = get_args(PlaceClass)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExcuseKind(_Settings):
    """A reason for an excuse, with its caps; a cap that is not set does not limit (rule 3)."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="what records name it by")
    title: Text = Field(description="what pages call it")
    max_days: int | None = Field(default=None, ge=0, description="at most so many days in a course")
    max_percent_of_days: int | None = Field(
        default=None, ge=0, le=100, description="at most this share of all training days of the course, rounded down"
    )
    max_days_per_unit: int | None = Field(
        default=None, ge=0, description="at most so many days in a unit period, which is a month of the course"
    )


def _kind(kind: str, ko: str, en: str, *, days: int | None = None, percent: int | None = None,
          per_unit: int | None = None) -> ExcuseKind:  # fmt: skip
    return ExcuseKind(id=kind, title=Text(ko=ko, en=en), max_days=days, max_percent_of_days=percent,
                      max_days_per_unit=per_unit)  # fmt: skip


EXCUSES = (
    _kind("own_wedding", "본인 결혼", "own wedding", days=5),
    _kind("child_wedding", "자녀 결혼", "a child's wedding", days=1),
    _kind("spouse_childbirth", "배우자 출산", "a spouse's childbirth", days=5),
    _kind("death_parent_or_spouse", "부모·배우자 사망", "death of a parent or spouse", days=5),
    _kind("death_grandparent", "조부모 사망", "death of a grandparent", days=3),
    _kind("death_sibling", "형제자매 사망", "death of a sibling", days=1),
    _kind("illness", "질병·입원", "illness", percent=10),
    _kind("holiday", "휴가", "holiday", per_unit=1),
)


class Dismissal(_Settings):
    """When a learner is warned of dismissal (rule 9)."""

    unit_percent: int = Field(
        default=50, ge=1, le=100, description="unexcused absences of this share of a unit's days, half a day rounded up"
    )
    course_percent: int = Field(
        default=20, ge=0, le=100, description="unexcused absences of more than this share of all training days"
    )


class DailyAmount(_Settings):
    """An amount a day and its cap in a unit period, in won."""

    daily_krw: int = Field(ge=0, description="for each paid day")
    cap_krw: int = Field(ge=0, description="at most so much in a unit period")


class TrainingIncentive(_Settings):
    """The training incentive (rule 12)."""

    from_course_hours: int = Field(default=140, ge=0, description="paid in courses of at least so many hours")
    long_day_hours: int = Field(default=5, ge=0, description="a day of at least so many hours is a long one")
    long_day: DailyAmount = Field(
        default=DailyAmount(daily_krw=10_000, cap_krw=200_000), description="in courses with long days"
    )
    short_day: DailyAmount = Field(
        default=DailyAmount(daily_krw=4_300, cap_krw=86_000), description="in courses with shorter days"
    )


class PlaceAmounts(_Settings):
    """The special allowance by the class of the main training place (rule 13)."""

    capital: DailyAmount = Field(
        default=DailyAmount(daily_krw=5_000, cap_krw=100_000), description="Seoul, Incheon, Gyeonggi"
    )
    elsewhere: DailyAmount = Field(
        default=DailyAmount(daily_krw=10_000, cap_krw=200_000), description="outside the capital area"
    )
    declining: DailyAmount = Field(
        default=DailyAmount(daily_krw=15_000, cap_krw=300_000), description="an area of declining population"
    )
    live_remote: DailyAmount = Field(
        default=DailyAmount(daily_krw=5_000, cap_krw=100_000), description="live remote training: as the capital area"
    )

    def of(self, place: PlaceClass) -> DailyAmount:
        """The amounts of a class of place."""
        amounts: dict[PlaceClass, DailyAmount] = {
            "capital": self.capital,
            "elsewhere": self.elsewhere,
            "declining": self.declining,
            "live_remote": self.live_remote,
        }
        return amounts[place]


class SpecialAllowance(_Settings):
    """The special training allowance, for long courses only (rule 13)."""

    from_course_hours: int = Field(default=350, ge=0, description="paid in courses of at least so many hours")
    from_day_hours: int = Field(default=5, ge=0, description="and of at least so many hours a day")
    places: PlaceAmounts = Field(default=PlaceAmounts(), description="amounts by the main training place")
    paid_days: Literal["credited", "attended_only"] = Field(
        default="credited", description="credited days, or those without the excused ones"
    )


class Allowance(_Settings):
    """What is paid for a unit period (rules 11-13)."""

    incentive: TrainingIncentive = Field(default=TrainingIncentive(), description="the training incentive")
    special: SpecialAllowance = Field(default=SpecialAllowance(), description="the special training allowance")


class SelfPayBand(_Settings):
    """What a learner pays of a tuition up to a limit: a share or an amount (rule 14)."""

    up_to_krw: int | None = Field(default=None, ge=0, description="tuition up to and with this; none: any above")
    percent: int | None = Field(default=None, ge=0, le=100, description="this share of the tuition")
    amount_krw: int | None = Field(default=None, ge=0, description="or this amount")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.percent is None) == (self.amount_krw is None):
            raise ValueError("a band of self-pay has either `percent` or `amount_krw`")
        return self


SELF_PAY = (
    SelfPayBand(up_to_krw=3_000_000, percent=10),
    SelfPayBand(up_to_krw=6_000_000, amount_krw=300_000),
    SelfPayBand(up_to_krw=12_000_000, amount_krw=400_000),
    SelfPayBand(up_to_krw=18_000_000, amount_krw=500_000),
    SelfPayBand(amount_krw=600_000),
)


class Rules(_Settings):
    """The rules of a programme: attendance, completion, leaving, allowance."""

    attendance_percent: int = Field(default=80, ge=0, le=100, description="share of all training days to be credited")
    absent_below_percent: int = Field(
        default=50, ge=0, le=100, description="present for less of a day counts as absent"
    )
    half_day_is: Literal["event", "absent"] = Field(default="event", description="what exactly that share counts as")
    grace_minutes: int = Field(default=10, ge=0, description="late or early by at most this is not an event")
    events_per_absence: int = Field(default=3, ge=1, description="late, early leave, outing: so many are one absence")
    event_counter: Literal["per_unit", "carry_over"] = Field(
        default="per_unit", description="the events left at a unit's end are dropped, or counted on in the next"
    )
    correction_deadline_days: int = Field(
        default=1, ge=0, description="a day is corrected until so many days after it; 1 is the next day"
    )
    official_attendance: Literal["wins", "listed"] = Field(
        default="wins", description="a status of the national system decides the day, or is only shown beside it"
    )
    excuses: tuple[ExcuseKind, ...] = Field(default=EXCUSES, description="the kinds of excuses and their caps")
    dismissal: Dismissal = Field(default=Dismissal(), description="when a learner is warned of dismissal")
    counted_attempt: Literal["last", "best"] = Field(
        default="last", description="which attempt at a lab counts: the newest, or the one with the most final points"
    )
    early_employment_percent: int = Field(
        default=80, ge=0, le=100, description="early employment completes from this share of all training days"
    )
    allowance: Allowance = Field(default=Allowance(), description="what is paid for a unit period")
    self_pay: tuple[SelfPayBand, ...] = Field(
        default=SELF_PAY, min_length=1, description="what a learner pays of the tuition"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        kinds = [kind.id for kind in self.excuses]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise ValueError(f"excuses: the id {twice[0]!r} stands there twice")
        *limits, last = [band.up_to_krw for band in self.self_pay]
        known = [limit for limit in limits if limit is not None]
        if last is not None or known != limits or known != sorted(set(known)):
            raise ValueError("self_pay: bands go up by `up_to_krw`, and only the last has none")
        return self

    def excuse(self, kind: str) -> ExcuseKind | None:
        """The kind of excuse of that id, or None where the programme has none."""
        return next((known for known in self.excuses if known.id == kind), None)

    def correction_until(self, day: date) -> date:
        """The last date on which a training day is corrected (rule 2)."""
        return day + timedelta(days=self.correction_deadline_days)
