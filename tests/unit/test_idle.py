"""When an idle server is put away: by the timetable, by the warning, and for random timetables never in class."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.attendance import TrainingDay
from grader.idle import BEFORE_CLASS, Patience, Standing, Warned, due_at, stands

SEOUL = ZoneInfo("Asia/Seoul")
PATIENCE = Patience(timedelta(minutes=90), timedelta(minutes=10))


def at(day: int, clock: str) -> datetime:
    """A time of July 2026 in Seoul; 6 July is a Monday."""
    return datetime.combine(date(2026, 7, day), time.fromisoformat(clock), SEOUL)


def lesson(day: int, starts: str = "09:00", ends: str = "18:00") -> TrainingDay:
    return TrainingDay(date(2026, 7, day), at(day, starts), at(day, ends))


WEEK = [lesson(day) for day in (6, 7, 8, 9, 10)]
MORNING, AFTERNOON = lesson(6, "09:00", "12:00"), lesson(6, "13:00", "17:00")


@pytest.mark.parametrize(
    ("days", "used", "due"),
    [
        pytest.param([], at(6, "10:00"), at(6, "11:30"), id="no timetable"),
        pytest.param(WEEK, at(6, "10:00"), at(6, "19:30"), id="in class"),
        pytest.param(WEEK, at(6, "09:00"), at(6, "19:30"), id="at its very beginning"),
        pytest.param(WEEK, at(6, "17:59"), at(6, "19:30"), id="in its last minute"),
        pytest.param(WEEK, at(6, "18:00"), at(6, "19:30"), id="at its very end"),
        pytest.param(WEEK, at(6, "18:10"), at(6, "19:40"), id="after class"),
        pytest.param(WEEK, at(6, "06:00"), at(6, "07:30"), id="early in the morning"),
        pytest.param(WEEK, at(6, "06:59"), at(6, "08:29"), id="just out of the way of class"),
        pytest.param(WEEK, at(6, "07:00"), at(6, "19:30"), id="class is about to begin"),
        pytest.param(WEEK, at(6, "23:30"), at(7, "01:00"), id="over midnight"),
        pytest.param(WEEK, at(7, "06:40").astimezone(UTC), at(7, "08:10"), id="yesterday by UTC, today in Seoul"),
        pytest.param(WEEK, at(7, "08:40").astimezone(UTC), at(7, "19:30"), id="class in Seoul while UTC sleeps"),
        pytest.param(WEEK, at(11, "10:00"), at(11, "11:30"), id="the weekend"),
        pytest.param([lesson(6), lesson(8)], at(7, "10:00"), at(7, "11:30"), id="a holiday in the week"),
        pytest.param([*WEEK, lesson(11)], at(11, "10:00"), at(11, "19:30"), id="the Saturday that makes up for it"),
        pytest.param([MORNING], at(6, "11:00"), at(6, "13:30"), id="half a day"),
        pytest.param([AFTERNOON, MORNING], at(6, "11:00"), at(6, "18:30"), id="two courses, in any order"),
        pytest.param([MORNING, AFTERNOON], at(6, "12:20"), at(6, "18:30"), id="the break between two courses"),
        pytest.param([MORNING, lesson(6, "16:00", "17:00")], at(6, "11:00"), at(6, "13:30"), id="a long break"),
        pytest.param([lesson(6), MORNING], at(6, "11:00"), at(6, "19:30"), id="two courses at once"),
    ],
)
def test_when_it_is_due(days: list[TrainingDay], used: datetime, due: datetime) -> None:
    assert due_at(used, used, days, PATIENCE.after) == due
    warns = due - PATIENCE.warning
    assert stands(warns - timedelta(seconds=1), used, days, PATIENCE) == Standing(warns)
    assert stands(warns, used, days, PATIENCE) == Standing(due, Warned(used, warns))
    warned = Warned(used, warns)
    assert not stands(due - timedelta(seconds=1), used, days, PATIENCE, warned).is_over
    assert stands(due, used, days, PATIENCE, warned).is_over


def test_who_was_never_warned_gets_the_whole_warning() -> None:
    """The portal was away, or began anew and forgot."""
    used, now = at(6, "19:00"), at(6, "23:00")
    assert stands(now, used, WEEK, PATIENCE) == Standing(now + PATIENCE.warning, Warned(used, now))


def test_a_warning_of_before_the_last_use_does_not_count() -> None:
    warned, used = Warned(at(6, "19:00"), at(6, "20:20")), at(6, "20:25")
    assert stands(at(6, "20:31"), used, WEEK, PATIENCE, warned) == Standing(at(6, "21:45"))
    assert stands(at(6, "22:00"), used, WEEK, PATIENCE, warned).warned == Warned(used, at(6, "22:00"))


def test_class_that_begins_while_a_late_warning_stands_takes_it_back() -> None:
    used = at(6, "19:00")
    late = stands(at(7, "08:25"), used, WEEK, PATIENCE)
    assert late.next_at == at(7, "08:35")
    assert stands(at(7, "08:35"), used, WEEK, PATIENCE, late.warned) == Standing(at(7, "19:20"))


minutes = st.integers(0, 4 * 24 * 60)


@given(
    used=minutes,
    waits=st.lists(st.integers(1, 600), min_size=1, max_size=40),
    lessons=st.lists(st.tuples(st.integers(6, 9), st.integers(0, 22), st.integers(1, 10)), max_size=6),
    after=st.integers(11, 300),
)
def test_never_in_class_and_never_unwarned(
    used: int, waits: list[int], lessons: list[tuple[int, int, int]], after: int
) -> None:
    """However seldom somebody looks at a server, and whatever the timetable."""
    days = [lesson(day, f"{starts:02}:00", f"{min(starts + hours, 23):02}:59") for day, starts, hours in lessons]
    patience = Patience(timedelta(minutes=after), timedelta(minutes=10))
    now = since = at(6, "00:00") + timedelta(minutes=used)
    warned = None
    for wait in waits:
        now += timedelta(minutes=wait)
        standing = stands(now, since, days, patience, warned)
        if standing.is_over:
            assert not any(day.starts - BEFORE_CLASS <= now < day.ends for day in days)
            assert warned is not None
            assert now - warned.at >= patience.warning
            assert now - since >= patience.after
            return
        assert standing.next_at > now
        warned = standing.warned
