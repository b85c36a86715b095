"""What every report of a course run says of it. The rule: a report says as of when it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from grader.allowance import AllowanceEstimate
from grader.attendance import DayVerdict, TrainingDay
from grader.records.state import CourseState, LearnerState
from grader.reports.table import Cell
from labs.texts import Text


@dataclass(frozen=True)
class Call:
    """AI use of one learner: calls and tokens."""

    calls: int
    tokens: int


@dataclass(frozen=True)
class Class:
    """A course run as reports read it."""

    title: Text
    institution: Text
    place: str
    starts_on: date
    ends_on: date
    days: tuple[TrainingDay, ...]
    learners: tuple[LearnerState, ...]
    as_of: datetime
    zone: ZoneInfo
    instructors: tuple[str, ...] = ()
    #: Days that were not held, and why.
    closed: Mapping[date, str] = field(default_factory=dict)
    #: AI use by login; None where the gateway does not answer.
    ai: Mapping[str, Call] | None = None
    #: Estimates of what is paid, by login; None where the report's reader may not see them.
    allowances: Mapping[str, AllowanceEstimate] | None = None

    @property
    def today(self) -> date:
        return self.as_of.astimezone(self.zone).date()


def class_of(
    state: CourseState, as_of: datetime, *, instructors: Sequence[str] = (), ai: Mapping[str, Call] | None = None,
    allowances: Mapping[str, AllowanceEstimate] | None = None,
) -> Class:  # fmt: skip
    """A course run's state with what its rows say of it; the state's run must be attached to a session."""
    run = state.run
    return Class(
        title=Text(ko=run.title_ko, en=run.title_en),
        institution=Text(ko=run.institution.title_ko, en=run.institution.title_en),
        place=run.place, starts_on=run.starts_on, ends_on=run.ends_on, days=state.days, learners=state.learners, as_of=as_of,
        zone=ZoneInfo(run.institution.time_zone), instructors=tuple(instructors),
        closed={row.day: row.reason for row in run.closed}, ai=ai, allowances=allowances,
    )  # fmt: skip


def facts_of(room: Class, *more: tuple[Text, Cell]) -> tuple[tuple[Text, Cell], ...]:
    """The head of a report: institution, course, period, and as of when."""
    local = room.as_of.astimezone(room.zone)
    return (
        (Text(ko="훈련기관", en="Institution"), room.institution),
        (Text(ko="과정", en="Course"), room.title),
        (Text(ko="훈련 기간", en="Period"), f"{room.starts_on} ~ {room.ends_on}"),
        *more,
        (Text(ko="기준 시각", en="As of"), f"{local:%Y-%m-%d %H:%M}"),
    )


def verdicts_between(learner: LearnerState, first: date, last: date) -> list[DayVerdict]:
    """A learner's days of a period."""
    return [verdict for verdict in learner.attendance.verdicts if first <= verdict.date <= last]
