"""The completion decision rests on attendance and practical work, never on one half alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from grader.attendance import CourseAttendance, Leaving, LeavingKind, Mark, TrainingDay, judge_course
from grader.completion import LabWork, decide
from grader.rules import Rules
from labs.texts import Text

START = date(2026, 7, 6)


def attendance(
    attended: int, days: int = 5, as_of_day: int = 30, leaving: Leaving | None = None, rules: Rules | None = None
) -> CourseAttendance:
    dates = [START + timedelta(days=i) for i in range(days)]

    def at(day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), UTC)

    training = [TrainingDay(day, at(day, 9), at(day, 17)) for day in dates]
    marks = {
        day: Mark(at(day, 9), at(day, 17), rests_on=(f"in-{i}", f"out-{i}")) for i, day in enumerate(dates[:attended])
    }
    return judge_course(training, marks, rules or Rules(), at(START + timedelta(days=as_of_day), 12), leaving=leaving)


def lab(passes_at: int = 60, **more: object) -> LabWork:
    done = {"submitted": True, "score": 60.0, "max_score": 100.0, "final": True, "rests_on": ("s", "g")}
    return LabWork(
        lab="rough-cut", title=Text(ko="1차 편집", en="Rough cut"), pass_percent=passes_at, **{**done, **more}
    )  # type: ignore[arg-type]


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


def test_points_are_compared_in_whole_hundredths() -> None:
    assert lab(score=0.29, max_score=1, passes_at=29).passed
    assert not lab(score=0.28, max_score=1, passes_at=29).passed
    assert lab(score=64.35, max_score=99, passes_at=65).passed
    assert not lab(score=0, max_score=0).passed


EXEMPT = Text(ko="경력 인정", en="experience recognised")


def test_an_exempted_lab_counts_as_met_and_says_why() -> None:
    exempted = lab(submitted=False, score=None, exempt=EXEMPT, rests_on=("exempt-1",))
    decision = decide(attendance(5), [exempted, lab()], course_over=True)
    assert (decision.outcome, decision.completes) == ("completed", True)
    assert decision.requirements[1].found == Text(ko="면제: 경력 인정", en="exempted: experience recognised")
    assert "exempt-1" in decision.rests_on


def test_where_every_lab_is_exempted_nobody_completes() -> None:
    decision = decide(attendance(5), [lab(exempt=EXEMPT), lab(exempt=EXEMPT)], course_over=True)
    assert decision.outcome == "not_completed"
    last = decision.requirements[-1]
    assert (last.id, last.met, last.found.ko) == ("practical-work", False, "필수 실습이 모두 면제되었습니다.")


def left(kind: LeavingKind, after_days: int) -> Leaving:
    return Leaving(kind, START + timedelta(days=after_days - 1), "입사 확인서", ("left-1",))


@pytest.mark.parametrize(
    ("after", "work", "outcome"),
    [
        (4, [lab()], "early_employment"),  # 4 of 5 days are 80 %
        (3, [lab()], "dropout"),
        (4, [lab(final=False)], "not_completed"),  # the labs stay required
        (4, [], "not_completed"),
        (4, [lab(exempt=EXEMPT)], "not_completed"),
    ],
)
def test_rule_10_early_employment_completes_from_80_percent_of_the_whole_course(
    after: int, work: list[LabWork], outcome: str
) -> None:
    decision = decide(attendance(after, leaving=left("early_employment", after)), work, course_over=True)
    assert decision.outcome == outcome
    assert decision.completes is (outcome == "early_employment")
    first = decision.requirements[0]
    assert (first.id, first.met, first.rests_on) == ("enrolment", after == 4, ("left-1",))
    assert first.found.ko == f"2026-07-{5 + after:02} 조기취업: 입사 확인서"
    assert "left-1" in decision.rests_on


def test_rule_10_early_employment_has_its_own_share() -> None:
    half = Rules(early_employment_percent=50)
    found = attendance(5, days=10, leaving=left("early_employment", 5), rules=half)
    assert decide(found, [lab()], course_over=True).outcome == "early_employment"
    assert decide(attendance(5, days=10, rules=half), [lab()], course_over=True).outcome == "out_of_reach"


@pytest.mark.parametrize("kind", ["dropout", "dismissed"])
def test_rule_10_who_drops_out_or_is_dismissed_completes_with_nothing(kind: LeavingKind) -> None:
    decision = decide(attendance(5, leaving=left(kind, 5)), [lab()], course_over=True)
    assert (decision.outcome, decision.completes) == (kind, False)
    assert [requirement.met for requirement in decision.requirements] == [False, True, True]


def test_the_recorded_end_of_a_course_completes_nobody_by_itself() -> None:
    ended = left("completed", 5)
    assert decide(attendance(5, leaving=ended), [lab()], course_over=True).outcome == "completed"
    assert decide(attendance(5, leaving=ended), [], course_over=True).outcome == "not_completed"
    assert decide(attendance(2, leaving=left("completed", 2)), [lab()], course_over=False).outcome == "out_of_reach"


def test_a_course_without_training_days_completes_nobody() -> None:
    assert decide(
        judge_course([], {}, Rules(), datetime(2026, 7, 6, tzinfo=UTC)), [lab()], course_over=True
    ).outcome == ("not_completed")
