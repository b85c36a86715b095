"""What a class asked AI about: words by counting, of several people, in Korean and English, and nothing that runs."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from played_gateway import gateway, receipt, spend
from test_portal_world import COURSE, NOW, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import looks
from grader.records.db import reading
from grader.topics import frequent_words

PAGE = f"{PREFIX}class/{COURSE}/ai/topics"


def test_korean_particles_and_endings_are_taken_off() -> None:
    asked = [
        ("a", "무음 구간을 찾아 주세요."), ("b", "무음구간이 어디인지 알려줘. 무음 구간은 몇 초야?"), ("c", "자막을 번역해 주세요. 고양이 영상"),
        ("d", "자막 번역해줘 고양이가 나와요"), ("a", "자막이 길어요. 자막을 줄여줘"), ("b", "How do I trim the clip? trim"), ("c", "trim it"),
    ]  # fmt: skip
    assert frequent_words(asked) == [
        ("자막", 3), ("trim", 2), ("고양이", 2), ("구간", 2), ("무음", 2), ("번역", 2),
    ]  # fmt: skip


def test_what_one_person_wrote_is_no_topic() -> None:
    secret = "홍길동 우울증"
    assert frequent_words([("a", secret)] * 9) == []
    assert [word for word, _ in frequent_words([("a", secret), ("b", "홍길동 자막")])] == ["홍길동"]


@pytest.mark.parametrize("text", ["", "가" * 100_000, "이이이 의의의", "해해해", "1234 !!", "a b c", "\0\ud800"])
def test_no_text_breaks_the_counting(text: str) -> None:
    frequent_words([("a", text), ("b", text)])


def prompt(text: str) -> str:
    messages = [
        {"role": "system", "content": "비밀 지시문"},
        {"role": "user", "content": "지난번"},
        {"role": "user", "content": text},
    ]
    return json.dumps({"messages": messages}, ensure_ascii=False)


class Played:
    """A gateway with calls of the class, of which some were refused."""

    def __init__(self, receipts: list[dict[str, Any]]) -> None:
        self.receipts, self.pages, self.most = receipts, 0, 1_000

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        if request.url.path == "/spend":
            lines = [
                {**spend("outcome", "ok", 3), "refused": 0}, {**spend("outcome", "budget_exceeded", 0), "refused": 4},
                {**spend("outcome", f"odd{SCRIPT}", 2), "refused": 0},
            ]  # fmt: skip
            return httpx.Response(200, json={"data": lines})
        assert (asked["course"], asked["content"]) == (COURSE, "asked"), "no answer is read for it"
        self.pages += 1
        rows = [row for row in self.receipts if "before" not in asked or row["id"] < asked["before"]]
        limit = min(int(asked["limit"]), self.most)
        return httpx.Response(200, json={"data": rows[:limit], "has_more": len(rows) > limit})


def calls(world: World, *asked: tuple[str, str, str]) -> Played:
    rows = [
        {**receipt(number, learner), "lab": lab, "prompt": prompt(text)}
        for number, (learner, lab, text) in enumerate(asked, 1)
    ]
    world.answer = played = Played(rows[::-1])
    return played


def test_topics_are_by_lab_and_step_with_refusals_and_their_reasons(world: World) -> None:
    world.release()
    calls(world, ("mina", "rough-cut", "자막을 번역해 줘"), ("jun", "rough-cut", "자막 번역"), ("jun", "-", "점심"))
    world.submit("jun")
    world.now += timedelta(hours=1)
    page = world.browser("teacher").get(PAGE).text
    rows = page[page.index("<tbody>") :].split("</tr>")
    assert "제출 전" in rows[0] + rows[1] + rows[2]
    assert "제출 뒤" in page
    assert "비밀" not in page
    assert "지시문" not in page
    assert "여러 명이 함께 쓴 단어가 없습니다." in page
    refused = page[page.index("답하지 못한 호출과 이유") :]
    assert "거절: 예산" in refused or "budget_exceeded" in refused
    assert '<td class="num end">4</td>' in refused
    assert "odd&lt;script&gt;" in refused
    assert "<script>alert" not in page


def test_words_of_several_people_are_shown_as_text(world: World) -> None:
    calls(world, ("mina", "rough-cut", f"자막 {SCRIPT}"), ("jun", "rough-cut", f"자막을 {SCRIPT}"))
    page = world.browser("teacher").get(PAGE).text
    assert '<bdi>자막</bdi> <span class="quiet num">2</span>' in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(("at_once", "pages"), [(1_000, 1), (120, 5)])
def test_five_hundred_calls_are_read_and_no_more_in_however_many_pages_they_come(
    world: World, at_once: int, pages: int
) -> None:
    played = calls(world, *[("mina", "rough-cut", "자막"), ("jun", "rough-cut", "자막")] * 300)
    played.most = at_once
    page = world.browser("teacher").get(PAGE).text
    assert played.pages == pages
    assert "AI 호출 500건" in page


def test_another_courses_call_is_not_read_whatever_the_gateway_says(world: World) -> None:
    played = calls(world, ("mina", "rough-cut", "비밀"), ("jun", "rough-cut", "비밀"))
    for row in played.receipts:
        row["course"] = "other-1"
    assert "비밀" not in world.browser("teacher").get(PAGE).text


@pytest.mark.parametrize("login", ["mina", "office", "stranger"])
def test_only_the_classs_instructors_read_it_and_their_look_is_written_down(world: World, login: str) -> None:
    played = calls(world, ("mina", "rough-cut", "자막"))
    assert world.browser(login).get(PAGE).status_code == 403
    assert played.pages == 0, "the gateway is not even asked"
    world.browser("teacher").get(PAGE)
    world.site.looks.take_in()
    with reading(world.engine) as session:
        (look,) = looks.looks_in(session, [COURSE])
    assert (look.who, look.what) == ("teacher", "class/{course}/ai/topics")


def test_a_gateway_that_is_away_is_said(world: World) -> None:
    world.answer = lambda request: httpx.Response(503)
    page = world.browser("teacher").get(PAGE)
    assert page.status_code == 200
    assert "AI 사용 기록을 불러올 수 없습니다" in page.text
