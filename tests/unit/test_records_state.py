"""Check-in, check-out, corrections, and the state that they fold into, now and as it was known then."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_course import COURSE, DAYS, MONDAY_TEN
from sqlalchemy import Engine, func, select

from grader import codes
from grader.attendance import DayVerdict, Mark, TrainingDay, judge_day
from grader.records import attend, door, journal, work
from grader.records.attend import Refused
from grader.records.blobs import Manifest
from grader.records.db import reading, writing
from grader.records.models import Event
from grader.records.state import LearnerState, UnknownCourse, course_state, find_course, learner_state
from grader.records.work import CriterionPoints, GradeReport
from grader.rules import Rules

SECRET = b"the institution's"
MONDAY = DAYS[0]
#: 18:00 in Seoul.
EVENING = MONDAY_TEN + timedelta(hours=8)
AFTER = datetime(2026, 7, 20, tzinfo=UTC)


class Class:
    """The small course with a clock, a code and somebody who types it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def code(self, now: datetime, day: date = MONDAY, course: str = COURSE, secret: bytes = SECRET) -> str:
        return codes.code_at(secret, course, day, now)

    def check(self, typed: str, now: datetime = MONDAY_TEN, login: str = "ann", **more: Any) -> Event:
        refused = None
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            try:
                return door.check(session, run, login, typed, secret=SECRET, now=now, **more)
            except Refused as error:  # what a wrong code counts for is kept
                refused = error
        raise refused

    def correct(self, login: str = "ann", day: date = MONDAY, now: datetime = AFTER, **more: Any) -> Event:
        more = {"instructor": "eve", "reason": "단말기 고장", **more}
        with writing(self.engine) as session:
            return attend.correct(session, find_course(session, COURSE), login=login, day=day, now=now, **more)

    def state(self, login: str = "ann", as_of: datetime = AFTER) -> LearnerState:
        with reading(self.engine) as session:
            state = learner_state(session, COURSE, login, as_of)
        assert state is not None
        return state

    def day(self, login: str = "ann", as_of: datetime = AFTER, number: int = 0) -> DayVerdict:
        return self.state(login, as_of).attendance.verdicts[number]

    def events(self) -> int | None:
        with reading(self.engine) as session:
            assert journal.verify(session) is None
            return session.scalar(select(func.count()).select_from(Event))


@pytest.fixture
def room(engine: Engine) -> Class:
    return Class(engine)


def refused(reason: str) -> Any:
    return pytest.raises(Refused, match=f"^{reason}$")


def test_what_a_state_says_of_today_is_what_is_recorded_of_the_day(room: Class) -> None:
    room.check(room.code(MONDAY_TEN))
    room.correct(now=MONDAY_TEN + timedelta(days=1), excused="훈련기관 행사", day=DAYS[1])
    told = {}
    for moment in (MONDAY_TEN, EVENING, MONDAY_TEN + timedelta(days=1), MONDAY_TEN + timedelta(days=2)):
        with reading(room.engine) as session:
            state = course_state(session, COURSE, moment)
            today = moment.astimezone(ZoneInfo("Asia/Seoul")).date()
            marks = attend.day_marks(session, state.run, today)
            told[moment] = {learner.login: learner.today for learner in state.learners}
            assert told[moment] == {login: marks.get(login, Mark()) for login in told[moment]}
    assert told[EVENING]["ann"].check_in == MONDAY_TEN
    assert told[MONDAY_TEN + timedelta(days=1)]["ann"].excused == "훈련기관 행사"
    assert told[MONDAY_TEN + timedelta(days=2)]["ann"] == Mark(), "a kept state does not outlast its day"


# --- check-in and check-out ------------------------------------------------------------------------------------------


def test_a_check_in_and_a_check_out_make_a_day(room: Class) -> None:
    event = room.check(room.code(MONDAY_TEN))
    assert (event.kind, event.actor, event.subject, event.at) == (attend.CHECKED_IN, "ann", "ann", MONDAY_TEN)
    assert room.day(as_of=MONDAY_TEN).status == "open"
    out = room.check(f" {room.code(EVENING)[:3]} {room.code(EVENING)[3:]} ", EVENING)
    assert out.kind == attend.CHECKED_OUT
    day = room.day()
    assert (day.status, day.events, day.minutes_present) == ("attended", ("late",), 480)
    assert day.rests_on == (event.id, out.id)
    assert room.check(room.code(EVENING), EVENING).id == out.id  # a press that was sent twice
    later = EVENING + timedelta(minutes=1)
    with refused("already_checked_out"):
        room.check(room.code(later), later)
    assert room.events() == 2
    assert room.day("bob").status == "absent"


