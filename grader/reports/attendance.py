"""The attendance sheet of a month (출석부): a learner in each row, a training day in each column.

The rule: a mark stands for a day's verdict, and the legend under the sheet says what each mark means.
"""

from __future__ import annotations

import calendar
from datetime import date

from grader.attendance import DayVerdict
from grader.records.state import LearnerState
from grader.reports.course import Class, facts_of, verdicts_between
from grader.reports.table import Cell, Column, Report, Table, columns, total
from labs.texts import Text

#: As Korean training centres write them; a day with several events has several marks.
STATUS_MARKS = {"attended": "○", "absent": "/", "excused": "공", "open": "◐", "ahead": "", "left": "-"}
EVENT_MARKS = {"late": "△", "early_leave": "▽", "outing": "□"}
LEGEND = Text(
    ko="○ 출석  △ 지각  ▽ 조퇴  □ 외출  / 결석  공 공가·휴가  ◐ 입실 중  - 수강 종료  빈칸 예정",
    en="○ attended  △ late  ▽ left early  □ outing  / absent  공 excused  ◐ checked in  - left the course  empty: to come",
)
WEEKDAYS = Text(ko="월화수목금토일", en="MTWTFSS")
_HEAD = columns(("번호", "No.", "count", 5), ("이름", "Name", "text", 11), ("아이디", "Login", "text", 11))
_SUMS = columns(
    ("출석", "Attended", "count", 6), ("결석", "Absent", "count", 6), ("공가", "Excused", "count", 6),
    ("지각", "Late", "count", 6), ("조퇴", "Early", "count", 6), ("외출", "Outing", "count", 6),
)  # fmt: skip


def attendance_sheet(room: Class, month: date) -> Report:
    """The sheet of the month in which a date lies."""
    first, last = month_of(month)
    days = [day.date for day in room.days if first <= day.date <= last]
    rows = tuple(_row(number, learner, first, last) for number, learner in enumerate(room.learners, 1))
    heads = tuple(Column(_day_title(day), "mark", 4) for day in days)
    return Report(
        title=Text(ko=f"출석부 {month.year}년 {month.month}월", en=f"Attendance sheet, {month:%B %Y}"),
        facts=facts_of(room, (Text(ko="훈련일", en="Training days"), len(days)), (Text(ko="강사", en="Instructor"), ", ".join(room.instructors) or None)),
        tables=(Table((*_HEAD, *heads, *_SUMS), rows, _totals(room, days, rows)),),
        notes=(LEGEND, Text(ko="아래 합계의 날짜 칸은 그날 출석으로 인정된 사람 수(공가·휴가 포함)입니다.",
                            en="In the line of totals a day's cell is how many were credited that day, excused ones with them.")),
        name=f"attendance-{month:%Y-%m}", landscape=True,
    )  # fmt: skip


def mark_of(verdict: DayVerdict) -> str:
    """A day's mark: its events, where there are any, in the place of the circle."""
    events = "".join(EVENT_MARKS[event] for event in verdict.events)
    return events or STATUS_MARKS[verdict.status]


def month_of(day: date) -> tuple[date, date]:
    """The first and the last date of a month."""
    return day.replace(day=1), day.replace(day=calendar.monthrange(day.year, day.month)[1])


def months_of(room: Class) -> list[date]:
    """The months that have training days, by their first date."""
    return sorted({day.date.replace(day=1) for day in room.days})


def _row(number: int, learner: LearnerState, first: date, last: date) -> tuple[Cell, ...]:
    verdicts = verdicts_between(learner, first, last)
    statuses = [verdict.status for verdict in verdicts]
    events = [event for verdict in verdicts for event in verdict.events]
    sums = (*(statuses.count(status) for status in ("attended", "absent", "excused")),
            *(events.count(event) for event in ("late", "early_leave", "outing")))  # fmt: skip
    return (number, learner.name, learner.login, *map(mark_of, verdicts), *sums)


def _totals(room: Class, days: list[date], rows: tuple[tuple[Cell, ...], ...]) -> tuple[Cell, ...]:
    credited = dict.fromkeys(days, 0)
    for learner in room.learners:
        for verdict in learner.attendance.verdicts:
            if verdict.date in credited:
                credited[verdict.date] += verdict.status in ("attended", "excused")
    start = len(_HEAD) + len(days)
    return (
        None,
        Text(ko="합계", en="Total"),
        None,
        *(None if day > room.today else many for day, many in credited.items()),
        *(total(rows, start + n) for n in range(len(_SUMS))),
    )


def _day_title(day: date) -> Text:
    return Text(ko=f"{day.day}\n{WEEKDAYS.ko[day.weekday()]}", en=f"{day.day}\n{WEEKDAYS.en[day.weekday()]}")
