"""The unit statement: for each learner and unit period the days, the events and what is credited (rules 5-7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from grader.records.state import LearnerState
from grader.reports.course import Class, facts_of
from grader.reports.table import Cell, Report, Table, columns, percent_of
from labs.texts import Text

_COLUMNS = columns(
    ("번호", "No.", "count", 5), ("이름", "Name", "text", 12), ("아이디", "Login", "text", 12), ("단위기간", "Unit", "count", 7),
    ("시작", "From", "date", 12), ("종료", "To", "date", 12), ("훈련일", "Days", "count", 7), ("출석", "Attended", "count", 7),
    ("공가", "Excused", "count", 7), ("지각·조퇴·외출", "Events", "count", 10), ("환산 결석", "Absences of events", "count", 9),
    ("인정 일수", "Credited", "count", 8), ("출석률", "Attendance", "percent", 8),
)  # fmt: skip


def unit_statement(room: Class, unit: date | None = None) -> Report:
    """Everybody's unit periods, or one of them by its first day."""
    rows = tuple(row for number, learner in enumerate(room.learners, 1) for row in _rows(number, learner, unit))
    return Report(
        title=Text(ko="단위기간 정산표", en="Unit statement"), facts=facts_of(room), tables=(Table(_COLUMNS, rows),),
        notes=(Text(ko="지각·조퇴·외출은 세 번이 결석 하루로 환산됩니다(사업 규칙의 설정). 출석률은 올림하지 않습니다.",
                    en="Events count as absences by the programme's rules, three for one unless they say otherwise. Attendance is never rounded up."),),
        name="units", landscape=True,
    )  # fmt: skip


def _rows(number: int, learner: LearnerState, only: date | None) -> Iterator[tuple[Cell, ...]]:
    for place, unit in enumerate(learner.attendance.units, 1):
        if only in (None, unit.starts):
            yield (
                number, learner.name, learner.login, place, unit.starts, unit.ends, unit.days, unit.attended, unit.excused,
                unit.events, unit.absences_from_events, unit.credited, percent_of(unit.credited, unit.days),
            )  # fmt: skip
