"""The budget holds: whatever races, breaks, leaves or lies, spent + reserved never passes the limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from gateway_support import MODEL, World, chunk, friendly, last_chunk, said, stream, usage, whole, world


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as running:
        yield running


async def test_thirty_racing_calls_on_a_budget_for_ten(tmp_path: Path) -> None:
    async with world(tmp_path, budget_krw=100, waiting_per_learner=30) as w:
        answers = await asyncio.gather(*(w.chat(max_tokens=10) for _ in range(30)))
        statuses = [answer.status for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (10, 20)
        assert len(w.provider.bodies) == 10
        assert w.provider.most_running <= 2
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.error["code"] == "budget_exceeded"
        assert refused.error["type"] == "rate_limit_error"
        assert refused.headers["x-practicum-budget-left-krw"] == "0"
        budget = await w.budget()
        assert (budget["spent_krw"], budget["reserved_krw"], budget["left_krw"]) == (100, 0, 0)


async def test_the_labs_limit_holds_within_the_courses(tmp_path: Path) -> None:
    async with world(tmp_path, budget_krw=100, labs={"rough-cut": {"learner": {"krw": 20}}}) as w:
        first = [(await w.chat(max_tokens=10)).status for _ in range(3)]
        assert first == [200, 200, 429]
        assert (await w.budget())["left_krw"] == 0
        assert (await w.chat(max_tokens=10, where="/video/-")).status == 200
        assert (await w.budget(where="/video/-"))["left_krw"] == 70


async def test_budgets_are_apart_by_learner_and_course(tmp_path: Path) -> None:
    async with world(tmp_path, budget_krw=10, courses={"books": {"learner": {"krw": 20}}}) as w:
        assert (await w.chat(max_tokens=10)).status == 200
        assert (await w.budget("bob-token"))["left_krw"] == 10
        assert (await w.budget("bob-token", "/books/-"))["left_krw"] == 20


@pytest.mark.parametrize(
    "lie",
    [
        None,
        "much",
        [],
        usage(-5, -100),
        usage(1.5, 2),
        usage(True, True),
        usage("5", "6"),
        usage(5, 10**30),
        {"prompt_tokens": 5},
        usage(5, float("inf")),
    ],
)
async def test_a_missing_or_senseless_usage_costs_the_reservation(w: World, lie: Any) -> None:
    async def lying(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(whole(use=lie))

    w.provider.behave = lying
    assert (await w.chat(max_tokens=10)).status == 200
    (row,) = await w.receipts()
    assert (row["cost_krw"], row["prompt_tokens"], row["outcome"]) == (10, None, "ok")
    assert (await w.budget())["spent_krw"] == 10


async def test_a_usage_beyond_the_reservation_costs_no_more_than_it(w: World) -> None:
    async def greedy(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(whole(use=usage(5, 5_000)))

    w.provider.behave = greedy
    await w.chat(max_tokens=10)
    assert (await w.budget())["spent_krw"] == 10


@pytest.mark.parametrize(
    ("status", "seen", "code"),
    [
        (500, 502, "upstream_failed"),
        (429, 429, "upstream_busy"),
        (401, 502, "upstream_misconfigured"),
        (400, 400, "upstream_rejected"),
        (302, 502, "upstream_failed"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_that_the_provider_did_not_take_costs_nothing(
    w: World, status: int, seen: int, code: str, streamed: bool
) -> None:
    async def refusing(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(
            {"error": {"message": "their words"}}, status=status, headers={"Location": "/elsewhere"}
        )

    w.provider.behave = refusing
    answer = await w.chat(stream=streamed)
    assert (answer.status, answer.error["code"]) == (seen, code)
    assert "their words" not in answer.text
    (row,) = await w.receipts()
    assert (row["cost_krw"], row["outcome"]) == (0, code)
    assert answer.headers["x-practicum-receipt"] == row["id"]
    assert (await w.budget())["left_krw"] == 1000


async def test_too_long_an_input_says_so(w: World) -> None:
    async def short(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        error = {"code": 400, "type": "exceed_context_size_error", "message": "request (9031 tokens) exceeds"}
        return web.json_response({"error": error}, status=400)

    w.provider.behave = short
    assert (await w.chat()).error["code"] == "context_length_exceeded"


async def test_a_provider_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, upstream={"base_url": "http://127.0.0.1:9/v1"}) as w:
        assert (await w.chat()).error["code"] == "upstream_unavailable"
        assert (await w.budget())["left_krw"] == 1000


async def test_a_provider_that_breaks_off_costs_the_reservation(w: World) -> None:
    async def breaking(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    w.provider.behave = breaking
    assert (await w.chat(max_tokens=10)).error["code"] == "upstream_broken"
    assert (await w.budget())["spent_krw"] == 10


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[]",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b"[" * 100_000,
        b"x" * 6_000_000,
    ],
)
async def test_an_answer_that_cannot_be_read_is_an_error(w: World, body: bytes) -> None:
    async def garbling(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    w.provider.behave = garbling
    answer = await w.chat(max_tokens=10)
    assert (answer.status, answer.error["code"]) == (502, "upstream_broken")
    assert (await w.budget())["spent_krw"] == 10


@pytest.mark.parametrize(
    ("events", "done", "cost"),
    [
        ([chunk("half")], False, 10),
        ([chunk("half")], True, 10),
        ([chunk("half"), "not a chunk"], True, 10),
        ([chunk("half"), {"error": {"message": "their words"}}], True, 10),
        ([chunk("half"), last_chunk(usage(1, 4))], False, 4),
        ([chunk("half", "stop")], True, 10),
    ],
)
async def test_a_stream_that_breaks_is_told_and_settled(w: World, events: list[Any], done: bool, cost: int) -> None:
    async def breaking(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        return await stream(request, events, done=done)

    w.provider.behave = breaking
    answer = await w.chat(stream=True, max_tokens=10)
    ended_well = events[-1] == chunk("half", "stop")
    assert ("[DONE]" in answer.text) is ended_well
    assert ('"code": "upstream_broken"' in answer.text) is not ended_well
    assert "their words" not in answer.text
    (row,) = await w.settled()
    assert (row["cost_krw"], said(row)) == (cost, "half")
    assert (await w.budget())["reserved_krw"] == 0


async def test_a_client_who_leaves_a_stream_frees_the_model_and_is_settled(w: World) -> None:
    async def endless(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(b'data: {"choices": [{"index": 0, "delta": {"content": "on "}}]}\n\n')
            await asyncio.sleep(0.01)

    w.provider.behave = endless
    await _leave_after_first_bytes(w, stream=True, max_tokens=10)
    (row,) = await w.settled()
    assert (row["outcome"], row["cost_krw"]) == ("client_left", 10)
    await _until(lambda: w.provider.running == 0)


async def test_a_client_who_leaves_before_the_answer_frees_the_model_and_is_settled(w: World) -> None:
    async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(30)
        return await friendly(request, body)

    w.provider.behave = slow
    call = asyncio.create_task(w.chat(max_tokens=10))
    await _until(lambda: w.provider.running == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    (row,) = await w.settled()
    assert (row["outcome"], row["cost_krw"]) == ("client_left", 10)
    await _until(lambda: w.provider.cancelled == 1)


async def test_a_client_who_leaves_while_waiting_pays_nothing(w: World) -> None:
    gate = asyncio.Event()

    async def held(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await gate.wait()
        return await friendly(request, body)

    w.provider.behave = held
    calls = [asyncio.create_task(w.chat(max_tokens=10)) for _ in range(2)]
    await _until(lambda: w.provider.running == 2)
    third = asyncio.create_task(w.chat(max_tokens=10))
    await asyncio.sleep(0.1)
    assert (await w.budget())["reserved_krw"] == 30
    third.cancel()
    await asyncio.sleep(0.1)
    gate.set()
    await asyncio.gather(*calls)
    assert sorted(row["cost_krw"] for row in await w.settled()) == [0, 10, 10]
    assert len(w.provider.bodies) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_provider_that_falls_silent_is_ended_in_time(tmp_path: Path, streamed: bool) -> None:
    async def silent(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if streamed:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            await response.write(b'data: {"choices": [{"index": 0, "delta": {"content": "well"}}]}\n\n')
        await asyncio.sleep(30)
        return web.Response()

    async with world(tmp_path, call_seconds=0.3) as w:
        w.provider.behave = silent
        answer = await w.chat(stream=streamed, max_tokens=10)
        assert "upstream_timeout" in answer.text
        assert (await w.settled())[0]["cost_krw"] == 10


async def test_a_learners_line_has_an_end(tmp_path: Path) -> None:
    async with world(tmp_path, waiting_per_learner=1) as w:
        gate = asyncio.Event()

        async def held(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            await gate.wait()
            return await friendly(request, body)

        w.provider.behave = held
        calls = [asyncio.create_task(w.chat(max_tokens=10)) for _ in range(4)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert [call.result().error["code"] for call in done] == ["too_many_calls"]
        gate.set()
        await asyncio.gather(*calls)
        assert sum(row["cost_krw"] for row in await w.settled()) == 30


async def _leave_after_first_bytes(w: World, **fields: Any) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **fields}
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer ann-token"}) as session:
        answer = await session.post(f"{w.url}/video/rough-cut/v1/chat/completions", json=body)
        await answer.content.readany()
        answer.close()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)
