"""States kept between requests are what fresh ones would be: over random histories and moments, and after each new event."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from small_course import COURSE, DAYS, MONDAY_TEN
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session
from turns import few

from grader.records import attend, deadlines, enrolments, exemptions, journal, programmes, remembered, timetable, work
from grader.records.blobs import Manifest
from grader.records.db import reading, writing
from grader.records.models import CourseRun, Person, Programme
from grader.records.state import CourseState, course_state, find_course, fold
from grader.records.timetable import Hours
from grader.records.work import GradeReport
from grader.rules import Rules
from labs.manifest import Terms

Action = Callable[[random.Random, Session, CourseRun, datetime], Any]
LOGINS = ("ann", "bob")


def told(state: CourseState) -> Any:
    """Everything that a page reads of a state, as plain values."""
    return [
        (learner.login, learner.name, learner.attendance, learner.decision, learner.outcome, learner.left and learner.left.id,
         [(lab.lab.lab_id, lab.lab.title_ko, lab.step, lab.points, lab.due_at, lab.late, lab.moved, lab.latest and lab.latest.id,
           lab.release and lab.release.id, lab.feedback and lab.feedback.id, lab.exemption and lab.exemption.id) for lab in learner.labs])
        for learner in state.learners
    ], state.rules, state.days, state.run.title_ko  # fmt: skip


def both(engine: Engine, as_of: datetime) -> tuple[Any, Any]:
    """What is remembered, and what is folded anew."""
    with reading(engine) as session:
        kept = told(course_state(session, COURSE, as_of))
    with reading(engine) as session:
        return kept, told(fold(session, find_course(session, COURSE), as_of))


def door(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    day, login = now.astimezone(attend.zone(run)).date(), luck.choice(LOGINS)
    kind = luck.choice((attend.CHECKED_IN, attend.CHECKED_OUT))
    journal.append(session, kind, actor=login, course=run.id, subject=login, payload={"day": day.isoformat()}, at=now)


def correction(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    """Of any day, of today too, and ahead of the hour too."""
    starts, ends = sorted(
        (time(luck.randrange(8, 20), luck.randrange(60)), time(luck.randrange(8, 20), luck.randrange(60)))
    )
    payload = {"day": luck.choice(DAYS).isoformat(), "check_in": f"{starts:%H:%M}", "check_out": f"{ends:%H:%M}",
               "excused": luck.choice((None, None, "병가")), "reason": "출석부"}  # fmt: skip
    journal.append(
        session, attend.CORRECTED, actor="eve", course=run.id, subject=luck.choice(LOGINS), payload=payload, at=now
    )


def handed_in(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    lab, login = luck.choice(("rough-cut", "book-proposal")), luck.choice(LOGINS)
    if work.released(session, run.id, lab) is None:
        work.release(session, run, lab, Manifest(files=()), actor="eve", due_at=now + timedelta(hours=9), now=now)
    receipt = work.submit(session, run, lab, Manifest(files=()), learner=login, now=now)
    if luck.random() < 0.7:
        report = GradeReport(
            submission=receipt.id, points=luck.randrange(100), max_points=100, final=luck.random() < 0.7
        )
        work.record_grade(session, run.id, report, actor="grader", now=now)


def due(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    deadlines.set_deadline(
        session, run, "rough-cut", due_at=now + timedelta(hours=luck.randrange(-9, 40)), terms=Terms(), reason="변경",
        instructor="eve", now=now,
    )  # fmt: skip


def leaving(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    login = luck.choice(LOGINS)
    if login in enrolments.ends(journal.events(session, run.id)):
        enrolments.withdraw_end(session, run, login, reason="착오", actor="office", now=now)
    else:
        enrolments.end(session, run, login, how="dropout", on=luck.choice(DAYS), reason="이직", actor="office", now=now)


def exemption(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    exemptions.exempt(session, run, luck.choice(LOGINS), "rough-cut", reason="경력", actor="office", now=now)


def timetabled(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    days = [
        Hours(day, time(luck.randrange(8, 11)), time(luck.randrange(15, 19))) for day in DAYS[: luck.randrange(3, 6)]
    ]
    timetable.set_timetable(session, run, days, actor="office", reason="휴강", now=now)


def ruled(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    rules = Rules(grace_minutes=luck.randrange(30), attendance_percent=luck.choice((60, 80, 100)))
    programme = session.get_one(Programme, "p")
    programmes.set_rules(session, programme, rules, valid_from=DAYS[0], actor="office", reason="개정", now=now)


def renamed(luck: random.Random, session: Session, run: CourseRun, now: datetime) -> None:
    """Rows that change without an event."""
    session.get_one(Person, luck.choice(LOGINS)).name = f"이름 {luck.randrange(99)}"
    run.labs[0].pass_percent = luck.randrange(100)
    run.title_ko = f"과정 {luck.randrange(99)}"


ACTIONS: tuple[Action, ...] = (
    door, door, door, correction, correction, handed_in, due, leaving, exemption, timetabled, ruled, renamed,
)  # fmt: skip


@pytest.mark.parametrize("seed", few(range(3), {0}))
def test_what_is_kept_is_what_a_fresh_fold_says(engine: Engine, seed: int) -> None:
    luck, now = random.Random(seed), MONDAY_TEN
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    for _ in range(40):
        now += timedelta(minutes=luck.choice((1, 7, 60, 240, 600)))
        with writing(engine) as session:
            luck.choice(ACTIONS)(luck, session, find_course(session, COURSE), now)
        # At once, later with nothing new, and as it was known before.
        for moment in (
            now,
            now + timedelta(minutes=luck.randrange(900)),
            now,
            now - timedelta(minutes=luck.randrange(2000)),
        ):
            kept, fresh = both(engine, moment)
            assert kept == fresh


def test_the_hours_turn_a_state_without_any_event(engine: Engine) -> None:
    """A correction of today that names a time ahead counts when that time has come, and at midnight who is missing is."""
    ten = datetime(2026, 7, 6, 1, 0, tzinfo=UTC)
    with writing(engine) as session:
        payload = {
            "day": "2026-07-06",
            "check_in": "09:00",
            "check_out": "15:00",
            "excused": None,
            "reason": "조퇴 예정",
        }
        journal.append(session, attend.CORRECTED, actor="eve", course=COURSE, subject="ann", payload=payload, at=ten)
    for minutes in range(0, 60 * 16, 20):
        kept, fresh = both(engine, ten + timedelta(minutes=minutes))
        assert kept == fresh


def test_a_new_event_is_seen_at_once_and_only_its_learner_is_read_again(engine: Engine) -> None:
    read: list[str] = []
    with writing(engine) as session:
        work.release(
            session,
            find_course(session, COURSE),
            "rough-cut",
            Manifest(files=()),
            actor="eve",
            due_at=None,
            now=MONDAY_TEN,
        )
    both(engine, MONDAY_TEN)
    with writing(engine) as session:
        payload = {"day": "2026-07-06"}
        journal.append(
            session, attend.CHECKED_IN, actor="ann", course=COURSE, subject="ann", payload=payload, at=MONDAY_TEN
        )
    event.listen(engine, "before_cursor_execute", lambda _c, _u, sql, values, _x, _m: read.append(f"{sql} {values}"))
    with reading(engine) as session:
        state = course_state(session, COURSE, MONDAY_TEN)
    assert [learner.attendance.verdicts[0].status for learner in state.learners] == ["open", "ahead"]
    assert any("ann" in sql and "attendance." in sql for sql in read)
    assert not any("bob" in sql for sql in read)
    read.clear()
    with reading(engine) as session:
        course_state(session, COURSE, MONDAY_TEN)
    assert not any("payload" in sql for sql in read)  # nothing is folded again


@pytest.mark.parametrize("earlier", [timedelta(seconds=1), timedelta(seconds=3)])
def test_who_asked_a_moment_before_a_newer_event_waits_for_no_fold_of_the_whole(
    engine: Engine, earlier: timedelta
) -> None:
    """A class that checks in at once: of two requests the older one may come to the records after the newer one's event."""
    payload = {"day": "2026-07-06"}
    with writing(engine) as session:
        at = MONDAY_TEN - timedelta(minutes=2)
        journal.append(session, attend.CHECKED_IN, actor="bob", course=COURSE, subject="bob", payload=payload, at=at)
    both(engine, MONDAY_TEN - timedelta(minutes=1))
    with writing(engine) as session:
        for login, at in (("ann", MONDAY_TEN - timedelta(seconds=2)), ("ann", MONDAY_TEN)):
            kind = attend.CHECKED_IN if at < MONDAY_TEN else attend.CHECKED_OUT
            journal.append(session, kind, actor=login, course=COURSE, subject=login, payload=payload, at=at)
    both(engine, MONDAY_TEN)
    read: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _u, sql, values, _x, _m: read.append(f"{sql} {values}"))
    with reading(engine) as session:
        told_then = told(course_state(session, COURSE, MONDAY_TEN - earlier))
    asked = [sql for sql in read if "payload" in sql and "attendance." in sql]
    assert asked
    assert all("ann" in sql for sql in asked)
    with reading(engine) as session:
        assert told_then == told(fold(session, find_course(session, COURSE), MONDAY_TEN - earlier))


