"""The whole way with a real model: the plain openai client -> gateway -> model server with SmolLM2's weights."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from aiohttp import web
from openai import BadRequestError, OpenAI

from hub_config.ai_gateway.app import create_app
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.errors import wrong_token
from hub_config.ai_gateway.identity import Identity
from hub_config.models.fetch import fetch

KEY = "a-key-for-the-model-server"
LABELS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["label", "reason"],
    "properties": {"label": {"enum": ["keep", "cut", "unsure"]}, "reason": {"type": "string", "maxLength": 60}},
}
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "label", "strict": True, "schema": LABELS}}
MESSAGES: Any = [{"role": "user", "content": "Label this line of an interview: 음, 저는, 저는 책을 좋아합니다."}]


@dataclass
class ModelServer:
    url: str
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    weights = fetch("smollm2-135m", Path(os.environ.get("PRACTICUM_MODELS", "var/models")))
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text(KEY)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "hub_config.models.serve", "--model", str(weights), "--alias", "smollm2-135m"]
    # One thread: with as many threads as cores, a busy machine makes llama.cpp wait for itself and tests take minutes.
    command += ["--threads", "1"]
    process = subprocess.Popen([*command, "--port", str(port), "--api-key-file", str(key)], stdout=subprocess.DEVNULL)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}", process)
        yield ModelServer(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the model server ended"
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("the model server did not become healthy")


async def _identify(token: str) -> Identity:
    if token != "ann-token":
        raise wrong_token()
    return Identity("ann", frozenset({"nbgrader-video"}))


@pytest.fixture(scope="module")
def gateway_url(model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the gateway on a loop of its own, so that the plain synchronous client can be used."""
    price = {"effective": "2026-01-01", "input_krw_per_million": 100_000, "output_krw_per_million": 400_000}
    route = {
        "upstream": "built-in",
        "model": "smollm2-135m",
        "endpoints": frozenset({"chat", "responses"}),
        "prices": (price,),
    }
    config = GatewayConfig.model_validate(
        {
            "port": 0,
            "database": tmp_path_factory.mktemp("ledger") / "gateway" / "ledger.sqlite",
            "hub_api_url": "http://127.0.0.1:9",
            "upstreams": (
                {
                    "name": "built-in",
                    "base_url": f"{model_server.url}/v1",
                    "api_key": KEY,
                    "running_usage": "llama.cpp",
                    "when_client_leaves": "stop",
                },
            ),
            "models": {"lab-default": (route,)},
            "max_tokens": 200,
        }
    )
    loop, ready, stop, found = asyncio.new_event_loop(), asyncio.Event(), asyncio.Event(), list[str]()

    async def run() -> None:
        runner = web.AppRunner(create_app(config, identify=_identify), access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    asyncio.run_coroutine_threadsafe(ready.wait(), loop).result(30)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def client(gateway_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway_url}/video/rough-cut/v1", api_key="ann-token") as made:
        yield made


def test_an_answer_and_its_receipt(client: OpenAI, gateway_url: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="lab-default", messages=MESSAGES, max_tokens=20, temperature=0
    )
    answer = raw.parse()
    assert answer.usage is not None
    assert answer.choices[0].message.content
    assert 1 <= answer.usage.completion_tokens <= 20
    rows = httpx.get(f"{gateway_url}/receipts", headers={"Authorization": "Bearer ann-token"}).json()["data"]
    row = next(row for row in rows if row["id"] == raw.headers["x-practicum-receipt"])
    assert row["completion_tokens"] == answer.usage.completion_tokens
    assert json.loads(row["answer"])["choices"][0]["message"]["content"] == answer.choices[0].message.content
    assert answer.id == row["id"]
    assert 1 <= row["cost_krw"] < row["reserved_krw"]


def test_a_call_that_is_cut_off_costs_the_tokens_until_then(client: OpenAI, gateway_url: str) -> None:
    """llama.cpp tells its usage with every token: what was used is known although nobody hears the end."""
    long: Any = [
        {"role": "user", "content": "Tell me a very long story about a boy, a river and a dragon, with many details."}
    ]
    stream = client.chat.completions.create(model="lab-default", messages=long, max_tokens=200, stream=True)
    heard = [next(stream) for _ in range(12)]
    stream.close()
    for _ in range(200):
        answer = httpx.get(f"{gateway_url}/receipts/{heard[0].id}", headers={"Authorization": "Bearer ann-token"})
        if answer.status_code == 200:
            break
        time.sleep(0.05)
    row = answer.json()
    assert row["outcome"] == "client_left"
    assert 10 <= row["completion_tokens"] < 200
    assert row["prompt_tokens"] > 5
    assert row["cost_krw"] < row["reserved_krw"]


def test_a_response_whole_and_streamed(client: OpenAI) -> None:
    whole = client.responses.create(model="lab-default", input="Say hello.", max_output_tokens=20, temperature=0)
    assert whole.output_text
    assert whole.usage is not None
    assert 1 <= whole.usage.output_tokens <= 20
    with client.responses.stream(
        model="lab-default", input="Say hello.", max_output_tokens=20, temperature=0
    ) as events:
        for _ in events:
            pass
        assert events.get_final_response().output_text == whole.output_text


def test_the_prompts_bytes_bound_its_tokens(client: OpenAI, gateway_url: str) -> None:
    """What a reservation rests on, with text that tokenizers cut smallest."""
    for text in ("", "🏳️‍🌈𓀀" * 4, "뷁쀍" * 8, "\n\t\0" * 8, "<|im_start|>" * 8):
        messages: Any = [{"role": "user", "content": text}] * 3
        used = client.chat.completions.create(model="lab-default", messages=messages, max_tokens=1).usage
        assert used is not None
        body = json.dumps({"messages": messages}, ensure_ascii=False, separators=(",", ":"))
        assert used.prompt_tokens <= len(body.encode()) + 64


def test_a_schema_binds_the_answer_whole_and_streamed(client: OpenAI) -> None:
    whole = client.chat.completions.create(
        model="lab-default", messages=MESSAGES, response_format=FORMAT, temperature=0
    )
    parts = list(
        client.chat.completions.create(
            model="lab-default", messages=MESSAGES, response_format=FORMAT, temperature=0, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    streamed = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    for text in (whole.choices[0].message.content, streamed):
        label = json.loads(text or "")
        assert set(label) == {"label", "reason"}
        assert label["label"] in ("keep", "cut", "unsure")
    assert parts[-1].usage is not None


def test_too_long_an_input_is_named(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="longer than the model can read") as caught:
        client.chat.completions.create(model="lab-default", messages=[{"role": "user", "content": "word " * 9000}])
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("key", [None, "wrong", KEY[:-1]])
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/completion", "/tokenize", "/v1/models", "/slots", "/props", "/metrics"]
)
def test_the_model_server_answers_nothing_without_the_key(
    model_server: ModelServer, path: str, key: str | None
) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body = {"messages": [{"role": "user", "content": "hi"}], "prompt": "hi", "content": "hi", "max_tokens": 1}
    for answer in (
        httpx.post(model_server.url + path, json=body, headers=headers),
        httpx.get(model_server.url + path, headers=headers),
    ):
        assert answer.status_code in (401, 404)
        assert "choices" not in answer.text


def test_sigterm_ends_the_model_server_at_once(model_server: ModelServer) -> None:
    """Last in this file: also in the middle of an answer."""

    def ask() -> None:
        body = {"messages": MESSAGES, "max_tokens": 2000}
        try:
            httpx.post(
                f"{model_server.url}/v1/chat/completions",
                json=body,
                headers={"Authorization": f"Bearer {KEY}"},
                timeout=60,
            )
        except httpx.TransportError:
            return

    thread = Thread(target=ask)
    thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    model_server.process.send_signal(signal.SIGTERM)
    model_server.process.wait(5)
    assert time.monotonic() - started < 2
    thread.join()
