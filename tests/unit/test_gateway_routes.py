"""Several upstreams: their order, failover, one retry, the circuit breaker, models that load, and new settings while it runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from gateway_support import MODEL, PRICES, Provider, World, chunk, friendly, last_chunk, served, stream, usage, world

from hub_config.ai_gateway.config import GatewayConfig, Retries
from hub_config.ai_gateway.gateway import GATEWAY
from hub_config.ai_gateway.routes import Breaker


@asynccontextmanager
async def two(folder: Path, **settings: Any) -> AsyncIterator[tuple[World, Provider]]:
    """A gateway whose model is served by a first provider, and by a second one where that fails."""
    second = Provider()
    app = web.Application()
    app.router.add_post("/v1/{endpoint:.+}", second.handle)
    async with served(app, handler_cancellation=True) as url:
        upstreams = [{"name": "second", "base_url": url + "/v1"}]
        routes = [{"upstream": name, "model": f"{name}-model", "prices": PRICES} for name in ("built-in", "second")]
        async with world(folder, more_upstreams=upstreams, models={MODEL: routes}, **settings) as w:
            yield w, second


def failing(status: int) -> Any:
    async def behave(request: web.Request, body: Any) -> web.StreamResponse:
        return web.json_response({"error": {"message": "no"}}, status=status)

    return behave


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_second_serves_what_the_first_does_not_take(tmp_path: Path, status: int, streamed: bool) -> None:
    async with two(tmp_path) as (w, second):
        w.provider.behave = failing(status)
        assert (await w.chat(stream=streamed)).status == 200
        assert [body["model"] for body in w.provider.bodies + second.bodies] == ["built-in-model", "second-model"]
        (row,) = await w.settled()
        assert (row["upstream"], row["outcome"], row["cost_krw"]) == ("second", "ok", 10)


async def test_a_wrong_request_is_not_tried_elsewhere(tmp_path: Path) -> None:
    async with two(tmp_path) as (w, second):
        w.provider.behave = failing(400)
        assert (await w.chat()).status == 400
        assert (len(w.provider.bodies), len(second.bodies)) == (1, 0)


async def test_nothing_is_tried_again_after_the_first_byte(tmp_path: Path) -> None:
    async def breaking(request: web.Request, body: Any) -> web.StreamResponse:
        return await stream(request, [chunk("half")], done=False)

    async with two(tmp_path) as (w, second):
        w.provider.behave = breaking
        assert "upstream_broken" in (await w.chat(stream=True)).text
        assert (len(w.provider.bodies), len(second.bodies)) == (1, 0)


async def test_a_provider_that_is_alone_is_tried_once_more(tmp_path: Path) -> None:
    async with world(tmp_path) as w:

        async def once(request: web.Request, body: Any) -> web.StreamResponse:
            return await (failing(500)(request, body) if len(w.provider.bodies) == 1 else friendly(request, body))

        w.provider.behave = once
        assert (await w.chat()).status == 200
        assert len(w.provider.bodies) == 2
        assert [row["cost_krw"] for row in await w.receipts()] == [10]
        w.provider.behave = failing(500)
        assert (await w.chat()).error["code"] == "upstream_failed"
        assert len(w.provider.bodies) == 4


async def test_a_provider_that_keeps_failing_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async with world(tmp_path, retries={"failures": 2, "pause_seconds": 0.3}) as w:
        w.provider.behave = failing(500)
        assert (await w.chat()).error["code"] == "upstream_failed"
        refused = await w.chat()
        assert (refused.status, refused.error["code"], refused.headers["Retry-After"]) == (503, "upstream_paused", "1")
        assert len(w.provider.bodies) == 2
        assert (await w.ask("GET", "/ready", token=None)).status == 503
        assert (await w.budget())["left_krw"] == 1000
        await asyncio.sleep(0.35)
        w.provider.behave = friendly
        assert [(await w.chat()).status for _ in range(2)] == [200, 200]
        assert (await w.ask("GET", "/ready", token=None)).status == 200


def test_a_breaker_lets_one_call_try() -> None:
    now = [0.0]
    breaker = Breaker(Retries(failures=1, pause_seconds=10), lambda: now[0])
    breaker.begin()
    breaker.failed("upstream_failed")
    assert breaker.state == "open"
    now[0] = 11
    assert breaker.state == "half_open"
    breaker.begin()
    assert breaker.state == "open"
    breaker.undecided()
    assert breaker.state == "half_open"
    breaker.begin()
    breaker.failed("upstream_failed")
    assert (breaker.state, breaker.wait_seconds()) == ("open", 10)
    now[0] = 22
    breaker.begin()
    breaker.ok()
    assert breaker.state == "closed"


def loading(times: int) -> Any:
    progress: list[float] = []

    async def behave(request: web.Request, body: Any) -> web.StreamResponse:
        if len(progress) == times:
            return await friendly(request, body)
        progress.append(len(progress) / times)
        error = {"code": "model_loading", "message": "", "progress": progress[-1]}
        return web.json_response({"error": error}, status=503, headers={"Retry-After": "1"})

    return behave


async def test_a_stream_is_told_how_far_a_model_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.ai_gateway.calls.POLL_SECONDS", 0.01)
    async with world(tmp_path) as w:
        w.provider.behave = loading(4)
        answer = await w.chat(stream=True)
        told = [line for line in answer.text.splitlines() if line.startswith(":")]
        assert told == [f": the model is loading, {percent} %" for percent in (0, 25, 50, 75)]
        assert "안녕" in answer.text
        assert (await w.settled())[0]["cost_krw"] == 10


async def test_a_whole_call_waits_for_a_model_and_then_is_sent_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub_config.ai_gateway.calls.POLL_SECONDS", 0.01)
    async with world(tmp_path, loading_seconds=0.2) as w:
        w.provider.behave = loading(3)
        assert (await w.chat()).status == 200
        w.provider.behave = loading(10**6)
        refused = await w.chat()
        assert (refused.status, refused.error["code"], refused.headers["Retry-After"]) == (503, "model_loading", "1")
        assert "%" in refused.error["text"]["ko"]
        assert (await w.budget())["left_krw"] == 990


async def test_a_model_that_is_not_there_says_so(tmp_path: Path) -> None:
    async def missing(request: web.Request, body: Any) -> web.StreamResponse:
        return web.json_response({"error": {"code": "model_missing", "message": "x"}}, status=503)

    async with world(tmp_path) as w:
        w.provider.behave = missing
        assert (await w.chat()).error["code"] == "model_missing"
        assert (await w.budget())["left_krw"] == 1000


async def test_a_waiting_stream_is_told_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub_config.ai_gateway.turns.TELL_SECONDS", 0.05)
    go = asyncio.Event()

    async def held(request: web.Request, body: Any) -> web.StreamResponse:
        await go.wait()
        return await friendly(request, body)

    async with world(tmp_path, calls_per_learner=1, waiting_per_learner=2) as w:
        w.provider.behave = held
        calls = [asyncio.create_task(w.chat(stream=True)) for _ in range(3)]
        while len((await w.ask("GET", "/video/-/queue")).json()) and w.provider.running == 0:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        queue = (await w.ask("GET", "/video/-/queue")).json()
        assert (queue["running"], queue["waiting"], queue["position"]) == (1, 2, 1)
        full = await w.chat()
        assert (full.status, full.error["code"], full.error["position"]) == (429, "too_many_calls", 3)
        assert int(full.headers["Retry-After"]) >= 1
        go.set()
        texts = sorted((await asyncio.gather(*calls)), key=lambda answer: answer.text.count(": waiting"))
        assert [": waiting, position 1" in answer.text for answer in texts].count(True) >= 1
        assert ": waiting, position 2" in "".join(answer.text for answer in texts)


def llama(words: int) -> Any:
    """Answer as llama.cpp does: a stream whose chunks tell the usage so far."""

    async def behave(request: web.Request, body: Any) -> web.StreamResponse:
        assert body["stream"]
        assert body["timings_per_token"]
        events: list[Any] = [
            chunk("가", timings={"cache_n": 2, "prompt_n": 3, "predicted_n": number + 1}) for number in range(words)
        ]
        if words == 3:
            return await stream(request, [*events, chunk(None, "stop"), last_chunk(usage(5, 3))])
        response = await stream(request, events, done=False)
        await asyncio.sleep(60)
        return response

    return behave


async def test_a_server_that_tells_its_usage_is_heard_as_a_stream(tmp_path: Path) -> None:
    async with world(tmp_path, upstream={"running_usage": "llama.cpp"}) as w:
        w.provider.behave = llama(3)
        answer = await w.chat()
        assert answer.json()["choices"][0]["message"] == {"role": "assistant", "content": "가가가"}
        assert answer.json()["usage"] == {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_that_is_cut_off_costs_what_was_used_until_then(tmp_path: Path, streamed: bool) -> None:
    async with world(tmp_path, upstream={"running_usage": "llama.cpp"}) as w:
        w.provider.behave = llama(7)
        call = asyncio.create_task(w.chat(stream=streamed))
        while not w.provider.running:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        call.cancel()
        (row,) = await w.settled()
        assert (row["outcome"], row["prompt_tokens"], row["completion_tokens"], row["cost_krw"]) == (
            "client_left",
            5,
            7,
            7,
        )
        assert w.provider.cancelled == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_provider_that_is_paid_is_heard_to_the_end(tmp_path: Path, streamed: bool) -> None:
    async def slow(request: web.Request, body: Any) -> web.StreamResponse:
        await asyncio.sleep(0.2)
        return await friendly(request, body)

    async with world(tmp_path, upstream={"when_client_leaves": "finish"}) as w:
        w.provider.behave = slow
        call = asyncio.create_task(w.chat(stream=streamed))
        while not w.provider.running:
            await asyncio.sleep(0.01)
        call.cancel()
        (row,) = await w.settled()
        assert (row["completion_tokens"], row["cost_krw"]) == (10, 10)
        assert w.provider.cancelled == 0
        assert "안녕, Hello" in row["answer"]


async def test_an_answer_longer_than_asked_for_is_cut(tmp_path: Path) -> None:
    async def endless(request: web.Request, body: Any) -> web.StreamResponse:
        return await stream(request, [chunk("x")] * 10_000, done=False)

    async with world(tmp_path) as w:
        w.provider.behave = endless
        answer = await w.chat(stream=True, max_tokens=10)
        assert "upstream_broken" in answer.text
        assert answer.text.count("data:") < 100
        assert (await w.settled())[0]["cost_krw"] == 10


async def test_new_settings_hold_for_the_next_call_and_running_ones_end(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def held(request: web.Request, body: Any) -> web.StreamResponse:
        await go.wait()
        return await friendly(request, body)

    async with world(tmp_path) as w:
        w.provider.behave = held
        running = asyncio.create_task(w.chat(stream=True))
        while not w.provider.running:
            await asyncio.sleep(0.01)
        raw = w.config.model_dump(mode="json")
        raw["budgets"]["learner"]["krw"] = 5
        raw["upstreams"][0]["api_key"] = "a-new-key-of-the-provider"
        gateway = w.app[GATEWAY]
        gateway.chore(gateway.reload(GatewayConfig.model_validate_json(json.dumps(raw))))
        await asyncio.sleep(0.05)
        assert (await w.chat()).error["code"] == "budget_exceeded"
        go.set()
        assert "Hello" in (await running).text
        assert (await w.chat(max_tokens=1, token="bob-token")).status == 200
        assert w.provider.authorizations[-1] == "Bearer a-new-key-of-the-provider"
