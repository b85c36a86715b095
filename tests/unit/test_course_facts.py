"""What a course run is and who is in it, as known then and now; decisions frozen by a named person and opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from small_course import COURSE, DAYS, MONDAY_TEN
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from grader import codes
from grader.allowance import FLAG_TEXT
from grader.records import attend, decisions, door, enrolments, exemptions, journal, programmes, timetable, work
from grader.records.attend import Refused
from grader.records.blobs import Manifest
from grader.records.db import reading, writing
from grader.records.frozen import IsFrozen, frozen_in
from grader.records.models import CourseRun, Programme
from grader.records.state import CourseState, course_state, find_course
from grader.records.timetable import BadTimetable, Closure, Hours
from grader.records.work import GradeReport
from grader.rules import Rules
from labs.texts import UserError

#: Monday 20 July, when the course is over.
AFTER = datetime(2026, 7, 20, tzinfo=UTC)
BY: Any = {"actor": "office", "reason": "사유", "now": AFTER}


class Room:
    """The small course, with a hand that writes and an eye that reads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def run(self) -> Iterator[tuple[Session, CourseRun]]:
        with writing(self.engine) as session:
            yield session, find_course(session, COURSE)

    def do(self, action: Callable[..., Any], *args: Any, **more: Any) -> Any:
        with self.run() as (session, run):
            return action(session, run, *args, **{**BY, **more})

    def state(self, as_of: datetime = AFTER) -> CourseState:
        with reading(self.engine) as session:
            state = course_state(session, COURSE, as_of)
            assert journal.verify(session) is None
        return state

    def outcome(self, login: str, as_of: datetime = AFTER) -> str:
        return next(learner for learner in self.state(as_of).learners if learner.login == login).outcome

    def attended(self, login: str, days: int = 5) -> None:
        with self.run() as (session, run):
            for day in DAYS[:days]:
                attend.correct(
                    session, run, login=login, day=day, instructor="eve", reason="출석부", now=AFTER - timedelta(days=9),
                    check_in=time(9), check_out=time(18),
                )  # fmt: skip

    def handed_in(self, login: str, points: float = 80, *, final: bool = True) -> None:
        with self.run() as (session, run):
            if work.released(session, COURSE, "rough-cut") is None:
                work.release(session, run, "rough-cut", Manifest(files=()), actor="eve", due_at=None, now=MONDAY_TEN)
            receipt = work.submit(session, run, "rough-cut", Manifest(files=()), learner=login, now=MONDAY_TEN)
            report = GradeReport(submission=receipt.id, points=points, max_points=100, final=final)
            work.record_grade(session, COURSE, report, actor="grader", now=MONDAY_TEN)


@pytest.fixture
def room(engine: Engine) -> Room:
    return Room(engine)


# --- timetable ---------------------------------------------------------------------------------------------------------


def hours(*days: date) -> list[Hours]:
    return [Hours(day, time(9), time(18)) for day in days]


def test_a_timetable_that_changed_is_known_as_it_was_before(room: Room) -> None:
    wednesday = AFTER - timedelta(days=12)
    closed = [Closure(DAYS[2], "임시 휴강")]
    event = room.do(timetable.set_timetable, hours(*DAYS[:2], *DAYS[3:]), closed, now=wednesday)
    assert (event.kind, event.payload["reason"], event.payload["closed"]) == (
        "timetable.set", "사유", [["2026-07-08", "임시 휴강", None]],
    )  # fmt: skip
    assert [day.date for day in room.state().days] == [*DAYS[:2], *DAYS[3:]]
    assert [day.date for day in room.state(wednesday - timedelta(hours=1)).days] == DAYS


def test_the_same_timetable_again_adds_no_event(room: Room) -> None:
    first = room.do(timetable.set_timetable, hours(*DAYS))
    assert room.do(timetable.set_timetable, hours(*reversed(DAYS))).id == first.id


@pytest.mark.parametrize(
    ("days", "closed", "said"),
    [
        (hours(DAYS[0], DAYS[0]), [], "2026-07-06: the same date stands twice"),
        (hours(DAYS[0]), [Closure(DAYS[0], "휴강")], "2026-07-06: the same date stands twice"),
        (hours(date(2026, 7, 11)), [], "2026-07-11: outside the course run"),
        ([Hours(DAYS[0], time(18), time(9))], [], "2026-07-06: the end must be after the start"),
        (hours(DAYS[0]), [Closure(DAYS[1], "휴강", DAYS[2])], "makes up for it, 2026-07-08, is no training day"),
    ],
)
def test_a_timetable_that_cannot_be_names_the_day(room: Room, days: Any, closed: Any, said: str) -> None:
    with pytest.raises(BadTimetable, match=said):
        room.do(timetable.set_timetable, days, closed)
    assert [day.date for day in room.state().days] == DAYS


