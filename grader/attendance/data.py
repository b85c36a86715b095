"""What attendance is judged from, and what a day counts as. Plain data: no database, no clock.

The rule: a verdict keeps the facts it rests on, and its sentence is made of them when somebody reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cached_property
from typing import Literal

from labs.texts import Text

Status = Literal["attended", "excused", "absent", "open", "ahead", "left"]
OfficialStatus = Literal["attended", "excused", "absent"]
Event = Literal["late", "early_leave", "outing"]
LeavingKind = Literal["completed", "dropout", "dismissed", "early_employment"]
#: What a day's verdict rests on.
Ground = Literal["minutes", "no_check_in", "no_check_out", "in_progress", "ahead", "excused", "official", "left"]

STATUS_TEXT: dict[Status, Text] = {
    "attended": Text(ko="출석", en="attended"),
    "excused": Text(ko="공가·휴가", en="excused"),
    "absent": Text(ko="결석", en="absent"),
    "open": Text(ko="진행 중", en="in progress"),
    "ahead": Text(ko="예정", en="ahead"),
    "left": Text(ko="수강 종료", en="left"),
}
EVENT_TEXT: dict[Event, Text] = {
    "late": Text(ko="지각", en="late"),
    "early_leave": Text(ko="조퇴", en="early leave"),
    "outing": Text(ko="외출", en="outing"),
}
LEAVING_TEXT: dict[LeavingKind, Text] = {
    "completed": Text(ko="과정 종료", en="end of the course"),
    "dropout": Text(ko="중도탈락", en="dropout"),
    "dismissed": Text(ko="제적", en="dismissed"),
    "early_employment": Text(ko="조기취업", en="early employment"),
}
GROUND_TEXT: dict[Ground, Text] = {
    "minutes": Text(ko="{scheduled}분 중 {present}분 참여했습니다.", en="present for {present} of {scheduled} minutes"),
    "no_check_in": Text(ko="입실 기록이 없습니다.", en="no check-in is recorded"),
    "no_check_out": Text(ko="퇴실 기록이 없습니다.", en="no check-out is recorded"),
    "in_progress": Text(ko="입실했고 아직 퇴실하지 않았습니다.", en="checked in, not yet checked out"),
    "ahead": Text(ko="아직 오지 않은 훈련일입니다.", en="this training day is still to come"),
    "excused": Text(ko="공가·휴가: {said}", en="excused: {said}"),
    "official": Text(ko="공식 출결: {said}", en="official attendance: {said}"),
    "left": Text(ko="{said} 수강이 끝난 뒤의 훈련일입니다.", en="after the enrolment ended on {said}"),
}


@dataclass(frozen=True)
class TrainingDay:
    """A scheduled day of a course run; starts and ends are aware times."""

    date: date
    starts: datetime
    ends: datetime

    # Days are shared by all learners of a course, so their minutes are computed once for all.
    @cached_property
    def first_minute(self) -> int:
        return minute_of(self.starts)

    @cached_property
    def end_minute(self) -> int:
        return minute_of(self.ends)

    @cached_property
    def minutes(self) -> int:
        """Scheduled minutes; 0 where the hours are reversed."""
        return max(0, self.end_minute - self.first_minute)


@dataclass(frozen=True)
class Official:
    """A day as the national system has it (`grader.official` reads one); its times are those of the wall."""

    status: OfficialStatus
    events: tuple[Event, ...] = ()
    excuse_kind: str | None = None
    raw: str = ""
    check_in: time | None = None
    check_out: time | None = None


@dataclass(frozen=True)
class Mark:
    """What is recorded of a learner on a day, and the ids of the events it comes from.

    `excused` is the reason in words and `excuse_kind` the programme's kind; an excuse without a kind has no cap.
    `away_since` is when an outing began that nobody came back from.
    """

    check_in: datetime | None = None
    check_out: datetime | None = None
    outings: tuple[tuple[datetime, datetime], ...] = ()
    excused: str | None = None
    rests_on: tuple[str, ...] = ()
    excuse_kind: str | None = None
    official: Official | None = None
    away_since: datetime | None = None


@dataclass(frozen=True)
class Leaving:
    """How and when an enrolment ended; training days after `on` are not attended (rule 10)."""

    kind: LeavingKind
    on: date
    reason: str
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class DayVerdict:
    """What a day counts as, the facts it rests on, and the ids of the events."""

    date: date
    status: Status
    ground: Ground
    events: tuple[Event, ...] = ()
    minutes_present: int = 0
    minutes_scheduled: int = 0
    rests_on: tuple[str, ...] = ()
    #: Words of the ground: the excuse, the official status, the date of leaving.
    said: Text | None = None
    #: Why an excuse of that day is not credited.
    excuse_refused: Text | None = None
    official: Official | None = None

    @property
    def because(self) -> Text:
        """Why the day counts so, in a sentence."""
        texts = [_filled(GROUND_TEXT[self.ground], self), *filter(None, [self.excuse_refused])]
        return Text(ko=" ".join(text.ko for text in texts), en="; ".join(text.en for text in texts))

    @property
    def differs_from_official(self) -> bool:
        """The national system has the day otherwise; never where its status decides."""
        official = self.official
        return official is not None and (official.status, official.events) != (self.status, self.events)


def minute_of(at: datetime) -> int:
    """The whole minute of an aware time, counted from 1970 in UTC.

    Times count by the minute that they show, because the national system keeps hours and minutes only.
    """
    return int(at.timestamp()) // 60


def _filled(form: Text, verdict: DayVerdict) -> Text:
    said = verdict.said or Text(ko="-", en="-")
    numbers = {"present": verdict.minutes_present, "scheduled": verdict.minutes_scheduled}
    return Text(ko=form.ko.format(said=said.ko, **numbers), en=form.en.format(said=said.en, **numbers))
