"""A course run made on a page: looked over first, made whole or not at all, and nothing of anybody else's changed."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import sys
import time
from datetime import date
from datetime import time as clock
from pathlib import Path

import pytest
from test_portal_world import COURSE, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import journal, timetable
from grader.records.db import reading, writing
from grader.records.models import Course, CourseRun
from grader.records.timetable import Closure, weekly
from hub_config.register import RUN_ENTERED

PAGE = "office/hanbit/runs/new"
FORM = {
    "do": "make", "course": "new", "new_course": "ai-video", "course_ko": "AI 영상", "occupation": "video_content",
    "tuition_krw": "4000000", "run": "ai-video-1", "title_ko": "AI 영상 1회차", "title_en": "AI video 1", "programme": "p",
    "round": "1", "lang": "en", "place": "201호", "place_class": "elsewhere", "starts_on": "2026-10-05",
    "ends_on": "2026-10-16", "hours": "80", "lab": ["rough-cut:required", "book-proposal:offered", "landing-wireframe:"],
    "mark_of": ["rough-cut", "book-proposal"], "mark": ["75", "60"], "weekdays": ["0", "1", "2", "3", "4"],
    "starts": "09:00", "ends": "17:00", "closed": "2026-10-09 한글날",
}  # fmt: skip


def send(world: World, login: str = "office", **changed: object) -> object:
    return world.post(world.browser(login, "en"), PAGE, login, **{**FORM, **changed})  # type: ignore[arg-type]


def made(world: World, run: str = "ai-video-1") -> CourseRun | None:
    with reading(world.engine) as session:
        found = session.get(CourseRun, run)
        if found is not None:
            _ = found.labs, found.days, found.closed, found.approved
        return found


def test_it_is_looked_over_before_anything_is_recorded(world: World) -> None:
    page = send(world, do="check").text
    assert "This would be made" in page
    assert ">9</dd>" in page, "ten weekdays without Hangul Day"
    assert 'value="AI 영상 1회차"' in page
    assert made(world) is None


def test_a_run_is_made_with_its_timetable_labs_and_author(world: World, tmp_path: Path) -> None:
    called = tmp_path / "called"
    write = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(' '.join(sys.argv[2:]))"
    world.start(prepare_command=(sys.executable, "-c", write, str(called)))
    answer = send(world)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PREFIX}office/hanbit/ai-video-1/labs?done=made"
    run = made(world)
    assert run is not None
    assert (run.institution_id, run.lang, run.place_class, run.hours, run.round) == ("hanbit", "en", "elsewhere", 80, 1)
    assert [(lab.lab_id, lab.required, lab.pass_percent) for lab in run.labs] == [
        ("rough-cut", True, 75), ("book-proposal", False, 60),
    ]  # fmt: skip
    assert len(run.days) == 9
    assert (run.days[0].starts, run.days[0].ends) == (clock(9), clock(17))
    assert [(day.day, day.reason) for day in run.closed] == [(date(2026, 10, 9), "한글날")]
    assert run.approved is not None
    assert run.approved.tuition_krw == 4_000_000
    with reading(world.engine) as session:
        events = journal.events(session, "ai-video-1")
        assert [(event.kind, event.actor) for event in events] == [
            (RUN_ENTERED, "office"), (timetable.TIMETABLE_SET, "office"),
        ]  # fmt: skip
        assert journal.verify(session) is None
    deadline = time.monotonic() + 10
    while not called.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert called.read_text() == "ai-video-1", "the labs are prepared as `practicum prepare` does"
    page = world.browser("office", "en").get(answer.headers["location"]).text
    assert "The course run is made." in page
    assert "Not handed out yet" in page


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("run", {"run": "Bad Id"}), ("run", {"run": COURSE}), ("run", {"run": OTHER}), ("run", {"run": "a" * 41}),
        ("run", {"run": "../etc"}), ("new_course", {"new_course": "x y"}), ("course", {"course": ""}),
        ("course", {"course": "foreign"}), ("title_ko", {"title_ko": " "}), ("title_ko", {"title_ko": "a\nb"}),
        ("title_ko", {"title_ko": "abc\u202egnp"}), ("programme", {"programme": "no-such"}), ("place", {"place": ""}),
        ("starts_on", {"starts_on": "soon"}), ("ends_on", {"ends_on": "2026-10-01"}), ("ends_on", {"ends_on": "2036-10-01"}),
        ("round", {"round": "0"}), ("hours", {"hours": "-1"}), ("lang", {"lang": "fr"}), ("place_class", {"place_class": "moon"}),
        ("tuition_krw", {"tuition_krw": "4,000"}), ("labs", {"lab": ["no-such:required"]}), ("labs", {"lab": ["rough-cut:maybe"]}),
        ("labs", {"mark": ["101", "60"]}), ("labs", {"mark": ["half", "60"]}), ("weekdays", {"ends": "08:00"}),
        ("weekdays", {"weekdays": ["9"]}), ("weekdays", {"starts": "late"}), ("closed", {"closed": "2026-10-09"}),
        ("closed", {"closed": "2027-01-01 New Year"}), ("closed", {"closed": "2026-10-09 a\n2026-10-09 b"}),
        ("occupation", {"occupation": "alchemy"}),
    ],
)  # fmt: skip
def test_what_is_wrong_names_its_field_keeps_what_was_typed_and_records_nothing(
    world: World, field: str, changed: dict[str, object]
) -> None:
    with writing(world.engine) as session:
        session.add(Course(id="foreign", institution_id="far", title_ko="남의 과정", title_en="Not ours"))
    answer = send(world, **changed)
    assert answer.status_code == 422
    assert f'id="{field}-problem"' in answer.text
    assert 'value="201호"' in answer.text or field == "place"
    assert "2026-10-09" in answer.text or field == "closed"
    assert made(world) is None
    with reading(world.engine) as session:
        assert session.get(Course, "ai-video") is None
        assert journal.events(session, "ai-video-1") == []
        assert session.get_one(CourseRun, OTHER).institution_id == "far"


def test_no_weekday_leaves_the_timetable_to_an_import(world: World) -> None:
    assert send(world, weekdays=[]).status_code == 303
    run = made(world)
    assert run is not None
    assert run.days == []


def test_the_id_of_another_institutions_course_is_not_taken_over(world: World) -> None:
    with writing(world.engine) as session:
        session.add(Course(id="ai-video", institution_id="far", title_ko="남의 과정", title_en="Not ours"))
    assert 'id="new_course-problem"' in send(world).text
    with reading(world.engine) as session:
        assert session.get_one(Course, "ai-video").title_ko == "남의 과정"


def test_hostile_words_are_shown_as_text(world: World) -> None:
    assert send(world, title_ko=SCRIPT, place=SCRIPT).status_code == 303
    for path in (
        "office/hanbit",
        "office/hanbit/ai-video-1",
        "office/hanbit/ai-video-1/labs",
        "office/hanbit/ai-video-1/forecast",
    ):
        assert SCRIPT not in world.browser("office").get(PREFIX + path).text


def test_only_the_institutions_office_makes_runs(world: World) -> None:
    for login in ("mina", "teacher", "stranger"):
        assert send(world, login).status_code == 403, login
    assert world.post(world.browser("office"), "office/far/runs/new", "office", **FORM).status_code == 403  # type: ignore[arg-type]
    forged = world.browser("office").post(PREFIX + PAGE, data=FORM, headers={"origin": "http://evil.test"})
    assert forged.status_code == 403
    assert world.post(world.browser("office"), f"office/hanbit/{OTHER}/labs", "office").status_code == 404
    assert made(world) is None


def test_weekdays_make_the_days_without_the_closed_ones() -> None:
    monday, closed = date(2026, 10, 5), [Closure(date(2026, 10, 7), "휴강")]
    days = weekly(monday, date(2026, 10, 18), {0, 2, 6}, clock(9), clock(12), closed)
    assert [day.day.day for day in days] == [5, 11, 12, 14, 18]
    assert weekly(monday, date(2026, 10, 4), {0}, clock(9), clock(12)) == []
