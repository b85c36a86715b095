"""A learner's transcript: labs with scores, hours, AI use, attendance. The rule: it says only what the records hold."""

from __future__ import annotations

from grader.completion import OUTCOME_TEXT
from grader.records.state import LabState, LearnerState
from grader.reports.course import Class, facts_of
from grader.reports.table import Cell, Report, Table, columns, percent_of
from labs.texts import Text

STEP_TEXT = {
    "locked": Text(ko="배포 전", en="not handed out"),
    "open": Text(ko="제출하지 않음", en="not handed in"),
    "submitted": Text(ko="채점 전", en="not graded yet"),
    "review": Text(ko="강사 채점 전", en="waiting for review"),
    "graded": Text(ko="채점 확정", en="grade final"),
}
EXEMPT = Text(ko="면제", en="exempted")
_LABS = columns(
    ("실습", "Lab", "text", 30), ("구분", "Kind", "text", 8), ("상태", "State", "text", 14), ("제출일", "Handed in", "date", 12),
    ("점수", "Points", "points", 8), ("만점", "Of", "points", 8), ("지각 감점", "Late", "points", 8), ("통과", "Passed", "text", 8),
    ("예정 시간", "Planned hours", "hours", 9),
)  # fmt: skip
_ATTENDANCE = columns(("항목", "Item", "text", 30), ("값", "Value", "hours", 10))


def transcript(room: Class, learner: LearnerState) -> Report:
    """One learner's transcript in a course run."""
    used = None if room.ai is None else room.ai.get(learner.login)
    return Report(
        title=Text(ko="훈련 이력서", en="Transcript"),
        facts=facts_of(
            room, (Text(ko="이름", en="Name"), learner.name), (Text(ko="아이디", en="Login"), learner.login),
            (Text(ko="판정", en="Decision"), OUTCOME_TEXT[learner.outcome]),
        ),
        tables=(
            Table(_LABS, tuple(_lab(room, lab) for lab in learner.labs), title=Text(ko="실습", en="Labs")),
            Table(_ATTENDANCE, _attendance(learner), title=Text(ko="출석", en="Attendance")),
            Table(columns(("항목", "Item", "text", 30), ("값", "Value", "count", 12)), (
                (Text(ko="AI 호출", en="AI calls"), None if room.ai is None else used.calls if used else 0),
                (Text(ko="토큰", en="Tokens"), None if room.ai is None else used.tokens if used else 0),
            ), title=Text(ko="AI 사용", en="AI use")),
        ),
        notes=(() if room.ai is not None else (Text(ko="AI 사용 기록을 지금은 읽을 수 없습니다.", en="The records of AI use cannot be read right now."),)),
        name=f"transcript-{learner.login}",
    )  # fmt: skip


def _lab(room: Class, lab: LabState) -> tuple[Cell, ...]:
    handed_in = lab.latest.received_at.astimezone(room.zone).date() if lab.latest else None
    points, most = lab.points, lab.grade.payload["max_points"] if lab.grade else None
    kind = Text(ko="필수", en="required") if lab.lab.required else Text(ko="선택", en="offered")
    state = EXEMPT if lab.exemption else STEP_TEXT[lab.step]
    passed = Text(ko="통과", en="yes") if lab.work.passed else None
    return (
        lab.title,
        kind,
        state,
        handed_in,
        points,
        most,
        lab.late_points or None,
        passed,
        round(lab.lab.minutes / 60, 1),
    )


def _attendance(learner: LearnerState) -> tuple[tuple[Cell, ...], ...]:
    attendance = learner.attendance
    present, scheduled = (
        sum(getattr(verdict, name) for verdict in attendance.verdicts)
        for name in ("minutes_present", "minutes_scheduled")
    )
    return (
        (Text(ko="훈련일", en="Training days"), attendance.days),
        (Text(ko="인정 일수", en="Days credited"), attendance.credited),
        (Text(ko="출석률(%)", en="Attendance (%)"), percent_of(attendance.credited, attendance.days)),
        (Text(ko="참여 시간", en="Hours present"), round(present / 60, 1)),
        (Text(ko="전체 훈련시간", en="Scheduled hours"), round(scheduled / 60, 1)),
    )
