"""The door: one code for one action of one learner, outings, and guessing that does not pay, whoever shares the work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_course import COURSE, DAYS, MONDAY_TEN
from sqlalchemy import Engine, select

from grader import codes
from grader.attendance import DayVerdict, Mark, TrainingDay, judge_day
from grader.records import attend, door, journal, sightings
from grader.records.attend import Refused, marks_of
from grader.records.db import open_database, reading, writing
from grader.records.models import Enrolment, Event, Person, Sighting
from grader.records.sightings import Whence
from grader.records.state import find_course, learner_state
from grader.rules import Rules

SECRET = b"the institution's"
MONDAY = DAYS[0]
NOON, EVENING = MONDAY_TEN + timedelta(hours=2), MONDAY_TEN + timedelta(hours=8)
TUESDAY_NOON = NOON + timedelta(days=1)


class Door:
    """The small course, and people at its door."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def code(self, now: datetime, course: str = COURSE, day: date = MONDAY) -> str:
        return codes.code_at(SECRET, course, day, now)

    def knock(self, now: datetime, action: str | None = None, login: str = "ann", **more: Any) -> Event:
        """Press a button; what was refused is raised after the transaction, as the portal does."""
        typed, whence = more.get("typed", self.code(now)), more.get("whence")
        refused: Refused | None = None
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            try:
                return door.check(session, run, login, typed, secret=SECRET, now=now, action=action, whence=whence)
            except Refused as error:
                refused = error
        raise refused

    def wrong(self, now: datetime, login: str = "ann", place: str = "") -> str:
        """Type a wrong code; gives what was said."""
        typed = f"{(int(self.code(now)) + 7) % 10**6:06d}"
        with pytest.raises(Refused) as caught:
            self.knock(now, login=login, typed=typed, whence=Whence(place=place))
        return caught.value.reason

    def enrol(self, count: int) -> list[str]:
        logins = [f"person{number}" for number in range(count)]
        with writing(self.engine) as session:
            session.add_all(Person(login=login, name=login) for login in logins)
            session.flush()
            session.add_all(Enrolment(course_id=COURSE, login=login) for login in logins)
        return logins

    def day(self, as_of: datetime = TUESDAY_NOON) -> DayVerdict:
        with reading(self.engine) as session:
            state = learner_state(session, COURSE, "ann", as_of)
        assert state is not None
        return state.attendance.verdicts[0]

    def kinds(self) -> list[str]:
        with reading(self.engine) as session:
            assert journal.verify(session) is None
            return [event.kind.removeprefix("attendance.") for event in journal.events(session, COURSE)]


@pytest.fixture
def wall(engine: Engine) -> Door:
    return Door(engine)


def refused(reason: str) -> Any:
    return pytest.raises(Refused, match=f"^{reason}$")


# --- one code, one action ------------------------------------------------------------------------------------------------


def test_a_day_with_an_outing(wall: Door) -> None:
    wall.knock(MONDAY_TEN - timedelta(hours=1), "in")
    wall.knock(NOON, "away")
    assert wall.day(NOON).status == "open"
    wall.knock(NOON + timedelta(minutes=40), "back")
    wall.knock(EVENING, "out")
    assert wall.kinds() == ["checked_in", "went_out", "came_back", "checked_out"]
    assert (wall.day().events, wall.day().minutes_present) == (("outing",), 500)


@pytest.mark.parametrize("seconds", [0, 10, 29, 30])
def test_a_used_code_does_nothing_else_in_its_window(wall: Door, seconds: int) -> None:
    code = wall.code(MONDAY_TEN)
    wall.knock(MONDAY_TEN, "in")
    with refused("code_used"):
        wall.knock(MONDAY_TEN + timedelta(seconds=seconds), "out", typed=code)
    with refused("code_used"):
        wall.knock(MONDAY_TEN + timedelta(seconds=seconds), "away", typed=code)
    assert wall.kinds() == ["checked_in"]
    after = MONDAY_TEN + timedelta(seconds=31)
    assert wall.knock(after, "away").kind == attend.WENT_OUT, "the next code is good"


def test_the_same_press_twice_is_one_record(wall: Door) -> None:
    first, code = wall.knock(MONDAY_TEN, "in"), wall.code(MONDAY_TEN)
    again = wall.knock(MONDAY_TEN + timedelta(seconds=20), "in", typed=code)
    assert (again.id, wall.kinds()) == (first.id, ["checked_in"])


def test_one_code_is_good_for_each_learner(wall: Door) -> None:
    code = wall.code(MONDAY_TEN)
    for login in ("ann", "bob"):
        assert wall.knock(MONDAY_TEN, "in", login, typed=code).subject == login