@pytest.mark.parametrize(
    "wrong",
    [
        {"now": MONDAY_TEN - timedelta(seconds=60)},  # expired
        {"now": MONDAY_TEN + timedelta(seconds=30)},  # not shown yet
        {"day": DAYS[1]},
        {"course": "other"},
        {"secret": b"another"},
    ],
    ids=["expired", "of the future", "of another day", "of another course", "of another institution"],
)
def test_a_code_that_is_not_shown_now_is_refused(room: Class, wrong: dict[str, Any]) -> None:
    with refused("wrong_code"):
        room.check(room.code(**{"now": MONDAY_TEN, **wrong}))
    assert room.events() == 0


def test_the_code_before_is_still_taken(room: Class) -> None:
    assert room.check(room.code(MONDAY_TEN - timedelta(seconds=30))).kind == attend.CHECKED_IN


@pytest.mark.parametrize("typed", ["", "000", "0" * 100_000, "１２３４５６", "' OR 1=1 --", "\x00"])
def test_what_is_no_code_is_refused(room: Class, typed: str) -> None:
    with refused("wrong_code"):
        room.check(typed)


def test_there_is_no_check_in_on_another_day(room: Class) -> None:
    saturday = MONDAY_TEN + timedelta(days=5)
    with refused("no_training_day"):
        room.check(room.code(saturday, saturday.date()), saturday)


def test_guessing_ends_after_five_wrong_codes(room: Class) -> None:
    right = room.code(MONDAY_TEN)
    wrong = f"{(int(right) + 1) % 10**6:06d}"
    for second in range(5):
        with refused("wrong_code"):
            room.check(wrong, MONDAY_TEN + timedelta(seconds=second))
    with refused("too_many_wrong_codes"):
        room.check(right, MONDAY_TEN + timedelta(seconds=6))  # the right one too: guessing must not pay
    assert room.check(right, MONDAY_TEN, login="bob").subject == "bob"  # who did not guess does not wait
    later = MONDAY_TEN + timedelta(minutes=5, seconds=1)
    assert room.check(room.code(later), later).kind == attend.CHECKED_IN


# --- corrections -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"reason": ""}, "reason_missing"),
        ({"reason": " \n\t"}, "reason_missing"),
        ({"login": "eve"}, "not_enrolled"),
        ({"login": "nobody"}, "not_enrolled"),
        ({"day": date(2026, 7, 11)}, "no_training_day"),
        ({"check_in": None}, "nothing_to_correct"),
        ({"check_in": None, "excused": ""}, "nothing_to_correct"),
        ({"check_out": time(9)}, "out_before_in"),
        ({"check_out": time(8)}, "out_before_in"),
    ],
)
def test_a_correction_that_lacks_something_is_refused(room: Class, more: dict[str, Any], reason: str) -> None:
    with refused(reason):
        room.correct(**{"check_in": time(9), **more})
    assert room.events() == 0


def test_a_correction_adds_and_never_edits(room: Class) -> None:
    came = room.check(room.code(MONDAY_TEN))
    assert room.day().status == "absent"  # nobody checked out
    correction = room.correct(check_out=time(18))
    day = room.day()
    assert (day.status, day.events, day.rests_on) == ("attended", ("late",), (came.id, correction.id))
    earlier = room.correct(check_in=time(9), now=AFTER + timedelta(hours=1))
    after = room.day(as_of=AFTER + timedelta(hours=2))
    assert (after.events, after.rests_on) == ((), (came.id, correction.id, earlier.id))
    with reading(room.engine) as session:
        first, second, third = journal.events(session, COURSE)
    assert (first.id, first.at, first.payload) == (came.id, MONDAY_TEN, {"day": "2026-07-06"})
    assert (second.actor, second.subject, second.payload["reason"]) == ("eve", "ann", "단말기 고장")
    assert third.payload["check_out"] is None  # what is not corrected stays open in the event
    assert room.events() == 3


