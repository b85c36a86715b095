"""Providers that are down or speak nonsense, and a gateway that stops or reads its settings anew; PRACTICUM_ROUNDS makes it longer."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from counting_upstream import CANARY_KEY, MODEL, PRICES, ROUNDS, CountingUpstream
from gateway_class import (
    Heard,
    Running,
    around,
    call_of,
    client,
    gateway_process,
    in_process,
    served,
    settings_for,
    spent,
)

from hub_config.ai_gateway.ledger import Amount, Place

SEED = 20261123


@pytest.mark.parametrize("stream", [False, True])
async def test_the_next_provider_serves_while_the_first_is_down_and_gives_way_when_it_is_back(
    tmp_path: Path, stream: bool
) -> None:
    first, second = CountingUpstream(mode="500"), CountingUpstream()
    async with first.serve() as one, second.serve() as two:
        config = settings_for(
            tmp_path, one, "http://127.0.0.1:9", retries={"failures": 3, "pause_seconds": 0.4}, calls_per_learner=20
        )
        config["upstreams"].append(config["upstreams"][0] | {"name": "second", "base_url": two})
        config["models"][MODEL].append(config["models"][MODEL][0] | {"upstream": "second"})
        async with in_process(config) as (gateway, url), client(url) as asking:
            breaker = gateway.upstreams.breakers["built-in"]

            async def class_asks(calls: int) -> list[Heard]:
                return await asyncio.gather(*(asking.ask(asking.heard("ann"), stream=stream) for _ in range(calls)))

            for _ in range(4):
                assert all(each.whole for each in await class_asks(1))
            assert (breaker.state, first.asked.total(), len(second.worked)) == ("open", 3, 4)
            await asyncio.sleep(0.45)
            assert breaker.state == "half_open"
            assert all(each.whole for each in await class_asks(10))
            assert (first.asked.total(), len(second.worked)) == (4, 14)  # one tried the first, all were served
            first.mode = None
            await asyncio.sleep(0.45)
            assert all(each.whole for each in await class_asks(1))
            assert (breaker.state, len(first.worked)) == ("closed", 1)
            assert all(each.whole for each in await class_asks(10))
            assert (len(first.worked), len(second.worked)) == (11, 14)
            receipts = await asking.receipts()
            assert {row["upstream"] for row in receipts} == {"built-in", "second"}
            assert spent(receipts) == first.counted() + second.counted()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", ["break", "short", "stall", "stall-late", "bad-json"])
async def test_after_the_first_byte_no_second_provider_is_asked(tmp_path: Path, mode: str, stream: bool) -> None:
    first, second = CountingUpstream(mode=mode), CountingUpstream()
    async with first.serve() as one, second.serve() as two:
        config = settings_for(tmp_path, one, "http://127.0.0.1:9", upstream={"silence_seconds": 0.2})
        config["upstreams"].append(config["upstreams"][0] | {"name": "second", "base_url": two})
        config["models"][MODEL].append(config["models"][MODEL][0] | {"upstream": "second"})
        async with in_process(config) as (_, url), client(url) as asking:
            heard = await asking.ask(asking.heard("ann"), stream=stream)
            assert heard.code in ("upstream_broken", "upstream_timeout")
            assert (first.asked.total(), second.asked.total()) == (1, 0)


async def test_waiting_calls_leave_a_provider_alone_that_went_down_meanwhile(tmp_path: Path) -> None:
    upstream = CountingUpstream(mode="500")
    async with upstream.serve() as provider:
        retries = {"failures": 3, "pause_seconds": 30}
        config = settings_for(
            tmp_path, provider, "http://127.0.0.1:9", retries=retries, upstream={"concurrent_calls": 1}
        )
        async with in_process(config) as (_, url), client(url) as asking:
            heard = await asyncio.gather(*(asking.ask(asking.heard(f"ann{n}"), stream=False) for n in range(30)))
            assert {each.code for each in heard} <= {"upstream_failed", "upstream_paused"}
            assert upstream.asked.total() == 3
            assert all(row["cost_krw"] == 0 for row in await asking.receipts())


async def test_a_stopping_gateway_ends_its_streams_and_takes_no_more(tmp_path: Path) -> None:
    async with around(tmp_path, pace_seconds=0.05) as (upstream, config):
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            calls = [asking.heard(f"ann{number}") for number in range(10)]
            running = [asyncio.create_task(asking.ask(heard, tokens=20, stream=True)) for heard in calls]
            async with asyncio.timeout(10):
                while len(upstream.worked) < 10 or any(work.tokens == 0 for work in upstream.worked):
                    await asyncio.sleep(0.01)
            gateway.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.1)
            late = await asking.ask(asking.heard("late"), stream=False)
            assert (late.status, late.code, late.retry_after) == (503, "gateway_stopping", "5")
            assert all(heard.whole and heard.tokens == 20 for heard in await asyncio.gather(*running))
            assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            receipts = await asking.receipts()
    assert {row["outcome"] for row in receipts} == {"ok"}
    assert spent(receipts) == upstream.counted()


async def test_new_settings_hold_for_the_next_call_and_leave_running_ones_alone(tmp_path: Path) -> None:
    one_at_a_time: dict[str, Any] = {"concurrent_calls": 1}
    async with around(tmp_path, pace_seconds=0.05, upstream=one_at_a_time) as (upstream, config):
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            old = asking.heard("ann")
            running = asyncio.create_task(asking.ask(old, tokens=20, stream=True))
            waiting = [asyncio.create_task(asking.ask(asking.heard("cho"), tokens=2, stream=s)) for s in (False, True)]
            async with asyncio.timeout(10):
                while not upstream.running or (await asking.get("/video/-/queue", "ann.nbgrader-video"))["waiting"] < 2:
                    await asyncio.sleep(0.01)
            free = config | {"budgets": {"learner": {"krw": 77}}, "courses": {"video": {"ai": False}}}
            free["upstreams"] = [config["upstreams"][0] | {"name": "renamed"}]
            free["models"] = {MODEL: [{"upstream": "renamed", "model": "their-name", "prices": PRICES}]}
            await _reload(gateway, tmp_path, json.dumps(free), "read again")
            assert (await asking.ask(asking.heard("ann"), stream=False)).code == "ai_off"
            budget = await asking.get("/video/-/budget", "ann.nbgrader-video")
            assert (budget["ai"], budget["limit_krw"]) == (False, 77)
            for broken in ("{", "{}", json.dumps(free | {"surplus": CANARY_KEY})):
                await _reload(gateway, tmp_path, broken, "old ones stay in force")
                assert (await asking.get("/video/-/budget", "ann.nbgrader-video"))["limit_krw"] == 77
            dearer = [{"effective": "2026-01-01", "output_krw_per_million": 3_000_000}]
            changed = config | {"models": {MODEL: [config["models"][MODEL][0] | {"prices": dearer}]}}
            await _reload(gateway, tmp_path, json.dumps(changed), "read again")
            new = await asking.ask(asking.heard("bob"), tokens=7, stream=True)
            assert new.whole
            assert all(heard.whole for heard in await asyncio.gather(running, *waiting))
            paid = {call_of(row): row["cost_krw"] for row in await asking.receipts()}
            assert (paid[old.call], paid[new.call]) == (25, 21)
        assert "canary" not in gateway.log.read_text()


async def _reload(gateway: Running, folder: Path, text: str, said: str) -> None:
    """Have the gateway read its settings again, and wait until it says so."""
    before = gateway.log.read_text().count(said)
    (folder / "gateway.json").write_text(text)
    gateway.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(10):
        while gateway.log.read_text().count(said) == before:
            await asyncio.sleep(0.02)


JUNK = (
    None,
    True,
    -1,
    1.5,
    10**30,
    "",
    "\ud83d",
    [],
    {},
    [[]],
    [None],
    {"x": 1},
    float("inf"),
    float("nan"),
    {"content": []},
    10**400,
)
TOOL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USED = {"prompt_tokens": 5, "completion_tokens": 5, "input_tokens": 5, "output_tokens": 5}
SAID = {"role": "assistant", "content": "hi", "tool_calls": [TOOL]}
WHOLE = {"id": "i", "created": 1, "choices": [{"index": 0, "finish_reason": "stop", "message": SAID}], "usage": USED}
CHUNKS = [
    {"id": "i", "choices": [{"index": 0, "delta": SAID}], "timings": {"cache_n": 0, "prompt_n": 5, "predicted_n": 1}},
    {"choices": [{"index": 0, "delta": {"tool_calls": [TOOL]}, "finish_reason": "stop"}]},
    {"choices": [], "usage": USED},
]
RESPONSE = {
    "id": "r",
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}],
    "usage": USED,
}
EVENTS = [
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_text.delta", "delta": "hi", "item_id": "m"},
    {"type": "response.completed", "response": RESPONSE},
]
GOOD: list[tuple[str, dict[str, Any], Any]] = [
    ("chat/completions", {"messages": [{"role": "user", "content": "x"}]}, WHOLE),
    ("chat/completions", {"messages": [{"role": "user", "content": "x"}], "stream": True}, CHUNKS),
    ("responses", {"input": "x"}, RESPONSE),
    ("responses", {"input": "x", "stream": True}, EVENTS),
    ("embeddings", {"input": "x"}, {"data": [{"embedding": [0.1, 0.2]}], "usage": USED}),
    ("images/generations", {"prompt": "x"}, {"created": 1, "data": [{"b64_json": "aa"}]}),
]  # fmt: skip


def broken_somewhere(value: Any, junk: Any) -> Iterator[Any]:
    """Give the value with each of its parts in turn replaced by junk."""
    yield junk
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for part in broken_somewhere(value[key], junk):
            copied = value.copy()
            copied[key] = part
            yield copied


async def test_no_answer_of_a_provider_is_a_fault_of_ours_or_leaves_a_call_open(tmp_path: Path) -> None:
    answer: list[Any] = []

    async def provider(request: web.Request) -> web.StreamResponse:
        if isinstance(answer[0], list) and (await request.json()).get("stream"):
            text = "".join(f"data: {json.dumps(event)}\n\n" for event in answer[0]) + "data: [DONE]\n\n"
            return web.Response(text=text, content_type="text/event-stream")
        return web.Response(text=json.dumps(answer[0]), content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/{endpoint:.+}", provider)
    async with served(app) as url:
        config = settings_for(tmp_path, url + "/v1", "http://127.0.0.1:9", retries={"failures": 100_000})
        config["models"][MODEL][0] |= {"endpoints": ["chat", "responses", "embeddings", "images"]}
        cases = [(*case, wrong) for case in GOOD for junk in JUNK for wrong in broken_somewhere(case[2], junk)]
        random.Random(SEED).shuffle(cases)
        async with in_process(config) as (gateway, url), client(url) as asking:
            for end, body, _, wrong in cases[: 700 * ROUNDS]:
                answer[:] = [wrong]
                headers = {"Authorization": "Bearer ann.nbgrader-video"}
                async with asking.http.post(
                    f"{url}/video/-/v1/{end}", json={"model": MODEL} | body, headers=headers
                ) as told:
                    text = await told.text()
                assert told.status in (200, 502), (end, wrong, text)
                assert "gateway_error" not in text, (end, wrong, text)
                if not body.get("stream"):
                    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
            assert gateway.ledger.spent(Place("ann", "video", "-"))[1] == Amount()


async def test_a_letter_cut_in_two_arrives_and_is_paid(tmp_path: Path) -> None:
    """Half of a surrogate pair at a chunk's end, as servers in JavaScript cut an emoji."""
    events = [{"choices": [{"index": 0, "delta": {"content": half}}]} for half in ("\ud83d", "\ude00")]
    events += CHUNKS[1:]

    async def provider(_request: web.Request) -> web.StreamResponse:
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return web.Response(text=text, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/{endpoint:.+}", provider)
    async with (
        served(app) as provider_url,
        in_process(settings_for(tmp_path, provider_url + "/v1", "http://127.0.0.1:9")) as (_, url),
        client(url) as asking,
    ):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True}
        headers = {"Authorization": "Bearer ann.nbgrader-video"}
        async with asking.http.post(f"{url}/video/-/v1/chat/completions", json=body, headers=headers) as told:
            lines = [line for line in (await told.text()).splitlines() if "ud83d" in line or "ude00" in line]
        assert len(lines) == 2
        (receipt,) = await asking.receipts()
        assert (receipt["outcome"], receipt["cost_krw"]) == ("ok", 10)