def test_what_is_rolled_back_is_never_kept(engine: Engine) -> None:
    before, _ = both(engine, MONDAY_TEN)
    payload = {"day": "2026-07-06"}

    def breaks_off() -> None:
        with writing(engine) as session:
            journal.append(
                session, attend.CHECKED_IN, actor="ann", course=COURSE, subject="ann", payload=payload, at=MONDAY_TEN
            )
            assert course_state(session, COURSE, MONDAY_TEN).learners[0].attendance.verdicts[0].status == "open"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks_off()
    with writing(engine) as session:  # takes the same place in the journal
        journal.append(
            session, attend.CHECKED_IN, actor="bob", course=COURSE, subject="bob", payload=payload, at=MONDAY_TEN
        )
    after, fresh = both(engine, MONDAY_TEN)
    assert after == fresh
    assert after[0][0] == before[0][0]


def test_the_memory_has_a_bound() -> None:
    memory = remembered.Memory(most=2)
    moment = datetime(2026, 7, 6, tzinfo=UTC)
    basis = remembered.Basis(None, ())
    kept: Any = remembered.Kept(None, None, basis, None, moment, moment, moment + timedelta(days=1))  # type: ignore[arg-type]
    for course in ("a", "b", "c"):
        memory.keep(course, kept)
    assert [memory.get(course, basis, moment) is not None for course in ("a", "b", "c")] == [False, True, True]


def test_times_are_found_wherever_they_stand_in_a_payload() -> None:
    tz = attend.ZoneInfo("Asia/Seoul")
    payload = {"a": "09:00", "b": [["12:00:30", "xx:yy"]], "c": {"d": None, "e": 5, "f": "2026-07-06"}}
    found = [moment.astimezone(tz).time() for moment in remembered._times(payload, date(2026, 7, 6), tz)]
    assert found == [time(9), time(12, 0, 30)]