def test_an_excused_day_counts_and_a_long_reason_is_cut(room: Class) -> None:
    event = room.correct(excused="병가", reason="가" * 5000)
    assert (room.day().status, len(event.payload["reason"])) == ("excused", 500)
    assert room.state().attendance.credited == 1


def test_who_was_corrected_to_have_left_cannot_check_out_again(room: Class) -> None:
    room.check(room.code(MONDAY_TEN))
    room.correct(check_out=time(12), now=MONDAY_TEN + timedelta(hours=2))
    with refused("already_checked_out"):
        room.check(room.code(EVENING), EVENING)


# --- the state, then and now -----------------------------------------------------------------------------------------


def test_a_moment_in_the_past_gives_what_was_known_then(room: Class) -> None:
    room.check(room.code(MONDAY_TEN))
    room.check(room.code(EVENING), EVENING)
    room.correct(day=DAYS[1], check_in=time(9), check_out=time(18), now=AFTER)
    statuses = {
        as_of: [verdict.status for verdict in room.state(as_of=as_of).attendance.verdicts[:2]]
        for as_of in (MONDAY_TEN - timedelta(minutes=1), MONDAY_TEN, EVENING, AFTER - timedelta(seconds=1), AFTER)
    }
    assert list(statuses.values()) == [
        ["ahead", "ahead"], ["open", "ahead"], ["attended", "ahead"], ["attended", "absent"], ["attended", "attended"],
    ]  # fmt: skip


def test_a_lab_goes_its_way_and_the_past_keeps_its_step(room: Class) -> None:
    moments = [MONDAY_TEN + timedelta(hours=hour) for hour in range(6)]
    with writing(room.engine) as session:
        run = find_course(session, COURSE)
        work.release(session, run, "rough-cut", Manifest(files=()), actor="grader", due_at=AFTER, now=moments[1])
        first = work.submit(session, run, "rough-cut", Manifest(files=()), learner="ann", now=moments[2])
        for moment, final, points in ((moments[3], False, 50.0), (moments[4], True, 80.0)):
            criteria = (CriterionPoints(id="plays", points=points, max_points=100),)
            report = GradeReport(submission=first.id, points=points, max_points=100, final=final, criteria=criteria)
            work.record_grade(session, COURSE, report, actor="grader", now=moment)
    steps = [room.state(as_of=moment).labs[0].step for moment in moments[:5]]
    assert steps == ["locked", "open", "submitted", "review", "graded"]
    assert room.state(as_of=moments[3]).labs[0].work.score == 50
    ann = room.state().labs[0]
    assert (ann.work.score, ann.work.final, ann.due_at) == (80, True, AFTER)
    assert room.state("bob").labs[0].step == "open"  # another's work is not theirs


def test_a_new_attempt_waits_for_a_grade_of_its_own(room: Class) -> None:
    with writing(room.engine) as session:
        run = find_course(session, COURSE)
        work.release(session, run, "rough-cut", Manifest(files=()), actor="grader", due_at=AFTER, now=MONDAY_TEN)
        first = work.submit(session, run, "rough-cut", Manifest(files=()), learner="ann", now=MONDAY_TEN)
        criteria = (CriterionPoints(id="plays", points=9, max_points=10),)
        report = GradeReport(submission=first.id, points=9, max_points=10, final=True, criteria=criteria)
        work.record_grade(session, COURSE, report, actor="grader", now=MONDAY_TEN)
        changed = Manifest.model_validate({"files": [{"path": "a.txt", "sha256": "0" * 64, "size": 1}]})
        work.submit(session, run, "rough-cut", changed, learner="ann", now=EVENING)
    lab = room.state().labs[0]
    assert (lab.step, len(lab.submissions), lab.grade) == ("submitted", 2, None)


def test_who_is_not_there_is_not_there(room: Class) -> None:
    with reading(room.engine) as session:
        assert learner_state(session, COURSE, "eve", AFTER) is None
        assert [learner.login for learner in course_state(session, COURSE, AFTER).learners] == ["ann", "bob"]
        with pytest.raises(UnknownCourse) as unknown:
            course_state(session, "x" * 500, AFTER)
    assert "그런 과정이 없습니다" in unknown.value.text.ko
    assert len(unknown.value.text.ko) < 100


