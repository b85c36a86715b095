"""The provider's key, which is hunted in all that leaves, and floods and slow connections; each defence is also taken away."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from counting_upstream import CANARY_KEY, MODEL, ROUNDS, CountingUpstream
from gateway_class import (
    ALL,
    ANN,
    OFFICE,
    TEACHER,
    Client,
    Hub,
    attacked,
    client,
    gateway_process,
    learner_token,
    raw,
    send,
    served,
    settings_for,
)

from hub_config.ai_gateway.redact import KeyGuard

BOB = learner_token("bob")
CANARY = "the-canary-prompt-51b2"
CHAT = "/video/rough-cut/v1/chat/completions"
MESSAGES = [{"role": "user", "content": f"ok ann call 5 9 {CANARY}"[:15]}]


GOOD: dict[str, dict[str, Any]] = {
    "chat/completions": {"messages": MESSAGES},
    "responses": {"input": "hi"},
    "embeddings": {"input": "hi"},
    "audio/speech": {"input": "hi", "voice": "alloy"},
    "images/generations": {"prompt": "hi"},
}


# The provider's key


async def echo(request: web.Request) -> web.StreamResponse:
    """Answer with the key in every field, whole and cut over the parts of a stream."""
    leak = request.headers["Authorization"].removeprefix("Bearer ")
    path, headers = request.path, {"X-Key": leak, "Set-Cookie": f"key={leak}", "Retry-After": leak}
    body = await request.json() if request.content_type == "application/json" else {}
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "input_tokens": 5, "output_tokens": 5, leak: leak}
    if "fail" in str(body):
        error = {"message": leak, "type": leak, "code": leak, "param": leak}
        return web.json_response({"error": error}, status=int(str(body).partition("fail")[2][:3]), headers=headers)
    if path.endswith("/speech"):
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        for piece in ("\0" * 500, leak[:9], leak[9:15], leak[15:], "\0" * 500):
            await response.write(piece.encode())
            await asyncio.sleep(0.02)
        return response
    message = {"role": leak, "content": leak, "refusal": leak, "reasoning_content": leak, "tool_calls": [
        {"id": leak, "type": leak, "function": {"name": leak, "arguments": leak}}], leak: leak}  # fmt: skip
    choice = {"index": 0, "finish_reason": leak, "message": message, "delta": message, "logprobs": None, leak: leak}
    output = [
        {"id": leak, "type": "message", "role": leak, "content": [{"type": "output_text", "text": leak, leak: leak}]}
    ]
    answer = {
        "id": leak, "object": leak, "created": leak, "model": leak, "system_fingerprint": leak, "choices": [choice], "output": output,
        "status": leak, "metadata": {leak: leak}, "data": [{"embedding": leak, "b64_json": leak, "revised_prompt": leak}], "usage": usage,
        "text": leak, "language": leak, "words": [{"word": leak}], leak: leak,
    }  # fmt: skip
    if not body.get("stream"):
        return web.json_response(answer, headers=headers)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **headers})
    await response.prepare(request)
    pieces = (
        list(leak) if "letters" in str(body) else [leak[:9], leak[9:15], leak[15:]] if "cut" in str(body) else [leak]
    )
    for piece in ["Hello ", *pieces, " bye"]:
        if path.endswith("/responses"):
            event = {"type": "response.output_text.delta", "delta": piece, "item_id": leak, leak: leak}
        else:
            event = answer | {"choices": [choice | {"delta": {"content": piece}, "finish_reason": None}], "usage": None}
        await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await asyncio.sleep(0.005)
    last = {"type": "response.completed", "response": answer} if path.endswith("/responses") else answer
    await response.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
    return response


def heard_text(text: str) -> str:
    """Put a stream's pieces together as a client does."""
    said = ""
    for line in text.splitlines():
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            said += event["delta"] if isinstance(event.get("delta"), str) else ""
            for choice in event.get("choices", []):
                said += choice["delta"].get("content") or ""
    return said


