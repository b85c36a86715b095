"""Announcements: who tells whom, from when until when, plain text whatever was typed, and an event for each."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from test_portal_world import (
    COURSE,
    OTHER,
    PREFIX,
    SCRIPT,
    World,
    change_templates,
    seeded_records,
    without_escaping,
    world,
)

from grader.records import announcements, journal
from grader.records.db import reading

HERE = f"class/{COURSE}/announcements"
TEXT = "내일은 헤드폰을 가져오세요."


def tell(world: World, text: str = TEXT, login: str = "teacher", **form: str) -> httpx.Response:
    return world.post(world.browser(login), HERE, login, text=text, **form)


def learners_page(world: World, path: str = f"learn/{COURSE}") -> str:
    return world.browser("mina").get(PREFIX + path).text


def made(world: World) -> list[announcements.Announcement]:
    with reading(world.engine) as session:
        return announcements.announcements(session, COURSE)


def test_learners_see_it_with_its_author_and_its_end_until_it_is_over(world: World) -> None:
    world.release()
    answer = tell(world, starts="2026-07-08T10:30", ends="2026-07-08T12:00")
    assert answer.headers["location"].endswith("?done=made")
    assert TEXT not in learners_page(world), "it is told from its start on"
    world.now += timedelta(minutes=30)
    for path in (f"learn/{COURSE}", f"learn/{COURSE}/hand-in/rough-cut"):
        page = learners_page(world, path)
        assert TEXT in page
        assert "teacher · 7월 8일 (수) 10:30 · 7월 8일 (수) 12:00까지" in page
    world.now += timedelta(minutes=90)
    assert TEXT not in learners_page(world), "at its end it is over"
    assert TEXT in world.browser("teacher").get(PREFIX + HERE).text


def test_it_is_withdrawn_by_an_event_that_says_who(world: World) -> None:
    tell(world)
    (one,) = made(world)
    answer = world.post(world.browser("both"), f"{HERE}/{one.event.id}/withdraw", "both")
    assert answer.headers["location"].endswith("?done=withdrawn")
    assert TEXT not in learners_page(world)
    (one,) = made(world)
    assert one.withdrawal is not None
    assert (one.withdrawal.actor, one.withdrawal.at) == ("both", world.now)
    page = world.browser("teacher").get(PREFIX + HERE).text
    assert "both 님이 7월 8일 (수) 10:00에 내림" in page
    world.post(world.browser("teacher"), f"{HERE}/{one.event.id}/withdraw", "teacher")
    assert world.events(announcements.WITHDRAWN) == 1, "withdrawn twice is withdrawn once"


@pytest.mark.parametrize("login", ["mina", "office", "stranger"])
def test_only_the_classs_own_instructors_tell_it_anything(world: World, login: str) -> None:
    tell(world)
    (one,) = made(world)
    assert tell(world, "거짓", login).status_code == 403
    assert world.post(world.browser(login), f"{HERE}/{one.event.id}/withdraw", login).status_code == 403
    assert world.browser(login).get(PREFIX + HERE).status_code == 403
    elsewhere = world.post(world.browser("teacher"), f"class/{OTHER}/announcements", "teacher", text="거짓")
    assert elsewhere.status_code == 403, "an instructor of another class"
    assert (world.events(announcements.MADE), world.events(announcements.WITHDRAWN)) == (1, 0)


def test_another_course_is_not_told(world: World) -> None:
    tell(world)
    assert TEXT not in world.browser("both").get(f"{PREFIX}learn/{OTHER}").text
    (one,) = made(world)
    with reading(world.engine) as session:
        assert announcements.shown(session, OTHER, world.now) == []
        assert journal.events(session, OTHER) == []
    assert one.stands(world.now) == "shown"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"text": "  \n "}, "공지할 내용을 입력하세요."),
        ({"text": "가" * 2001}, "2,000자까지"),
        ({"text": TEXT, "ends": "2026-07-08T09:59"}, "지금보다 늦어야 합니다."),
        ({"text": TEXT, "starts": "2026-07-09T10:00", "ends": "2026-07-09T10:00"}, "시작 시각과 지금보다"),
        ({"text": TEXT, "starts": "morning"}, "2026-07-10 18:00"),
        ({"text": f"{TEXT}\0"}, "NUL"),
    ],
)
def test_what_is_refused_keeps_what_was_typed(world: World, form: dict[str, str], told: str) -> None:
    answer = world.post(world.browser("teacher"), HERE, "teacher", **{"ends": "2026-07-08T23:00", **form})
    assert answer.status_code == 422
    assert told in answer.text
    assert form["text"].strip("\0 ")[:30] in answer.text
    for name in ("starts", "ends"):
        assert f'name="{name}" type="datetime-local"' in answer.text
        assert f'value="{form[name]}"' in answer.text if name in form else True
    assert made(world) == []


def test_a_press_that_was_sent_twice_is_one_announcement_and_five_are_enough(world: World) -> None:
    tell(world)
    world.now += timedelta(seconds=1)
    tell(world)
    assert world.events(announcements.MADE) == 1
    for number in range(4):
        tell(world, f"{TEXT} {number}")
    refused = tell(world, "하나 더")
    assert refused.status_code == 422
    assert "다섯 건" in refused.text
    assert world.events(announcements.MADE) == 5


HOSTILE = f"{SCRIPT}<img src=x onerror=alert(1)>\u202e{{{{ 7*7 }}}}"


def test_markup_is_text_and_turned_text_is_spelled_out(world: World) -> None:
    tell(world, HOSTILE)
    for page in (learners_page(world), world.browser("teacher").get(PREFIX + HERE).text):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;[U+202E]{{ 7*7 }}" in page


def test_without_the_escaping_it_would_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    change_templates(monkeypatch, without_escaping)
    tell(world, HOSTILE)
    assert "<bdi><script>alert(1)" in learners_page(world)
