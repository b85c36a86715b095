"""The demonstration institution: seeded once, with groups as the records give them and attendance as it would be entered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, func, select

from grader.records import attend, journal
from grader.records.db import open_database, reading
from grader.records.models import CourseRun, Event, Person
from grader.records.state import course_state, find_course
from hub_config.auth import groups_of
from hub_config.seed import DEMO, accounts, seed_demo

#: 00:30 on the 7th in Seoul, still the 6th in UTC.
NOW = datetime(2026, 7, 6, 15, 30, tzinfo=UTC)
COURSES = ("ai-work-en", "ai-work-ko")


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'records.db'}")
    assert seed_demo(engine, NOW)
    yield engine
    engine.dispose()


def counts(engine: Engine) -> list[int | None]:
    with reading(engine) as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in (Event, CourseRun, Person)]


def test_seeding_again_changes_nothing(seeded: Engine) -> None:
    before = counts(seeded)
    assert not seed_demo(seeded, NOW + timedelta(days=30))
    assert counts(seeded) == before
    with reading(seeded) as session:
        assert journal.verify(session) is None


def test_a_seeding_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    demo = tmp_path / "demo.yaml"
    shipped = DEMO.read_text("utf-8")
    demo.write_text(shipped.replace("book-proposal: offered", "no-such-lab: offered"), "utf-8")
    engine = open_database(f"sqlite:///{tmp_path / 'records.db'}")
    with pytest.raises(Exception, match="no-such-lab"):
        seed_demo(engine, NOW, demo)
    assert counts(engine) == [0, 0, 0]
    assert seed_demo(engine, NOW)
    engine.dispose()


@pytest.mark.parametrize(
    ("login", "groups"),
    [
        ("haneul", ["nbgrader-ai-work-ko"]),
        ("alex", ["nbgrader-ai-work-en"]),
        ("minsu", ["formgrade-ai-work-en", "formgrade-ai-work-ko"]),
        ("jiwon", ["institution-demo"]),
        ("nobody", None),
        ("", None),
        ("Haneul", None),
        ("haneul ", None),
    ],
)
def test_people_come_as_the_records_say(seeded: Engine, login: str, groups: list[str] | None) -> None:
    with reading(seeded) as session:
        assert groups_of(session, login) == groups


def test_every_account_that_is_shown_may_come(seeded: Engine) -> None:
    with reading(seeded) as session:
        for login in accounts():
            assert groups_of(session, login)


@pytest.mark.parametrize("course", COURSES)
def test_days_count_from_today_where_the_institution_is(seeded: Engine, course: str) -> None:
    with reading(seeded) as session:
        run = find_course(session, course)
        assert (run.starts_on.isoformat(), run.ends_on.isoformat()) == ("2026-07-03", "2026-07-07")
        assert len(run.days) == 5


def test_past_days_are_the_instructors_entries_with_a_reason(seeded: Engine) -> None:
    seoul = ZoneInfo("Asia/Seoul")
    with reading(seeded) as session:
        events = session.scalars(select(Event)).all()
        assert len(events) == 12
        for event in events:
            assert (event.kind, event.actor) == (attend.CORRECTED, "minsu")
            assert event.at == NOW
            assert "시연" in event.payload["reason"] or "demonstration" in event.payload["reason"]
            assert event.payload["day"] < NOW.astimezone(seoul).date().isoformat()
        attended = {
            learner.login: learner.attendance.credited
            for course in COURSES
            for learner in course_state(session, course, NOW).learners
        }
    assert attended == {"haneul": 3, "doyun": 4, "seoyeon": 1, "alex": 3, "robin": 1}