# --- rules by date -----------------------------------------------------------------------------------------------------


def test_a_run_keeps_the_rules_of_its_first_day(room: Room) -> None:
    def rules(percent: int, valid_from: date, now: datetime) -> None:
        with writing(room.engine) as session:
            programme = session.get_one(Programme, "p")
            new = Rules(attendance_percent=percent)
            programmes.set_rules(session, programme, new, valid_from=valid_from, actor="op", reason="고시", now=now)

    rules(90, date(2026, 7, 1), AFTER - timedelta(days=2))
    rules(70, date(2026, 8, 1), AFTER - timedelta(days=1))
    assert room.state().rules.attendance_percent == 90
    assert room.state(AFTER - timedelta(days=3)).rules.attendance_percent == 80
    rules(85, date(2026, 7, 1), AFTER)
    assert room.state().rules.attendance_percent == 85


def test_the_last_attempt_counts_or_the_best_as_the_programme_says(room: Room) -> None:
    def work_of() -> tuple[float | None, bool]:
        found = room.state().learners[0].labs[0].work
        return found.score, found.passed

    for points in (50, 90, 70):
        room.handed_in("ann", points)
    assert work_of() == (70, True)
    with writing(room.engine) as session:
        programme, best = session.get_one(Programme, "p"), Rules(counted_attempt="best")
        programmes.set_rules(session, programme, best, valid_from=DAYS[0], actor="op", reason="고시", now=AFTER)
    assert work_of() == (90, True)
    room.handed_in("ann", 95, final=False)
    assert work_of() == (90, True), "an attempt that is not judged yet takes nothing away, and gives nothing"
    room.handed_in("ann", 95)
    assert work_of() == (95, True)
    assert room.state().learners[0].labs[0].better is None


# --- leaving, exemption, flags -----------------------------------------------------------------------------------------


def test_leaving_is_an_event_with_a_date_and_can_be_taken_back(room: Room) -> None:
    room.do(enrolments.end, "ann", how="dropout", on=DAYS[1])
    left = {learner.login: learner.left for learner in room.state().learners}
    assert left["bob"] is None
    assert left["ann"] is not None
    assert left["ann"].payload == {"how": "dropout", "on": "2026-07-07", "reason": "사유"}
    room.do(enrolments.withdraw_end, "ann")
    assert [learner.left for learner in room.state().learners] == [None, None]
    with pytest.raises(UserError, match="has not left"):
        room.do(enrolments.withdraw_end, "ann")


