"""The completion decision: attendance *and* practical work, never one half alone.

`decide` is a pure function over plain data. It returns each requirement, what was found, and the records it rests on.
Rules 8 and 10 of the programme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grader.attendance import CourseAttendance
from labs.texts import Text

Outcome = Literal["completed", "in_progress", "not_completed", "out_of_reach"]

OUTCOME_TEXT: dict[Outcome, Text] = {
    "completed": Text(ko="수료", en="completed"),
    "in_progress": Text(ko="진행 중", en="in progress"),
    "not_completed": Text(ko="미수료", en="not completed"),
    "out_of_reach": Text(ko="수료 불가", en="can no longer be completed"),
}


@dataclass(frozen=True)
class LabWork:
    """A required lab as it stands for one learner; scores are points, after what being late took off."""

    lab: str
    title: Text
    pass_percent: int
    submitted: bool = False
    score: float | None = None
    max_score: float = 0
    final: bool = False
    late_points: float = 0
    rests_on: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        enough = self.score is not None and self.score * 100 >= self.max_score * self.pass_percent
        return self.submitted and self.final and enough


@dataclass(frozen=True)
class Requirement:
    """One requirement: what is asked, what was found, whether it is met, and the events it rests on."""

    id: str
    met: bool
    asked: Text
    found: Text
    rests_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The decision for one learner in one course run."""

    outcome: Outcome
    requirements: tuple[Requirement, ...]

    @property
    def rests_on(self) -> tuple[str, ...]:
        return tuple(event for requirement in self.requirements for event in requirement.rests_on)


def decide(attendance: CourseAttendance, work: Sequence[LabWork], *, course_over: bool) -> Decision:
    """Decide completion from attendance and the required labs; a course without required labs completes nobody."""
    requirements = (_attendance(attendance), *(map(_lab, work)), *(() if work else (_no_work(),)))
    if all(requirement.met for requirement in requirements):
        return Decision("completed", requirements)
    if not attendance.reachable:
        return Decision("out_of_reach", requirements)
    return Decision("not_completed" if course_over else "in_progress", requirements)


def _attendance(attendance: CourseAttendance) -> Requirement:
    found_ko = f"인정 {attendance.credited}일 / 필요 {attendance.needed}일"
    found_en = f"{attendance.credited} days credited, {attendance.needed} needed"
    if not attendance.passes:
        left = attendance.absences_left
        found_ko += f", 앞으로 결석 가능 {left}일" if left >= 0 else ", 남은 훈련일로 채울 수 없음"
        found_en += f", at most {left} more absences" if left >= 0 else ", out of reach with the days left"
    return Requirement(
        "attendance",
        attendance.passes,
        Text(
            ko=f"전체 {attendance.days}일 중 {attendance.needed}일 이상 출석",
            en=f"credited on at least {attendance.needed} of all {attendance.days} training days",
        ),
        Text(ko=found_ko, en=found_en),
        attendance.rests_on,
    )


def _lab(work: LabWork) -> Requirement:
    return Requirement(
        f"lab:{work.lab}",
        work.passed,
        Text(
            ko=f"실습 '{work.title.ko}' 제출, 채점 확정, {work.pass_percent}% 이상",
            en=f"lab '{work.title.en}' handed in, grade final, at least {work.pass_percent}%",
        ),
        _lab_found(work),
        work.rests_on,
    )


def _lab_found(work: LabWork) -> Text:
    if not work.submitted:
        return Text(ko="제출하지 않음", en="not handed in")
    if work.score is None:
        return Text(ko="제출함, 채점 전", en="handed in, not graded yet")
    points = f"{work.score:g} / {work.max_score:g}"
    late_ko = f", 지각 제출 감점 {work.late_points:g}점 반영" if work.late_points else ""
    late_en = f", {work.late_points:g} taken off for being late" if work.late_points else ""
    if not work.final:
        return Text(
            ko=f"{points}점{late_ko}, 강사 채점 전", en=f"{points} points{late_en}, the instructor's review is open"
        )
    return Text(ko=f"{points}점{late_ko}, 확정", en=f"{points} points{late_en}, final")


def _no_work() -> Requirement:
    return Requirement(
        "practical-work",
        False,
        Text(ko="필수 실습 1개 이상", en="at least one required lab"),
        Text(ko="이 과정에 필수 실습이 없습니다.", en="This course has no required lab."),
    )