@pytest.mark.parametrize(
    ("before", "action", "reason"),
    [
        ([], "out", "not_checked_in"),
        ([], "away", "not_checked_in"),
        ([], "back", "not_checked_in"),
        (["in"], "in", "already_checked_in"),
        (["in"], "back", "not_away"),
        (["in", "away"], "away", "already_away"),
        (["in", "away"], "out", "still_away"),
        (["in", "away"], "in", "already_checked_in"),
        (["in", "out"], "in", "already_checked_out"),
        (["in", "out"], "out", "already_checked_out"),
        (["in", "out"], "away", "already_checked_out"),
        (["in"], "dance", "no_such_action"),
    ],
)
def test_what_does_not_follow_is_refused_with_its_reason(
    wall: Door, before: list[str], action: str, reason: str
) -> None:
    now = MONDAY_TEN
    for step in before:
        wall.knock(now, step)
        now += timedelta(minutes=1)
    with refused(reason):
        wall.knock(now, action)
    assert len(wall.kinds()) == len(before)


def test_who_is_not_on_the_roster_is_refused_before_the_code_is_looked_at(wall: Door) -> None:
    for typed in (wall.code(MONDAY_TEN), "000000"):
        with refused("not_on_roster"):
            wall.knock(MONDAY_TEN, "in", "eve", typed=typed)
    with reading(wall.engine) as session:
        assert session.scalars(select(Sighting)).all() == []


def test_a_whole_day_of_old_codes_opens_nothing(wall: Door) -> None:
    """Replay: of all codes of the last hour only those of now and of the half minute before are taken."""
    taken = [
        slots for slots in range(120)
        if codes.slot_of(SECRET, COURSE, MONDAY, NOON, wall.code(NOON - timedelta(seconds=30 * slots))) is not None
    ]  # fmt: skip
    assert taken == [0, 1]


# --- an outing that does not end ------------------------------------------------------------------------------------------


def test_who_does_not_come_back_left_when_they_went_out(wall: Door) -> None:
    wall.knock(MONDAY_TEN - timedelta(hours=1), "in")
    wall.knock(MONDAY_TEN + timedelta(hours=5), "away")
    assert wall.day(EVENING).status == "open", "the day is not over"
    assert (wall.day().status, wall.day().events, wall.day().minutes_present) == ("attended", ("early_leave",), 360)


def test_who_went_out_early_for_good_is_absent(wall: Door) -> None:
    wall.knock(MONDAY_TEN - timedelta(hours=1), "in")
    wall.knock(MONDAY_TEN, "away")
    assert (wall.day().status, wall.day().minutes_present) == ("absent", 60)


def test_an_open_outing_lasts_to_a_check_out_that_was_corrected(wall: Door) -> None:
    wall.knock(MONDAY_TEN - timedelta(hours=1), "in")
    wall.knock(MONDAY_TEN + timedelta(hours=7), "away")
    with writing(wall.engine) as session:
        run = find_course(session, COURSE)
        attend.correct(
            session, run, login="ann", day=MONDAY, instructor="eve", reason="확인", now=EVENING, check_out=time(18)
        )
    assert (wall.day().events, wall.day().minutes_present) == (("outing",), 480)


# --- the order of records --------------------------------------------------------------------------------------------------


def event(number: int, kind: str, at: datetime, **payload: Any) -> Event:
    return Event(
        seq=number, id=f"{number}", at=at, kind=kind, subject="ann", actor="x", payload={"day": "2026-07-06", **payload}
    )


def verdict(mark: Mark) -> tuple[Any, ...]:
    tz = attend.ZoneInfo("Asia/Seoul")
    day = TrainingDay(MONDAY, datetime.combine(MONDAY, time(9), tz), datetime.combine(MONDAY, time(18), tz))
    found = judge_day(day, mark, Rules(), TUESDAY_NOON)
    return found.status, found.events, found.minutes_present


STEPS = (attend.CHECKED_IN, attend.WENT_OUT, attend.CAME_BACK, attend.CHECKED_OUT)


@settings(max_examples=60, deadline=None)
@given(
    minutes=st.lists(st.integers(0, 600), min_size=4, max_size=4, unique=True).map(sorted),
    corrected=st.sampled_from([None, {"check_in": "09:00"}, {"check_out": "17:30"}, {"outings": []}, {"outings": [["12:00", "12:30"]]}]),
)  # fmt: skip
def test_the_order_in_which_a_days_records_were_written_changes_nothing(
    minutes: list[int], corrected: dict[str, Any] | None
) -> None:
    at = [MONDAY_TEN - timedelta(hours=1) + timedelta(minutes=minute) for minute in minutes]
    events = [event(number, kind, moment) for number, (kind, moment) in enumerate(zip(STEPS, at, strict=True))]
    if corrected:
        events.append(event(9, attend.CORRECTED, TUESDAY_NOON, reason="r", **corrected))
    tz = attend.ZoneInfo("Asia/Seoul")
    found = {verdict(marks_of(order, tz)[MONDAY]) for order in permutations(events)}
    assert len(found) == 1