# --- a clock that is put forward and back ----------------------------------------------------------------------------

HOUR = timedelta(hours=1)


def test_a_check_out_before_the_check_in_is_refused_and_the_check_in_stands(room: Class) -> None:
    """The clock was an hour ahead in the morning and is put right: a second look must not end the day."""
    fast = MONDAY_TEN + HOUR
    room.check(room.code(fast), fast)
    for now in (MONDAY_TEN, fast):
        with refused("code_used"):
            room.check(room.code(now), now)
    assert room.check(room.code(EVENING), EVENING).kind == attend.CHECKED_OUT
    assert room.day().minutes_present == 420
    assert room.events() == 2


def test_a_correction_that_would_turn_a_day_round_is_refused(room: Class) -> None:
    room.check(room.code(MONDAY_TEN))
    with refused("out_before_in"):
        room.correct(check_out=time(10, 0))
    room.check(room.code(EVENING), EVENING)
    with refused("out_before_in"):
        room.correct(check_in=time(18, 0))
    assert room.events() == 2
    room.correct(check_in=time(9, 0), check_out=time(9, 30))
    assert room.day().minutes_present == 30


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 900)),
        st.tuples(st.just("clock"), st.sampled_from([-60, 60, -1, 1440])),
        st.tuples(st.sampled_from(["check", "out"]), st.integers(0, 1439)),
    ),
    max_size=30,
)
#: The end of a year, and a leap day, each with the day before and after.
EDGES = [date(2027, 12, 30) + timedelta(days=n) for n in range(4)] + [
    date(2028, 2, 28) + timedelta(days=n) for n in range(3)
]


@settings(max_examples=150, deadline=None)
@given(first=st.sampled_from(EDGES), steps=STEPS)
def test_no_clock_makes_a_negative_or_overlapping_interval(first: date, steps: list[tuple[str, int]]) -> None:
    """Check-ins while the clock is stepped, and corrections of one end only: what is folded stays within its day."""
    tz, events = ZoneInfo("Asia/Seoul"), list[Event]()
    now = datetime.combine(first, time(8), tz)
    days = [TrainingDay(d, datetime.combine(d, time(9), tz), datetime.combine(d, time(18), tz)) for d in EDGES]
    for kind, minutes in steps:
        if kind in ("wait", "clock"):
            now += timedelta(minutes=minutes)
            continue
        day, mark = now.date(), attend.marks_of(events, tz).get(now.date(), Mark())
        payload: dict[str, Any] = {"day": day.isoformat()}
        name = attend.CHECKED_OUT if mark.check_in else attend.CHECKED_IN
        if kind == "out":
            name = attend.CORRECTED
            payload |= {"check_in": None, "check_out": f"{minutes // 60:02}:{minutes % 60:02}", "excused": None}
        events.append(Event(id=str(len(events)), kind=name, payload=payload, at=now.astimezone(UTC)))
    marks = attend.marks_of(events, tz)
    ends = datetime.min.replace(tzinfo=UTC)
    for day in days:
        mark = marks.get(day.date, Mark())
        verdict = judge_day(day, mark, Rules(), datetime(2029, 1, 1, tzinfo=UTC))
        assert 0 <= verdict.minutes_present <= verdict.minutes_scheduled == 540
        if verdict.status != "attended":
            continue
        assert mark.check_in is not None
        assert mark.check_out is not None
        assert ends <= mark.check_in < mark.check_out
        assert mark.check_in.astimezone(tz).date() == mark.check_out.astimezone(tz).date() == day.date
        ends = mark.check_out


def test_events_keep_the_order_of_their_coming_whatever_the_clock_says(room: Class) -> None:
    clock = [0, 60, -60, 60, 24 * 60, -60]
    with writing(room.engine) as session:
        for number, minutes in enumerate(clock):
            at = datetime(2028, 2, 28, 23, 30, tzinfo=UTC) + timedelta(minutes=minutes)
            journal.append(session, "test", actor="a", course=COURSE, payload={"n": number}, at=at)
    with reading(room.engine) as session:
        assert [event.payload["n"] for event in journal.events(session, COURSE)] == list(range(6))
    assert room.events() == 6
