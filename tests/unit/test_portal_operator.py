"""The operator's page: for operators alone, about nobody, whatever services, logs and models say."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gateway_support
import httpx
import pytest
from played_gateway import gateway, receipt
from running import free_base_port
from test_portal_world import COURSE, ORIGIN, PEOPLE, PREFIX, SCRIPT, World, seeded_records, world

from grader.roles import OPERATOR, OPERATOR_COURSE, Caller
from hub_config.ai_gateway.identity import Identity
from hub_config.health.gather import gather
from hub_config.portal import operator as page
from hub_config.settings import Settings

CALL = f"/{OPERATOR_COURSE}/-/v1/chat/completions"
ADDRESS, TRIAL = f"{PREFIX}operator", "operator/test-call"


@pytest.fixture(autouse=True)
def installation(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An operator, and the installation that the page is about."""
    monkeypatch.setitem(PEOPLE, "sora", Caller("sora", groups=frozenset({OPERATOR})))
    settings = Settings(data=tmp_path / "var", port=free_base_port())
    (settings.data / "logs").mkdir(parents=True)
    (settings.data / "secrets").mkdir()
    world.site.health = lambda: gather(settings, engine=world.engine, standing=world.site.journal.known)
    return settings


def answers(body: Any, status: int = 200) -> Any:
    """A gateway that says this to a test call, and knows its receipt."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == CALL:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            return httpx.Response(status, content=content, headers={"x-practicum-receipt": f"rcpt_{1:024x}"})
        return httpx.Response(200, json=receipt(1, learner="sora", course=OPERATOR_COURSE))

    return answer


def said(words: str) -> dict[str, Any]:
    return {"model": "lab-default", "choices": [{"message": {"role": "assistant", "content": words}}]}


@pytest.mark.parametrize("login", ["mina", "teacher", "office", "both", "stranger", "service"])
def test_nobody_else_sees_it_or_calls_the_model(world: World, login: str) -> None:
    browser = world.browser(login)
    refused = 303 if login == "service" else 403
    assert browser.get(ADDRESS).status_code == refused
    assert world.post(browser, TRIAL, login).status_code == refused
    assert world.asked == []


def test_who_has_not_signed_in_is_sent_to_the_login(world: World) -> None:
    assert world.browser().get(ADDRESS).status_code == 303
    assert world.browser().post(f"{PREFIX}{TRIAL}").status_code == 303


def test_a_call_needs_a_form_of_ours(world: World) -> None:
    world.answer = answers(said("hello"))
    browser = world.browser("sora")
    for data, origin in (
        ({}, ORIGIN),
        ({"csrf": "x"}, ORIGIN),
        ({"csrf": world.site.seals.csrf(world.session)}, "http://evil.test"),
    ):
        assert browser.post(f"{PREFIX}{TRIAL}", data=data, headers={"origin": origin}).status_code == 403
    assert browser.get(f"{PREFIX}{TRIAL}").status_code == 405
    assert world.asked == []
    assert world.post(browser, TRIAL, "sora").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "learn/C",
        "class/C",
        "class/C/labs/rough-cut",
        "class/C/correct",
        "office/hanbit",
        "office/hanbit/C",
        "office/hanbit/C/people/mina",
        "programme/p",
    ],
)
def test_an_operator_sees_nobodys_record(world: World, path: str) -> None:
    assert world.browser("sora").get(PREFIX + path.replace("C", COURSE)).status_code == 403


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_page_tells_every_part_and_nobody(world: World, lang: str) -> None:
    world.release()
    world.submit("mina")
    text = world.browser("sora", lang).get(ADDRESS).text
    for word in {
        "ko": ("프록시", "원장", "백업", "격리 환경", "버전"),
        "en": ("Proxy", "Journal", "Backup", "Sandbox", "Versions"),
    }[lang]:
        assert word in text
    for word in ("mina", "김미나", "이준", COURSE, "style="):
        assert not re.search(rf"(?<!\w){word}", text), word
    assert f'href="{ADDRESS}" aria-current="true"' not in text  # one place needs no switch
    assert world.browser("sora").get(PREFIX).headers["location"] == ADDRESS


def test_a_hostile_log_line_is_text_and_gives_nothing_away(world: World, installation: Settings) -> None:
    (installation.data / "secrets" / "hub-token").write_text("s3cret-of-this-installation")
    (installation.data / "logs" / "portal.log").write_text(
        f"ERROR {SCRIPT} s3cret-of-this-installation mina 김미나 'a diary'\n", "utf-8"
    )
    text = world.browser("sora").get(ADDRESS).text
    assert "&lt;script&gt;" in text
    for word in (SCRIPT, "s3cret", "mina", "김미나", "diary"):
        assert word not in text, word


def test_a_test_call_shows_words_and_costs_and_leaves_its_receipt(world: World) -> None:
    world.answer = answers(said(f"hello {SCRIPT}"))
    text = world.post(world.browser("sora"), TRIAL, "sora").text
    assert "hello &lt;script&gt;" in text
    assert SCRIPT not in text
    assert "12원" in text
    assert "1,545토큰" in text
    assert world.asked[0].headers["authorization"] == "Bearer token-sora"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[" * 60_000, b"\xff" * 9, said("x" * 100_000), {"choices": []}, {"choices": [{"message": {"content": [1]}}]},
     {"choices": {"0": 1}, "model": {"a": SCRIPT}}],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 500])
def test_a_hostile_answer_breaks_nothing(world: World, body: Any, status: int) -> None:
    world.answer = answers(body, status)
    answer = world.post(world.browser("sora"), TRIAL, "sora")
    assert answer.status_code == 200
    assert SCRIPT not in answer.text
    assert len(answer.text) < 40_000


def test_a_refusal_is_told_in_the_readers_language(world: World) -> None:
    world.answer = answers(
        {"error": {"text": {"ko": f"예산을 다 썼습니다. {SCRIPT}", "en": "spent"}, "message": "x"}}, 402
    )
    text = world.post(world.browser("sora"), TRIAL, "sora").text
    assert "HTTP 402: 예산을 다 썼습니다. &lt;script&gt;" in text


def test_a_gateway_that_is_away_is_told(world: World) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("away")

    world.answer = away
    assert "게이트웨이와 모델의 상태를 확인하세요" in world.post(world.browser("sora"), TRIAL, "sora").text


def test_one_call_at_a_time(world: World) -> None:
    with page._calling:
        assert world.post(world.browser("sora"), TRIAL, "sora").status_code == 429
    assert world.asked == []


def test_a_portal_without_an_installation_says_so(world: World) -> None:
    world.site.health = None
    assert world.browser("sora").get(ADDRESS).status_code == 503


def test_the_place_of_test_calls_is_the_operators_alone() -> None:
    assert Identity("sora", frozenset({OPERATOR})).takes_part(OPERATOR_COURSE)
    assert not Identity("sora", frozenset({OPERATOR})).takes_part(COURSE)
    assert not Identity("mina", frozenset({f"nbgrader-{COURSE}"})).takes_part(OPERATOR_COURSE)


async def test_the_real_gateway_takes_an_operators_call_and_no_other(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for login, groups in {"sora": [OPERATOR], "mina": [f"nbgrader-{COURSE}"]}.items():
        monkeypatch.setitem(gateway_support.USERS, f"token-{login}", {"kind": "user", "name": login, "groups": groups})
    async with gateway_support.world(tmp_path / "ai") as ai:
        with httpx.Client(trust_env=False) as client:

            def pass_on(request: httpx.Request) -> httpx.Response:
                headers = {
                    name: value for name, value in request.headers.items() if name in ("authorization", "content-type")
                }
                return client.request(
                    request.method, ai.url + request.url.raw_path.decode(), headers=headers, content=request.read()
                )

            world.answer = pass_on
            answer = await asyncio.to_thread(world.post, world.browser("sora"), TRIAL, "sora")
            assert "모델이 답했습니다" in answer.text
            assert "10원" in answer.text
            assert (await ai.chat(token="token-sora", where=f"/{COURSE}/-")).status == 403
            assert (await ai.chat(token="token-mina", where=f"/{OPERATOR_COURSE}/-")).status == 403
