"""The office's first page: how each course run goes today, and who will complete."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from test_portal_world import COURSE, FIRST, PREFIX, SCRIPT, World, seeded_records, world

from grader.imports.standing import Entry
from grader.records import corrections, decisions, enrolments, journal
from grader.records.attend import Change
from grader.records.db import reading, writing
from grader.records.health import Health, health_of
from grader.records.official import OFFICIAL, payload_of
from grader.records.state import course_state, find_course

OFFICE = f"{PREFIX}office/hanbit"
#: Monday 13 July, when the course is over.
OVER = datetime(2026, 7, 13, 1, 0, tzinfo=UTC)


def health(world: World) -> Health:
    with reading(world.engine) as session:
        return health_of(session, course_state(session, COURSE, world.now), world.now)


def facts(page: str) -> dict[str, str]:
    """What the first card says, by its labels."""
    pairs = re.findall(r"<div><dt>(.*?)</dt><dd[^>]*>(.*?)</dd></div>", page, flags=re.S)
    return {
        label: " ".join(re.sub(r"<span class=\"hidden\">.*?</span>|<[^>]+>", " ", told).split())
        for label, told in pairs
    }


def test_everything_that_waits_is_counted_and_leads_to_where_it_is_done(world: World) -> None:
    world.release()
    world.submit()
    world.submit("jun")
    world.attended("mina", FIRST)
    world.attended("mina", world.now.date())
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        corrections.ask(session, run, "jun", FIRST, Change(check_in=time(9)), reason="태그를 잊음", now=world.now)
    page = world.browser("office", "en").get(OFFICE).text
    told = facts(page)
    assert told["Here today"] == "1 / 3"
    assert told["Ungraded work"] == "2"
    assert told["Open requests"] == "1"
    assert told["Differing days"] == "Nothing imported"
    assert f'href="{PREFIX}class/{COURSE}/requests"' in page
    assert "Running" in page


def test_the_phase_follows_the_dates_and_the_freezing(world: World) -> None:
    assert health(world).phase == "running"
    world.now = datetime(2026, 7, 1, tzinfo=UTC)
    assert health(world).phase == "coming"
    world.now = OVER
    assert health(world).phase == "over"
    with writing(world.engine) as session:
        decisions.freeze(session, find_course(session, COURSE), actor="office", now=world.now)
    frozen = health(world)
    assert frozen.phase == "frozen"
    assert frozen.levels["out_of_reach"] == 3, "a frozen decision is not forecast"


def test_who_left_is_awaited_no_more_and_warns_nobody(world: World) -> None:
    world.now = datetime(2026, 7, 9, 1, 0, tzinfo=UTC)
    before = health(world)
    assert (before.warned, before.today.awaited if before.today else 0) == (3, 3)
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        enrolments.end(session, run, "eve", how="dropout", on=FIRST, reason="개인 사정", actor="office", now=world.now)
    after = health(world)
    assert (after.warned, after.left, after.today.awaited if after.today else 0) == (2, 1, 2)


def test_days_that_differ_from_the_official_attendance_are_counted(world: World) -> None:
    world.attended("mina", FIRST)
    with writing(world.engine) as session:
        told = payload_of(Entry("mina", FIRST, "결석", None, None), sha256="0" * 64, row=2)
        journal.append(session, OFFICIAL, actor="office", course=COURSE, subject="mina", payload=told, at=world.now)
    assert health(world).differing == 1


def test_the_forecast_names_each_learner_with_its_numbers(world: World) -> None:
    world.release()
    world.grade(world.submit())
    world.attended("mina", FIRST)
    world.attended("mina", FIRST + timedelta(days=1))
    page = world.browser("office", "en").get(f"{OFFICE}/{COURSE}/forecast").text
    assert "2 of 2 days credited; at this share 5 of all 5 (needed: 4)" in page
    assert "2 required labs: 1 passed, 1 to hand in" in page
    assert "Can no longer be reached since 2026-07-07" in page
    assert SCRIPT not in page
    assert page.index(">이준<") < page.index(">김미나<"), "who needs somebody comes first"
    korean = world.browser("office", "ko").get(f"{OFFICE}/{COURSE}/forecast").text
    assert "훈련일 2일 중 2일 인정" in korean
