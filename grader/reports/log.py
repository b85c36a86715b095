"""The training log that a centre files (훈련일지): a training day in each row. The rule: it tells no day that is still to come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from grader.attendance import DayVerdict, TrainingDay
from grader.reports.attendance import month_of
from grader.reports.course import Class, facts_of
from grader.reports.table import Cell, Report, Table, columns
from labs.texts import Text

_COLUMNS = columns(
    ("훈련일", "Date", "date", 12), ("시작", "From", "time", 7), ("종료", "To", "time", 7), ("훈련시간", "Hours", "hours", 8),
    ("훈련 내용", "Subject and labs", "text", 34), ("재적", "Enrolled", "count", 6), ("출석", "Attended", "count", 6),
    ("결석", "Absent", "count", 6), ("공가", "Excused", "count", 6), ("결석자", "Absent", "text", 20), ("지각자", "Late", "text", 16),
    ("조퇴·외출자", "Early or out", "text", 16), ("강사", "Instructor", "text", 12), ("비고", "Remarks", "text", 16),
)  # fmt: skip


def training_log(room: Class, month: date, only: date | None = None) -> Report:
    """The log of a month, or of one day of it."""
    first, last = (only, only) if only else month_of(month)
    days = [day for day in room.days if first <= day.date <= min(last, room.today)]
    named = (
        Text(ko=f"{only}", en=f"{only}") if only else Text(ko=f"{month.year}년 {month.month}월", en=f"{month:%B %Y}")
    )
    closed = [f"{day} {why}" for day, why in sorted(room.closed.items()) if first <= day <= last]
    return Report(
        title=Text(ko=f"훈련일지 {named.ko}", en=f"Training log, {named.en}"),
        facts=facts_of(room, (Text(ko="훈련 장소", en="Place"), room.place),
                       (Text(ko="휴강", en="Days not held"), ", ".join(closed) or None)),
        tables=(Table(_COLUMNS, tuple(_row(room, day) for day in days)),),
        notes=(Text(ko="훈련 내용은 그날 제출한 실습입니다. 비고는 담당자가 적어 넣습니다.",
                    en="The labs are those handed in that day. Remarks are left to whoever files the log."),),
        name=f"training-log-{only or f'{month:%Y-%m}'}", landscape=True,
    )  # fmt: skip


def _row(room: Class, day: TrainingDay) -> tuple[Cell, ...]:
    of_day = [
        (learner.name, verdict)
        for learner in room.learners
        for verdict in learner.attendance.verdicts
        if verdict.date == day.date
    ]
    here = [(name, verdict) for name, verdict in of_day if verdict.status != "left"]
    statuses = [verdict.status for _, verdict in here]
    return (
        day.date, day.starts.time(), day.ends.time(), round((day.ends - day.starts).total_seconds() / 3600, 1), _subject(room, day),
        len(here), statuses.count("attended"), statuses.count("absent"), statuses.count("excused"),
        _names(name for name, verdict in here if verdict.status == "absent"), _names(_with(here, "late")),
        _names(_with(here, "early_leave", "outing")), ", ".join(room.instructors) or None, None,
    )  # fmt: skip


def _subject(room: Class, day: TrainingDay) -> Text:
    worked = {
        lab.lab.lab_id: lab.title
        for learner in room.learners for lab in learner.labs for receipt in lab.submissions
        if receipt.received_at.astimezone(room.zone).date() == day.date
    }  # fmt: skip
    titles = worked.values()
    return Text(
        ko=", ".join([room.title.ko, *(t.ko for t in titles)]), en=", ".join([room.title.en, *(t.en for t in titles)])
    )


def _with(here: list[tuple[str, DayVerdict]], *events: str) -> list[str]:
    return [name for name, verdict in here if any(event in verdict.events for event in events)]


def _names(names: Iterable[str]) -> str | None:
    return ", ".join(names) or None
