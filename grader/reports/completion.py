"""The completion list: who completed, what was asked and what was found. The rule: a frozen decision stands as it was frozen."""

from __future__ import annotations

from collections import Counter

from grader.completion import OUTCOME_TEXT
from grader.records.state import LearnerState
from grader.reports.course import Class, facts_of
from grader.reports.table import Cell, Report, Table, columns, percent_of
from labs.texts import Text

_COLUMNS = columns(
    ("번호", "No.", "count", 5), ("이름", "Name", "text", 12), ("아이디", "Login", "text", 12),
    ("인정 일수", "Days credited", "count", 9), ("필요 일수", "Days needed", "count", 9), ("훈련일", "Training days", "count", 8),
    ("출석률", "Attendance", "percent", 8), ("필수 실습 통과", "Required labs passed", "text", 14),
    ("판정", "Decision", "text", 18), ("확정일", "Frozen on", "date", 12), ("확정한 사람", "Frozen by", "text", 12),
)  # fmt: skip


def completion_list(room: Class) -> Report:
    """Everybody's decision; those who left with them."""
    rows = tuple(_row(room, number, learner) for number, learner in enumerate(room.learners, 1))
    outcomes = Counter(learner.outcome for learner in room.learners)
    counted = tuple((OUTCOME_TEXT[outcome], outcomes[outcome]) for outcome in OUTCOME_TEXT if outcomes[outcome])
    return Report(
        title=Text(ko="수료자 명부", en="Completion list"),
        facts=facts_of(room, (Text(ko="등록 인원", en="Enrolled"), len(room.learners)), *counted),
        tables=(Table(_COLUMNS, rows),),
        notes=(Text(ko="확정일이 없는 판정은 기준 시각에 계산한 것이며 바뀔 수 있습니다. 출석률은 올림하지 않습니다.",
                    en="A decision without a date is computed as of the moment above and may change. Attendance is never rounded up."),),
        name="completion", landscape=True,
    )  # fmt: skip


def passed_of(learner: LearnerState) -> tuple[int, int]:
    """How many required labs are passed or exempted, and how many there are."""
    required = [lab for lab in learner.labs if lab.lab.required]
    return sum(lab.exemption is not None or lab.work.passed for lab in required), len(required)


def _row(room: Class, number: int, learner: LearnerState) -> tuple[Cell, ...]:
    attendance, frozen = learner.attendance, learner.frozen
    credited, needed, days = attendance.credited, attendance.needed, attendance.days
    if frozen:
        credited, needed, days = (frozen.payload[name] for name in ("credited", "needed", "days"))
    passed, required = passed_of(learner)
    return (
        number, learner.name, learner.login, credited, needed, days, percent_of(credited, days), f"{passed} / {required}",
        OUTCOME_TEXT[learner.outcome], frozen.at.astimezone(room.zone).date() if frozen else None, frozen.by if frozen else None,
    )  # fmt: skip
