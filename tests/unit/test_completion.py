"""The completion decision rests on attendance and practical work, never on one half alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from grader.attendance import CourseAttendance, Mark, TrainingDay, judge_course
from grader.completion import LabWork, decide
from grader.rules import Rules
from labs.texts import Text

START = date(2026, 7, 6)


def attendance(attended: int, days: int = 5, as_of_day: int = 30) -> CourseAttendance:
    dates = [START + timedelta(days=i) for i in range(days)]

    def at(day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), UTC)

    training = [TrainingDay(day, at(day, 9), at(day, 17)) for day in dates]
    marks = {
        day: Mark(at(day, 9), at(day, 17), rests_on=(f"in-{i}", f"out-{i}")) for i, day in enumerate(dates[:attended])
    }
    return judge_course(training, marks, Rules(), at(START + timedelta(days=as_of_day), 12))


def lab(**more: object) -> LabWork:
    done = {"submitted": True, "score": 60.0, "max_score": 100.0, "final": True, "rests_on": ("s", "g")}
    return LabWork(lab="rough-cut", title=Text(ko="1차 편집", en="Rough cut"), pass_percent=60, **{**done, **more})  # type: ignore[arg-type]


def test_both_halves_complete() -> None:
    decision = decide(attendance(4), [lab()], course_over=True)
    assert decision.outcome == "completed"
    assert set(decision.rests_on) == {*(f"{k}-{i}" for k in ("in", "out") for i in range(4)), "s", "g"}


@pytest.mark.parametrize(
    ("days", "work"),
    [(3, [lab()]), (5, []), (5, [lab(submitted=False, score=None)]), (5, [lab(score=None)]), (5, [lab(final=False)]),
     (5, [lab(score=59.9)]), (5, [lab(), lab(final=False)])],
)  # fmt: skip
def test_one_half_alone_never_completes(days: int, work: list[LabWork]) -> None:
    assert decide(attendance(days), work, course_over=True).outcome in ("not_completed", "out_of_reach")


def test_while_it_can_still_be_reached_the_decision_is_open() -> None:
    assert decide(attendance(2, as_of_day=1), [lab()], course_over=False).outcome == "in_progress"
    assert decide(attendance(0, as_of_day=3), [lab()], course_over=False).outcome == "out_of_reach"


def test_each_requirement_says_what_was_asked_and_found() -> None:
    decision = decide(attendance(2), [lab(final=False)], course_over=True)
    found = {requirement.id: (requirement.met, requirement.found.ko) for requirement in decision.requirements}
    assert found["attendance"] == (False, "인정 2일 / 필요 4일, 2026-07-09부터 남은 훈련일로 채울 수 없음")
    assert found["lab:rough-cut"] == (False, "60 / 100점, 강사 채점 전")