def test_of_two_corrections_the_later_one_wins_and_the_order_matters() -> None:
    first = event(1, attend.CORRECTED, NOON, check_out="17:00", reason="r")
    second = event(2, attend.CORRECTED, NOON, check_out="18:00", reason="r")
    tz = attend.ZoneInfo("Asia/Seoul")
    out = [mark.check_out for order in ((first, second), (second, first)) if (mark := marks_of(order, tz)[MONDAY])]
    assert [at.strftime("%H") for at in out if at] == ["18", "17"]


# --- guessing --------------------------------------------------------------------------------------------------------------


def test_a_limit_survives_a_restart(wall: Door, tmp_path: Any) -> None:
    for second in range(5):
        assert wall.wrong(MONDAY_TEN + timedelta(seconds=second)) == "wrong_code"
    again = Door(open_database(str(wall.engine.url.render_as_string(hide_password=False))))
    with refused("too_many_wrong_codes"):
        again.knock(MONDAY_TEN + timedelta(seconds=9), "in")
    again.engine.dispose()


def test_twenty_wrong_codes_a_day_are_the_end_of_it(wall: Door) -> None:
    said = [
        wall.wrong(MONDAY_TEN + timedelta(minutes=6 * round_), place=f"{round_}")
        for round_ in range(5)
        for _ in range(4)
    ]
    assert set(said) == {"wrong_code"}
    later = MONDAY_TEN + timedelta(hours=3)
    with refused("too_many_wrong_codes"):
        wall.knock(later, "in")
    tomorrow = MONDAY_TEN + timedelta(days=1, hours=1)
    assert wall.knock(tomorrow, "in", typed=wall.code(tomorrow, day=DAYS[1]))


@pytest.mark.parametrize(
    ("place", "most"),
    [
        (lambda number: "one network", sightings.NETWORK_IN_WINDOW),
        (lambda number: f"network {number}", sightings.COURSE_IN_WINDOW),
    ],
    ids=["from one network", "from a network each"],
)
def test_thirty_logins_cannot_guess_together(wall: Door, place: Callable[[int], str], most: int) -> None:
    """Without the crowd's limits 30 logins had 150 guesses in five minutes."""
    logins = wall.enrol(30)
    said = [wall.wrong(MONDAY_TEN, login, place(number)) for _ in range(5) for number, login in enumerate(logins)]
    # Everybody has one try at least, so the last login's first one may come after the limit.
    assert said.count("wrong_code") == max(most, len(logins))
    assert wall.knock(MONDAY_TEN, "in", "bob", whence=Whence(place=place(0))), "who did not guess comes in"


def test_guesses_at_the_same_time_are_all_counted(wall: Door) -> None:
    said: list[str] = []
    threads = [threading.Thread(target=lambda: said.append(wall.wrong(MONDAY_TEN))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (said.count("wrong_code"), said.count("too_many_wrong_codes")) == (5, 7)


def test_a_sighting_is_forgotten_after_a_month(wall: Door) -> None:
    wall.wrong(MONDAY_TEN)
    with writing(wall.engine) as session:
        sightings.see(session, COURSE, "bob", "opened", MONDAY_TEN + sightings.KEPT + timedelta(minutes=1))
    with reading(wall.engine) as session:
        assert [row.login for row in session.scalars(select(Sighting))] == ["bob"]


def test_the_door_reads_no_more_than_it_needs(wall: Door) -> None:
    """However much a learner did before, a check-in asks the same few questions and gets the same few rows."""
    from sqlalchemy import event as listening

    asked: list[str] = []
    with writing(wall.engine) as session:
        for number in range(200):
            at = MONDAY_TEN - timedelta(days=1, minutes=number)
            journal.append(
                session, "submission.received", actor="ann", course=COURSE, subject="ann", at=at, payload={"lab": "x"}
            )
    with writing(wall.engine) as session:
        run = find_course(session, COURSE)
        listening.listen(wall.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        found = door.at_door(session, run, "ann", MONDAY_TEN)
        door.check(session, run, "ann", wall.code(MONDAY_TEN), secret=SECRET, now=MONDAY_TEN, action="in")
    assert found.events == ()
    assert len(asked) <= 14, asked
