"""The gateway as a client sees it: whole and streamed answers, addresses, identity, receipts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway_support import CANARY_KEY, MODEL, World, friendly, said, usage, whole, world
from openai import NotFoundError, OpenAI, RateLimitError

MESSAGES: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as running:
        yield running


def events(text: str) -> list[Any]:
    found = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [event if event == "[DONE]" else json.loads(event) for event in found]


async def test_whole_answer_is_passed_on_under_the_labs_name(w: World) -> None:
    answer = await w.chat()
    assert answer.status == 200
    body = answer.json()
    assert body["model"] == MODEL
    assert body["choices"][0]["message"]["content"] == "안녕, Hello"
    assert body["usage"] == {"prompt_tokens": 5, "completion_tokens": 10, "total_tokens": 15}
    assert w.provider.authorizations == [f"Bearer {CANARY_KEY}"]
    assert w.provider.bodies[0] == {"model": "their-name", "messages": MESSAGES, "max_tokens": 100}


async def test_headers_tell_the_receipt_and_what_is_left(w: World) -> None:
    answer = await w.chat()
    (receipt,) = await w.receipts()
    assert answer.headers["x-practicum-receipt"] == receipt["id"]
    assert answer.headers["x-practicum-budget-left-krw"] == "990"
    line = {"unit": "krw", "period": "all", "limit": 1000, "spent": 10, "reserved": 0, "left": 990, "renews_at": None}
    assert await w.budget() == {
        "course": "video",
        "lab": "rough-cut",
        "ai": True,
        "models": [MODEL],
        "endpoints": None,
        "limit_krw": 1000,
        "spent_krw": 10,
        "reserved_krw": 0,
        "left_krw": 990,
        "left_tokens": None,
        "renews_at": None,
        "accounts": [{"account": "learner", **line}],
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_receipt_says_how_long_it_took(w: World, stream: bool) -> None:
    async def slow(request: Any, body: dict[str, Any]) -> Any:
        await asyncio.sleep(0.12)
        return await friendly(request, body)

    w.provider.behave = slow
    await w.chat(stream=stream)
    (row,) = await w.settled()
    assert 100 <= row["latency_ms"] < 10_000


async def test_receipt_says_who_what_when_and_for_how_much(w: World) -> None:
    await w.chat(messages=[{"role": "user", "content": "메일 kim@example.com, 전화 010-1234-5678, 900101-1234567"}])
    (row,) = await w.receipts()
    assert (row["learner"], row["course"], row["lab"], row["model"]) == ("ann", "video", "rough-cut", MODEL)
    assert (row["endpoint"], row["upstream"], row["outcome"]) == ("chat", "built-in", "ok")
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost_krw"]) == (5, 10, 10)
    assert row["at"].endswith("+00:00")
    assert len(row["prompt_sha256"]) == len(row["answer_sha256"]) == 64
    assert json.loads(row["prompt"])[0]["content"] == "메일 [이메일], 전화 [전화번호], [주민등록번호]"
    assert said(row) == "안녕, Hello"


async def test_stream_hides_the_usage_that_only_the_gateway_asked_for(w: World) -> None:
    answer = await w.chat(stream=True)
    *chunks, done = events(answer.text)
    assert done == "[DONE]"
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "안녕, Hello"
    assert all("usage" not in c and c["model"] == MODEL for c in chunks)
    assert w.provider.bodies[0]["stream_options"] == {"include_usage": True}
    assert (await w.receipts())[0]["cost_krw"] == 10
    assert answer.headers["x-practicum-budget-left-krw"] == "900"  # the reservation still stood when it began


async def test_stream_gives_the_usage_to_a_client_who_asked(w: World) -> None:
    answer = await w.chat(stream=True, stream_options={"include_usage": True})
    assert events(answer.text)[-2]["usage"]["completion_tokens"] == 10


async def test_plain_openai_client_works_unchanged(w: World) -> None:
    def use() -> tuple[list[str], str | None, str]:
        with OpenAI(base_url=f"{w.url}/video/rough-cut/v1", api_key="ann-token") as client:
            names = [model.id for model in client.models.list()]
            said = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=20, temperature=0, seed=1)
            again = [*MESSAGES, said.choices[0].message, {"role": "user", "content": "more"}]
            parts = client.chat.completions.create(model=MODEL, messages=again, stream=True)
            return names, said.choices[0].message.content, "".join(p.choices[0].delta.content or "" for p in parts)

    assert await asyncio.to_thread(use) == ([MODEL], "안녕, Hello", "안녕, Hello")


async def test_openai_client_does_not_repeat_a_call_over_budget(tmp_path: Path) -> None:
    async with world(tmp_path, budget_krw=5) as w:

        def use() -> str:
            with (
                OpenAI(base_url=f"{w.url}/video/-/v1", api_key="ann-token") as client,
                pytest.raises(RateLimitError) as caught,
            ):
                client.chat.completions.create(model=MODEL, messages=MESSAGES)
            return str(caught.value)

        said = await asyncio.to_thread(use)
        assert "남은 예산은 5원" in said
        assert "5 won are left" in said
        assert len(w.hub.asked) == 1
        assert w.provider.bodies == []


async def test_openai_client_raises_what_it_should_for_an_unknown_model(w: World) -> None:
    def use() -> None:
        with OpenAI(base_url=f"{w.url}/video/-/v1", api_key="ann-token") as client:
            client.chat.completions.create(model="gpt-9", messages=MESSAGES)

    with pytest.raises(NotFoundError, match=MODEL):
        await asyncio.to_thread(use)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/models"),
        ("POST", "/video/rough-cut/v1/completions"),
        ("GET", "/video/rough-cut/v1/chat/completions"),
        ("DELETE", "/receipts"),
        ("GET", "/video/../receipts/x"),
        ("POST", "/video/Rough%20Cut/v1/chat/completions"),
        ("GET", "/%2e%2e/-/budget"),
    ],
)
async def test_every_other_address_is_an_openai_shaped_404(w: World, method: str, path: str) -> None:
    answer = await w.ask(method, path)
    assert answer.status == 404
    assert set(answer.error) == {"message", "type", "param", "code", "text"}


async def test_health_needs_no_token_and_asks_nobody(w: World) -> None:
    assert (await w.ask("GET", "/health", token=None)).json() == {"status": "ok"}
    assert w.hub.asked == []


@pytest.mark.parametrize("path", ["/video/-/budget", "/video/-/v1/models", "/receipts"])
@pytest.mark.parametrize("token", [None, "wrong", "service-token", "two words", "tok\ten"])
async def test_a_wrong_token_is_401_everywhere(w: World, path: str, token: str | None) -> None:
    answer = await w.ask("GET", path, token=token)
    assert answer.status == 401
    assert answer.error["code"] == "invalid_api_key"


async def test_a_foreign_course_is_403_everywhere(w: World) -> None:
    answers = [
        await w.chat(where="/books/-"),
        await w.ask("GET", "/books/-/budget"),
        await w.ask("GET", "/books/-/v1/models"),
        await w.chat(token="office-token"),
    ]
    assert [answer.status for answer in answers] == [403] * 4
    assert w.provider.bodies == []


async def test_the_hubs_word_is_remembered_and_only_as_a_hash(w: World) -> None:
    for _ in range(3):
        await w.budget()
    assert w.hub.asked == ["ann-token"]


async def test_a_silent_hub_is_503(w: World) -> None:
    w.hub.status = 500
    assert (await w.ask("GET", "/video/-/budget")).status == 503


async def test_an_instructor_may_use_ai_in_their_course(w: World) -> None:
    assert (await w.chat(token="teacher-token")).status == 200


async def test_receipts_are_for_their_owner_the_instructor_and_the_institution(w: World) -> None:
    await w.chat()
    await w.chat(token="bob-token")
    await w.chat(token="bob-token", where="/books/-")

    async def seen(query: str, token: str) -> list[str]:
        return [f"{row['learner']}:{row['course']}" for row in await w.receipts(query, token)]

    assert await seen("", "ann-token") == ["ann:video"]
    assert await seen("?course=video", "bob-token") == ["bob:video"]
    assert await seen("?course=video", "teacher-token") == ["bob:video", "ann:video"]
    assert await seen("?course=video&learner=ann", "teacher-token") == ["ann:video"]
    assert await seen("?course=books", "teacher-token") == []
    assert await seen("", "teacher-token") == []
    assert await seen("?course=books", "office-token") == ["bob:books"]
    assert (await w.ask("GET", "/receipts?course=video&learner=bob")).status == 403
    assert (await w.ask("GET", "/receipts?course=books&learner=bob", token="teacher-token")).status == 403
    assert (await w.ask("GET", "/receipts?limit=x")).status == 400


async def test_receipts_come_in_pages(w: World) -> None:
    for _ in range(3):
        await w.chat()
    first = await w.receipts("?limit=2")
    rest = await w.receipts(f"?limit=2&before={first[-1]['id']}")
    assert len({row["id"] for row in first + rest}) == 3


async def test_only_known_fields_of_an_answer_are_passed_on(w: World) -> None:
    async def chatty(request: Any, body: Any) -> Any:
        from aiohttp import web

        return web.json_response(
            whole(use=usage() | {"bill_to": "x"}, timings={"a": 1}), headers={"x-provider-id": "p"}
        )

    w.provider.behave = chatty
    answer = await w.chat()
    assert set(answer.json()) == {"id", "object", "created", "model", "choices", "usage"}
    assert "bill_to" not in answer.text
    assert "x-provider-id" not in {name.lower() for name in answer.headers}