async def test_the_key_and_the_prompts_leave_by_no_way(tmp_path: Path) -> None:
    provider, token = web.Application(), tmp_path / "metrics-token"
    provider.router.add_post("/v1/{endpoint:.+}", echo)
    token.write_text("metrics")
    seen, calls = "", []
    async with served(provider) as url, Hub().serve() as hub:
        config = settings_for(
            tmp_path,
            url + "/v1",
            hub,
            metrics_token_file=str(token),
            waiting_per_learner=500,
            retries={"failures": 1000},
            calls_per_learner=8,
        )
        config["models"][MODEL][0] |= {"endpoints": ALL, "allows": ["tools", "images", "audio"]}
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            for words, stream in product(
                ("whole", "cut", "letters", "fail400", "fail401", "fail429", "fail500"), (False, True)
            ):
                said = f"{words} {CANARY}"
                for endpoint, fields in GOOD.items():
                    put = {name: [MESSAGES[0] | {"content": said}] if name == "messages" else said for name in fields}
                    body = {"model": MODEL} | put | ({"voice": "alloy"} if "voice" in put else {})
                    if stream and endpoint in ("chat/completions", "responses"):
                        body["stream"] = True
                    calls.append(_all_of(asking, "POST", f"/video/-/v1/{endpoint}", json=body))
                form = aiohttp.FormData({"model": MODEL, "prompt": said}, default_to_multipart=True)
                form.add_field("file", b"RIFF", filename=f"{CANARY}.wav")
                calls.append(_all_of(asking, "POST", "/video/-/v1/audio/transcriptions", data=form))
            seen += "".join(await asyncio.gather(*calls))
            broken = f"GET /{CANARY} HTTP/1.1\r\nX\x01: {CANARY}\r\n\r\n"
            await raw(asking.url, broken.encode(), 0.5)
            for path in ("/receipts?limit=1000", "/receipts.csv?content=1", "/spend", "/status", "/ready", "/health"):
                seen += await _all_of(asking, "GET", path, token=OFFICE)
            seen += (metrics := await _all_of(asking, "GET", "/metrics", token="metrics"))
            seen += await _all_of(asking, "GET", "/video/-/replay?learner=ann", token=TEACHER)
            spooled = files_of(tmp_path)
        log = gateway.log.read_text()
    for where in (seen, heard_text(seen), log, spooled, files_of(tmp_path)):
        for form in (CANARY_KEY, json.dumps(CANARY_KEY)[1:-1], CANARY_KEY[:14], CANARY_KEY[3:12], CANARY_KEY[9:]):
            assert form not in where
    assert log.count("receipt") > 50
    assert CANARY in files_of(tmp_path)  # receipts keep the prompt; nothing else does
    for quiet in (log, metrics):
        assert CANARY not in quiet
        assert ANN not in quiet
    assert ANN not in files_of(tmp_path)


async def _all_of(asking: Client, method: str, path: str, token: str = ANN, **options: Any) -> str:
    """Give all that an answer says: its status line, headers and body, or how it broke off."""
    try:
        async with asking.http.request(
            method, asking.url + path, headers={"Authorization": f"Bearer {token}"}, **options
        ) as answer:
            said = f"{answer.status} {answer.reason} {answer.raw_headers}\n"
            return said + (await answer.read()).decode("utf-8", "replace") + "\n"
    except aiohttp.ClientError as error:
        return f"{error!r}\n"


def files_of(folder: Path) -> str:
    """Give all that the gateway has on disk, the open spool included."""
    files = [path for path in (folder / "gateway").iterdir() if path.is_file()]
    assert files
    return b"".join(path.read_bytes() for path in files).decode("utf-8", "replace")