@pytest.mark.parametrize(
    ("login", "more", "said"),
    [
        ("zoe", {}, "not enrolled"),
        ("ann", {"on": date(2026, 7, 11)}, "within the course run"),
        ("ann", {"reason": " "}, "write the reason"),
        ("ann", {"how": "ran away"}, "choose how"),
    ],
)
def test_a_leaving_that_cannot_be_says_why(room: Room, login: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        room.do(enrolments.end, login, **{"how": "dropout", "on": DAYS[1], **more})


def test_nobody_checks_in_who_has_left(room: Room) -> None:
    room.do(enrolments.end, "ann", how="dropout", on=DAYS[0])
    typed = codes.code_at(b"s", COURSE, DAYS[0], MONDAY_TEN)
    with room.run() as (session, run), pytest.raises(Refused, match="left_already"):
        door.check(session, run, "ann", typed, secret=b"s", now=MONDAY_TEN)


@pytest.mark.parametrize(
    ("how", "last", "outcome"),
    [("dropout", 4, "dropout"), ("dismissed", 4, "dismissed"), ("early_employment", 3, "early_employment"),
     ("early_employment", 2, "dropout")],
)  # fmt: skip
def test_how_somebody_left_decides(room: Room, how: str, last: int, outcome: str) -> None:
    room.attended("ann")
    room.handed_in("ann")
    assert room.outcome("ann") == "completed"
    ended = room.do(enrolments.end, "ann", how=how, on=DAYS[last])
    assert room.outcome("ann") == outcome
    ann = next(learner for learner in room.state().learners if learner.login == "ann")
    assert [verdict.status for verdict in ann.attendance.verdicts[last + 1 :]] == ["left"] * (4 - last)
    assert ended.id in ann.decision.rests_on
    room.do(enrolments.withdraw_end, "ann")
    assert room.outcome("ann") == "completed"


def test_an_exempted_lab_is_met_and_every_lab_exempted_completes_nobody(room: Room) -> None:
    room.attended("ann")
    exempted = room.do(exemptions.exempt, "ann", "rough-cut")
    ann = next(learner for learner in room.state().learners if learner.login == "ann")
    of_lab = next(one for one in ann.decision.requirements if one.id == "lab:rough-cut")
    assert (of_lab.met, of_lab.found.ko, exempted.id in of_lab.rests_on) == (True, "면제: 사유", True)
    assert ann.outcome == "not_completed"


def test_the_newest_word_on_an_exemption_and_a_flag_stands(room: Room) -> None:
    room.do(exemptions.exempt, "ann", "rough-cut")
    room.do(exemptions.flag, "ann", "insured_work_15h")
    with reading(room.engine) as session:
        events = journal.events(session, COURSE)
        assert list(exemptions.exemptions(events)) == [("ann", "rough-cut")]
        assert list(exemptions.flags(events)) == [("ann", "insured_work_15h", None)]
    room.do(exemptions.withdraw_exemption, "ann", "rough-cut")
    room.do(exemptions.flag, "ann", "insured_work_15h", cleared=True)
    with reading(room.engine) as session:
        events = journal.events(session, COURSE)
        assert not exemptions.exemptions(events)
        assert not exemptions.flags(events)


@pytest.mark.parametrize("cleared", [False, True])
def test_a_flag_that_the_allowance_does_not_know_is_refused_by_its_name(room: Room, cleared: bool) -> None:
    with pytest.raises(exemptions.UnknownFlag) as caught:
        room.do(exemptions.flag, "ann", "rich", cleared=cleared)
    for said in (caught.value.text.ko, caught.value.text.en):
        assert "'rich'" in said
        assert all(right in said for right in FLAG_TEXT)
    with reading(room.engine) as session:
        assert journal.events(session, COURSE) == []


# --- frozen decisions --------------------------------------------------------------------------------------------------


def test_a_decision_is_frozen_by_a_named_person_and_stands(room: Room) -> None:
    room.attended("ann")
    room.handed_in("ann")
    room.attended("bob")
    frozen = _freeze(room)
    assert [(event.subject, event.actor, event.payload["outcome"]) for event in frozen] == [
        ("ann", "jiwon", "completed"), ("bob", "jiwon", "not_completed"),
    ]  # fmt: skip
    assert {"rules", "known_to", "credited", "needed", "days", "requirements", "labs"} <= set(frozen[0].payload)
    room.handed_in("bob", 95)
    bob = next(learner for learner in room.state().learners if learner.login == "bob")
    assert (bob.outcome, bob.decision.outcome, bob.differs) == ("not_completed", "completed", True)
    assert _freeze(room) == []


def test_a_frozen_decision_keeps_what_it_rests_on_from_changing(room: Room) -> None:
    room.attended("ann")
    _freeze(room)
    for action, args, more in (
        (attend.correct, (), {"login": "ann", "day": DAYS[0], "instructor": "eve", "check_in": time(9), "actor": None}),
        (enrolments.end, ("ann",), {"how": "dropout", "on": DAYS[1]}),
        (exemptions.exempt, ("ann", "rough-cut"), {}),
        (exemptions.flag, ("ann", "insured_work_15h"), {}),
        (timetable.set_timetable, (hours(*DAYS[:3]),), {}),
    ):
        given = {key: value for key, value in {**BY, **more}.items() if value is not None}
        with room.run() as (session, run), pytest.raises(IsFrozen):
            action(session, run, *args, **given)  # type: ignore[operator]


def test_a_decision_is_opened_again_only_with_a_reason(room: Room) -> None:
    room.attended("bob")
    _freeze(room)
    with pytest.raises(UserError, match="write the reason"):
        room.do(decisions.reopen, "bob", reason=" ")
    event = room.do(decisions.reopen, "bob", reason="추가 제출 인정", actor="jiwon")
    assert event.payload["reason"] == "추가 제출 인정"
    with reading(room.engine) as session:
        assert list(frozen_in(session, COURSE)) == ["ann"]
    room.handed_in("bob", 95)
    assert [event.subject for event in _freeze(room)] == ["bob"]
    assert room.outcome("bob") == "completed"
    assert room.outcome("bob", AFTER - timedelta(seconds=1)) == "completed"


def test_nothing_is_frozen_before_the_end(room: Room) -> None:
    with pytest.raises(UserError, match="it ends on 2026-07-10"):
        _freeze(room, datetime(2026, 7, 10, 8, 59, tzinfo=UTC))
    assert len(_freeze(room, datetime(2026, 7, 10, 9, 0, tzinfo=UTC))) == 2


def test_nothing_is_frozen_while_a_grade_is_open(room: Room) -> None:
    room.handed_in("ann", final=False)
    with pytest.raises(UserError, match=r"1 grades of required labs are not final yet: 안나 · rough-cut"):
        _freeze(room)
    room.do(exemptions.exempt, "ann", "rough-cut")
    assert len(_freeze(room)) == 2


def _freeze(room: Room, now: datetime = AFTER) -> Any:
    with room.run() as (session, run):
        return decisions.freeze(session, run, actor="jiwon", now=now)
