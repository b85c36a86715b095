"""Attacks on the gateway: hostile JSON, fields it does not take, and a hunt for the provider's key and learners' texts."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from gateway_support import CANARY_KEY, CANARY_PROMPT, MODEL, World, chunk, last_chunk, stream, usage, whole, world

MESSAGES = [{"role": "user", "content": "hi"}]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as running:
        yield running


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"user": "bob"}, "user"),
        ({"logit_bias": {}}, "logit_bias"),
        ({"extra": 1}, "extra"),
        ({"grammar": "root"}, "grammar"),
        ({"n_predict": -1}, "n_predict"),
        ({"n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"temperature": 9}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"seed": 2**70}, "seed"),
        ({"stream": "yes"}, "stream"),
        ({"stop": ["x"] * 99}, "stop"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "root"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "x", "prefix": 1}]}, "messages.0.prefix"),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.content"),
        ({"model": None}, "model"),
        ({"stream_options": {"x": 1}}, "stream_options.x"),
    ],
)
async def test_a_field_that_is_not_taken_is_named(w: World, fields: dict[str, Any], param: str) -> None:
    answer = await w.chat({"model": MODEL, "messages": MESSAGES, **fields})
    assert answer.status == 400
    assert answer.error["param"] == param
    assert w.provider.bodies == []
    assert await w.receipts() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "m", "temperature": NaN, "messages": []}',
        b'{"model": "m", "temperature": 1e999, "messages": []}',
        json.dumps({"model": MODEL, "messages": MESSAGES, "response_format": nested(60)}).encode(),
    ],
)
async def test_a_body_that_is_no_request_is_400(w: World, body: bytes) -> None:
    answer = await w.ask("POST", "/video/-/v1/chat/completions", data=body)
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"


async def test_a_body_over_the_limit_is_413(w: World) -> None:
    answer = await w.chat(messages=[{"role": "user", "content": "x" * 1_000_001}])
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


async def test_a_compressed_bomb_is_not_unpacked(w: World) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = await w.ask("POST", "/video/-/v1/chat/completions", data=bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status, answer.error["code"]) == (400, "compressed_request")


async def test_max_tokens_is_defaulted_and_capped(w: World) -> None:
    for fields in (
        {},
        {"max_tokens": 7},
        {"max_completion_tokens": 8},
        {"max_tokens": 9, "max_completion_tokens": 3},
        {"max_tokens": 10**9},
    ):
        assert (await w.chat(**fields)).status == 200
    assert [body["max_tokens"] for body in w.provider.bodies] == [100, 7, 8, 3, 100]
    assert not any("max_completion_tokens" in body for body in w.provider.bodies)


async def test_known_fields_are_passed_on(w: World) -> None:
    fields = {
        "temperature": 0,
        "top_p": 0.5,
        "seed": 3,
        "stop": ["."],
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    }
    assert (await w.chat(**fields)).status == 200
    assert {key: w.provider.bodies[0][key] for key in fields} == fields


@pytest.mark.parametrize(
    ("fields", "feature"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "auto"}, "tools"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "tools"),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, "images"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "audio"),
    ],
)
async def test_what_the_built_in_model_cannot_do_is_refused_with_the_setting(
    tmp_path: Path, w: World, fields: dict[str, Any], feature: str
) -> None:
    answer = await w.chat({"model": MODEL, "messages": MESSAGES, **fields})
    assert (answer.status, answer.error["code"]) == (400, "feature_not_allowed")
    assert f"ai_models.{MODEL}: allows: [{feature}]" in answer.error["message"]
    async with world(tmp_path / "other", route={"allows": [feature]}) as other:
        assert (await other.chat({"model": MODEL, "messages": MESSAGES, **fields})).status == 200


async def test_the_key_is_nowhere(w: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A provider that repeats the key wherever it can, and every answer, header, receipt, file and log searched for it."""
    caplog.set_level(logging.DEBUG)
    mode = ""

    async def telltale(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        leak = f"Incorrect key {CANARY_KEY} for {CANARY_PROMPT}"
        if mode == "whole":
            return web.json_response(
                whole(leak, usage() | {"note": leak}, system_fingerprint=leak), headers={"x-k": "v"}
            )
        if mode == "stream":
            return await stream(request, [chunk(leak, x=leak), chunk(leak, "stop"), last_chunk(usage())])
        if mode == "stream error":
            return await stream(request, [chunk("a"), {"error": {"message": leak}}])
        return web.json_response({"error": {"message": leak, "code": leak}}, status=int(mode), reason="no")

    w.provider.behave = telltale
    seen = ""
    for kind, streamed in product(("whole", "stream", "stream error", "400", "401", "429", "500"), (False, True)):
        mode = kind
        answer = await w.chat(messages=[{"role": "user", "content": CANARY_PROMPT + CANARY_KEY}], stream=streamed)
        seen += answer.text + str(answer.headers)
    seen += json.dumps(await w.receipts()) + str(w.config)
    files = b"".join(path.read_bytes() for path in (tmp_path / "gateway").iterdir()).decode("utf-8", "replace")
    assert all(body["messages"] for body in w.provider.bodies)
    assert set(w.provider.authorizations) == {f"Bearer {CANARY_KEY}"}
    for form in (CANARY_KEY, json.dumps(CANARY_KEY)[1:-1], "sk-canary-7f3a"):
        assert form not in seen
        assert form not in files
        assert form not in caplog.text
    assert CANARY_PROMPT in files  # the receipt keeps the text; nothing else does
    assert CANARY_PROMPT not in caplog.text
    assert "ann-token" not in files + caplog.text


async def test_a_fault_of_our_own_is_500_and_logged_without_its_words(
    w: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(CANARY_PROMPT)

    monkeypatch.setattr("hub_config.ai_gateway.calls.attempts", broken)
    answer = await w.chat()
    assert (answer.status, answer.error["code"]) == (500, "gateway_error")
    assert "RuntimeError at" in caplog.text
    assert CANARY_PROMPT not in caplog.text + answer.text


async def test_a_fault_inside_a_stream_is_told_in_the_stream(w: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("hub_config.ai_gateway.endpoints.chat._choice", broken)
    answer = await w.chat(stream=True, max_tokens=10)
    assert answer.status == 200
    assert answer.text.count("data:") == 1
    assert "gateway_error" in answer.text
    assert (await w.settled())[0]["cost_krw"] == 10


async def test_hostile_text_is_redacted_in_time(w: World) -> None:
    started = time.process_time()
    for text in ("a" * 300_000, "a@" * 150_000, "1" * 300_000, "a@b." * 70_000, "0-" * 150_000):
        assert (await w.chat(messages=[{"role": "user", "content": text}], max_tokens=1)).status == 200
    assert time.process_time() - started < 5
