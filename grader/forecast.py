"""Who will complete, as far as the records of today can tell. Pure: no database, no clock, whole numbers.

The rule: one more attended day never makes a forecast worse. A forecast decides nothing; completion is decided by
`grader.completion` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from grader.attendance import CourseAttendance
from grader.completion import LabWork
from labs.texts import Text

Level = Literal["certain", "likely", "at_risk", "out_of_reach"]
Standing = Literal["met", "open", "waiting", "overdue", "failed"]
#: From the best to the worst.
LEVELS: tuple[Level, ...] = ("certain", "likely", "at_risk", "out_of_reach")
LEVEL_TEXT: dict[Level, Text] = {
    "certain": Text(ko="수료 확실", en="certain"),
    "likely": Text(ko="수료 예상", en="likely"),
    "at_risk": Text(ko="수료 위험", en="at risk"),
    "out_of_reach": Text(ko="수료 불가", en="no longer reachable"),
}
#: How each is counted, for the page that shows them.
HOW_TEXT: dict[Level, Text] = {
    "certain": Text(
        ko="지금까지 인정된 훈련일만으로 출석 요건을 채웠고, 필수 실습을 모두 통과했습니다. 남은 날에 모두 결석해도 그대로입니다.",
        en="the days credited so far are enough, and every required lab is passed; missing every day ahead would not change it",
    ),
    "likely": Text(
        ko="지금까지의 출석 비율이 이어지면 출석 요건을 채우고, 제적 경고가 없고, 기한이 지났거나 통과하지 못한 필수 실습이 없습니다.",
        en="at the share of days credited so far the attendance will be enough, there is no dismissal warning, and no "
        "required lab is overdue or failed",
    ),
    "at_risk": Text(
        ko="아직 수료할 수 있지만, 지금까지의 출석 비율로는 모자라거나 제적 경고가 있거나 기한이 지났거나 통과하지 못한 필수 실습이 있습니다.",
        en="completion can still be reached, but the share of days credited so far is not enough, or there is a dismissal "
        "warning, or a required lab is overdue or failed",
    ),
    "out_of_reach": Text(
        ko="남은 훈련일을 모두 출석해도 출석 요건을 채울 수 없거나, 중도탈락·제적으로 끝났거나, 과정이 끝났는데 통과하지 못한 필수 실습이 있습니다.",
        en="attending every day ahead would not be enough, or the enrolment ended by dropout or dismissal, or the course is "
        "over with a required lab not passed",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A required lab as it stands; `overdue` where it is due and nothing is handed in."""

    work: LabWork
    overdue: bool = False

    @property
    def standing(self) -> Standing:
        if self.work.met:
            return "met"
        if not self.work.submitted:
            return "overdue" if self.overdue else "open"
        return "failed" if self.work.final else "waiting"


@dataclass(frozen=True)
class Forecast:
    """A learner's forecast, and the numbers that it rests on; `expected` is in days."""

    level: Level
    credited: int
    judged: int
    days: int
    needed: int
    expected: int
    tasks: tuple[Standing, ...]
    warned: bool = False

    def settled(self, completes: bool) -> Forecast:
        """The same where the decision is frozen: nothing is left to forecast."""
        return replace(self, level="certain" if completes else "out_of_reach")

    @property
    def attendance(self) -> Text:
        """What was counted of the attendance, in a sentence."""
        if not self.judged:
            return Text(
                ko=f"아직 판정된 훈련일이 없습니다. 전체 {self.days}일 중 {self.needed}일이 필요합니다.",
                en=f"no training day is judged yet; {self.needed} of {self.days} are needed",
            )
        return Text(
            ko=f"훈련일 {self.judged}일 중 {self.credited}일 인정. 이 비율이면 전체 {self.days}일 중 {self.expected}일"
            f"(필요 {self.needed}일).",
            en=f"{self.credited} of {self.judged} days credited; at this share {self.expected} of all {self.days} "
            f"(needed: {self.needed})",
        )

    @property
    def labs(self) -> Text:
        """What was counted of the required labs, in a sentence."""
        counted = Counter(self.tasks)
        told = [(counted[kind], *_TASKS[kind]) for kind in _TASKS if counted[kind]]
        if not told:
            return Text(ko="필수 실습이 없습니다.", en="there is no required lab")
        return Text(
            ko=f"필수 실습 {len(self.tasks)}개: " + ", ".join(f"{ko} {count}개" for count, ko, _ in told),
            en=f"{len(self.tasks)} required lab{'s' * (len(self.tasks) != 1)}: "
            + ", ".join(f"{count} {en}" for count, _, en in told),
        )  # fmt: skip


_TASKS: dict[Standing, tuple[str, str]] = {
    "met": ("통과", "passed"),
    "waiting": ("제출해 채점 대기", "handed in, not final"),
    "open": ("제출 전", "to hand in"),
    "overdue": ("기한 지남", "overdue"),
    "failed": ("통과 못 함", "below the pass mark"),
}


def forecast(attendance: CourseAttendance, tasks: Sequence[Task], *, course_over: bool) -> Forecast:
    """Say how likely a learner completes, from the attendance as judged and the required labs as they stand."""
    judged = attendance.days - attendance.days_ahead
    expected = expected_days(attendance.credited, judged, attendance.days_ahead)
    standings = tuple(task.standing for task in tasks)
    left = attendance.leaving is not None and attendance.leaving.kind in ("dropout", "dismissed")
    warned = bool(attendance.warnings)
    facts = Forecast(
        "out_of_reach", attendance.credited, judged, attendance.days, attendance.needed, expected, standings, warned
    )
    lost = _is_lost(attendance, tasks, left, course_over)
    return facts if lost else replace(facts, level=_within_reach(facts, attendance))


def expected_days(credited: int, judged: int, ahead: int) -> int:
    """Days that will be credited if the share so far goes on, rounded down; all of them where none is judged yet."""
    return credited + (ahead * credited // judged if judged else ahead)


def counted(levels: Iterable[Level]) -> dict[Level, int]:
    """How many there are of each, the best first."""
    found = Counter(levels)
    return {level: found[level] for level in LEVELS}


def _is_lost(attendance: CourseAttendance, tasks: Sequence[Task], left: bool, over: bool) -> bool:
    """Whether completion is out of reach: as the decision has it, or because the course is over without the work."""
    early = attendance.leaving is not None and attendance.leaving.kind == "early_employment"
    no_work = all(task.work.exempt is not None for task in tasks)
    unfinished = over and any(task.standing in ("open", "overdue", "failed") for task in tasks)
    return left or not attendance.reachable or no_work or unfinished or (early and not attendance.passes)


def _within_reach(facts: Forecast, attendance: CourseAttendance) -> Level:
    standings = set(facts.tasks)
    if attendance.passes and standings == {"met"}:
        return "certain"
    behind = standings & {"overdue", "failed"} or facts.warned
    return "at_risk" if behind or facts.expected < facts.needed else "likely"