@pytest.mark.parametrize("defended", [True, False])
@pytest.mark.parametrize("endpoint", ["chat/completions", "responses"])
async def test_a_key_cut_over_a_streams_parts_is_held_back(
    tmp_path: Path, endpoint: str, defended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not defended:
        monkeypatch.setattr(KeyGuard, "passed", lambda self, said, data: data)
    provider = web.Application()
    provider.router.add_post("/v1/{endpoint:.+}", echo)
    async with served(provider) as url, attacked(tmp_path, provider=url + "/v1") as (asking, _, _):
        for words in ("cut", "letters"):
            ask = {"messages": [{"role": "user", "content": words}]} if "chat" in endpoint else {"input": words}
            body = {"model": MODEL, "stream": True, **ask}
            _, text = await send(asking, "POST", f"/video/-/v1/{endpoint}", json=body)
            assert heard_text(text).startswith("Hello ")
            assert (CANARY_KEY in heard_text(text)) is not defended
            assert ("upstream_broken" in text) is defended


# What one sends


def chunked(blocks: int) -> Callable[[], AsyncIterator[bytes]]:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(blocks):
            yield b"x" * 100_000

    return body


def parts(number: int, head: str, body: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def form() -> AsyncIterator[bytes]:
        for count in range(number):
            yield b"--B\r\nContent-Disposition: form-data; " + (head % count).encode() + b"\r\n\r\n" + body + b"\r\n"
        yield b"--B--\r\n"

    return form


FORM = {"Content-Type": "multipart/form-data; boundary=B"}
FLOODS: list[tuple[str, Any, dict[str, str]]] = [
    ("chat/completions", lambda: io.BytesIO(b"x" * 50_000_000), {}),
    ("chat/completions", chunked(500), {}),
    ("chat/completions", lambda: io.BytesIO(b'{"a":' * 190_000), {}),
    ("chat/completions", lambda: io.BytesIO(json.dumps({"model": MODEL, "x" * 900_000: 1}).encode()), {}),
    ("audio/transcriptions", lambda: io.BytesIO(b"x" * 50_000_000), FORM),
    ("audio/transcriptions", chunked(500), FORM),
    ("audio/transcriptions", parts(2000, 'name="prompt"', b"x" * 90_000), FORM),
    ("audio/transcriptions", parts(2000, 'name="field%d"', b"x" * 90_000), FORM),
    ("audio/transcriptions", parts(500, 'name="file"; filename="%d.wav"', b"x" * 100_000), FORM),
    ("audio/transcriptions", parts(5, 'name="' + "n" * 2_000_000 + '%d"', b"x"), FORM),
    ("audio/transcriptions", parts(5, 'name="a%d"\r\n' + "\r\n".join(f"X{n}: y" for n in range(50_000)), b"x"), FORM),
    ("images/edits", parts(100_000, 'name="image[]"; filename="%d.png"', b""), FORM),
]


async def test_floods_are_refused_and_leave_no_memory_behind(tmp_path: Path) -> None:
    upstream, hub = CountingUpstream(), Hub()
    async with upstream.serve() as provider_url, hub.serve() as hub_url:
        config = settings_for(tmp_path, provider_url, hub_url)
        config["models"][MODEL][0] |= {"endpoints": ALL}
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            assert (await asking.ask(asking.heard("ann"), stream=False)).whole
            before = gateway.memory_kb()
            for (endpoint, body, headers), _ in product(FLOODS, range(ROUNDS)):
                told = await asyncio.gather(*(_flood(asking, endpoint, body, headers) for _ in range(4)))
                assert set(told) <= {400, 413, None}, (endpoint, told)
                assert (await asking.ask(asking.heard("ann"), stream=False)).whole
            print(f"\nfloods: memory {before} -> {gateway.memory_kb()} kB, at most {gateway.memory_kb('VmHWM')} kB")
            assert gateway.memory_kb("VmHWM") < before + 60_000
    assert len(upstream.worked) == 1 + len(FLOODS) * ROUNDS


async def _flood(asking: Client, endpoint: str, body: Any, headers: dict[str, str]) -> int | None:
    """Send too much; None where the gateway closed the connection before it was heard."""
    try:
        return (await send(asking, "POST", f"/video/-/v1/{endpoint}", data=body(), headers=headers))[0]
    except aiohttp.ClientError:
        return None


async def closed_after(url: str, first: bytes, drip: bytes, most_seconds: float) -> float | None:
    """Send a request byte by byte and never all of it; give when the gateway closed the connection, None if never."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    began = time.monotonic()
    try:
        writer.write(first)
        while time.monotonic() - began < most_seconds:
            writer.write(drip)
            with suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    while await reader.read(65_536):
                        pass
                    return time.monotonic() - began
    except ConnectionError:
        return time.monotonic() - began
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
    return None


HEAD = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANN}\r\n".encode()
SLOW = {
    "nothing": (b"", b""),
    "head": (HEAD, b"X: y\r\n"[:1]),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
    "chunked body": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "body of nobody": (f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode(), b"x"),
    "second head": (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD, b""),
}


@pytest.mark.alone
async def test_two_hundred_slow_connections_end_and_hinder_nobody(tmp_path: Path) -> None:
    upstream, hub = CountingUpstream(), Hub()
    async with upstream.serve() as provider_url, hub.serve() as hub_url:
        config = settings_for(tmp_path, provider_url, hub_url, read_seconds=1)
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            kinds = list(SLOW.values()) * 34
            slow = [asyncio.create_task(closed_after(gateway.url, *kind, most_seconds=20)) for kind in kinds]
            took = []
            for _ in range(20):
                began = time.monotonic()
                assert (await asking.ask(asking.heard("bob"), stream=True)).whole
                took.append(time.monotonic() - began)
                await asyncio.sleep(0.05)
            ended = await asyncio.gather(*slow)
    print(
        f"\nslow: {len(slow)} connections, a call took at most {max(took):.2f} s; closed after {max(filter(None, ended)):.1f} s"
    )
    assert None not in ended
    assert max(took) < 2


async def test_without_its_time_limit_a_head_that_never_ends_stays(tmp_path: Path) -> None:
    async with attacked(tmp_path, read_seconds=1) as (asking, _, _):  # served here as aiohttp does by itself
        assert await closed_after(asking.url, *SLOW["head"], most_seconds=3) is None
