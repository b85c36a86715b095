"""The completion decision: attendance *and* practical work, never one half alone.

`decide` is a pure function over plain data. It returns each requirement, what was found, and the records it rests on.
Rules 8 and 10 of the programme. A leaving alone completes nobody either: early employment only lowers what is asked of
the attendance, and the labs stay required.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grader.attendance import LEAVING_TEXT, CourseAttendance, Leaving
from labs.texts import Text

Outcome = Literal[
    "completed", "early_employment", "in_progress", "not_completed", "out_of_reach", "dropout", "dismissed"
]
#: Outcomes that count as completion.
COMPLETING: frozenset[Outcome] = frozenset({"completed", "early_employment"})

OUTCOME_TEXT: dict[Outcome, Text] = {
    "completed": Text(ko="수료", en="completed"),
    "early_employment": Text(ko="수료 (조기취업)", en="completed by early employment"),
    "in_progress": Text(ko="진행 중", en="in progress"),
    "not_completed": Text(ko="미수료", en="not completed"),
    "out_of_reach": Text(ko="수료 불가", en="can no longer be completed"),
    "dropout": Text(ko="중도탈락", en="dropout"),
    "dismissed": Text(ko="제적", en="dismissed"),
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
    #: Why the learner is exempted from this lab; who said so is in the event.
    exempt: Text | None = None

    @property
    def passed(self) -> bool:
        if self.score is None or self.max_score <= 0:
            return False
        # In hundredths of a point, which are whole: 0.29 of 1 is 29 %, but 0.29 * 100 is less than 29.
        enough = round(self.score * 100) * 100 >= round(self.max_score * 100) * self.pass_percent
        return self.submitted and self.final and enough

    @property
    def met(self) -> bool:
        return self.exempt is not None or self.passed


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
    def completes(self) -> bool:
        return self.outcome in COMPLETING

    @property
    def rests_on(self) -> tuple[str, ...]:
        return tuple(event for requirement in self.requirements for event in requirement.rests_on)


def decide(attendance: CourseAttendance, work: Sequence[LabWork], *, course_over: bool) -> Decision:
    """Decide completion from attendance and the required labs; one lab at least has to be done, not exempted."""
    leaving = attendance.leaving
    requirements = (
        *([_enrolment(attendance, leaving)] if leaving else []),
        _attendance(attendance),
        *map(_lab, work),
        *([] if any(lab.exempt is None for lab in work) else [_no_work(work)]),
    )
    return Decision(
        _outcome(attendance, all(requirement.met for requirement in requirements), course_over), requirements
    )


def _outcome(attendance: CourseAttendance, all_met: bool, course_over: bool) -> Outcome:
    kind = attendance.leaving.kind if attendance.leaving else None
    if kind == "dismissed":
        return "dismissed"
    if kind == "dropout" or (kind == "early_employment" and not attendance.passes):
        return "dropout"
    if all_met:
        return "early_employment" if kind == "early_employment" else "completed"
    if not attendance.reachable:
        return "out_of_reach"
    return "not_completed" if course_over else "in_progress"


def _enrolment(attendance: CourseAttendance, leaving: Leaving) -> Requirement:
    """Early employment is enough where the attendance is; a dropout or a dismissal never is."""
    early = leaving.kind == "early_employment"
    percent, kind = attendance.rules.early_employment_percent, LEAVING_TEXT[leaving.kind]
    return Requirement(
        "enrolment",
        leaving.kind == "completed" or (early and attendance.passes),
        Text(
            ko=f"과정 끝까지 수강, 또는 전체 훈련일의 {percent}% 이상 인정된 뒤의 조기취업",
            en=f"enrolled to the end, or early employment after at least {percent}% of all training days",
        ),
        Text(
            ko=f"{leaving.on} {kind.ko}: {leaving.reason}" if leaving.reason else f"{leaving.on} {kind.ko}",
            en=f"{kind.en} on {leaving.on}: {leaving.reason}" if leaving.reason else f"{kind.en} on {leaving.on}",
        ),
        leaving.rests_on,
    )


def _attendance(attendance: CourseAttendance) -> Requirement:
    found_ko = f"인정 {attendance.credited}일 / 필요 {attendance.needed}일"
    found_en = f"{attendance.credited} days credited, {attendance.needed} needed"
    if not attendance.passes:
        left, since = attendance.absences_left, attendance.out_of_reach_since
        found_ko += f", {since}부터 남은 훈련일로 채울 수 없음" if since else f", 앞으로 결석 가능 {left}일"
        found_en += f", out of reach since {since}" if since else f", at most {left} more absence{'s' * (left != 1)}"
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
        work.met,
        Text(
            ko=f"실습 '{work.title.ko}' 제출, 채점 확정, {work.pass_percent}% 이상",
            en=f"lab '{work.title.en}' handed in, grade final, at least {work.pass_percent}%",
        ),
        _lab_found(work),
        work.rests_on,
    )


def _lab_found(work: LabWork) -> Text:
    if work.exempt is not None:
        return Text(ko=f"면제: {work.exempt.ko}", en=f"exempted: {work.exempt.en}")
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


def _no_work(work: Sequence[LabWork]) -> Requirement:
    found = Text(ko="이 과정에 필수 실습이 없습니다.", en="This course has no required lab.")
    if work:
        found = Text(ko="필수 실습이 모두 면제되었습니다.", en="Every required lab is exempted.")
    return Requirement(
        "practical-work",
        False,
        Text(ko="면제되지 않은 필수 실습 1개 이상", en="at least one required lab that is not exempted"),
        found,
        tuple(event for lab in work for event in lab.rests_on),
    )
