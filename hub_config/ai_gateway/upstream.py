"""Calling a provider.

The rule: only the configured addresses are called, redirects are not followed, and what comes back is bounded.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import GatewayConfig, Upstream
from hub_config.ai_gateway.requests import Upload
from hub_config.ai_gateway.routes import Breaker

ERROR_BYTES = 16_384
LINE_BYTES = 4_000_000
#: Answers of a provider that say nothing about its health: the request was wrong, or it is busy.
HEALTHY = (400, 404, 408, 409, 413, 415, 422, 429)
#: Answers after which another provider, or the same one again, would say the same.
FINAL = (400, 409, 413, 415, 422)


class NotCharged(Exception):
    """A call that the provider did not take, and so did not charge; `error` is what the caller is told.

    `final`: trying again would change nothing. `healthy`: it does not mean that the provider is down.
    """

    def __init__(self, error: errors.GatewayError, *, final: bool = False, healthy: bool = False) -> None:
        super().__init__(error.code)
        self.error, self.final, self.healthy = error, final, healthy


class Loading(Exception):
    """A built-in model that is being loaded, and how far it is."""

    def __init__(self, progress: float, retry_after: float) -> None:
        super().__init__(progress)
        self.progress, self.retry_after = progress, retry_after


class Upstreams:
    """The providers: each with its connections and its circuit breaker."""

    def __init__(self, config: GatewayConfig) -> None:
        self.breakers = {upstream.name: Breaker(config.retries) for upstream in config.upstreams}
        self._sessions = {upstream.name: _session(upstream) for upstream in config.upstreams}

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()

    @asynccontextmanager
    async def send(
        self, upstream: Upstream, path: str, body: dict[str, Any], files: tuple[Upload, ...] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a call and give the answer once it says 200; NotCharged, Loading, or GatewayError where it may have worked."""
        url = str(upstream.base_url).rstrip("/") + path
        try:
            headers = {"Authorization": f"Bearer {upstream.key()}"}
        except (OSError, UnicodeDecodeError) as error:
            raise NotCharged(errors.upstream_refused(401, None)) from error
        if files is None:
            # As a stream of bytes: a request may hold a picture, and sending megabytes at once would hold up all others.
            headers["Content-Type"] = "application/json"
            data: Any = io.BytesIO(json.dumps(body, ensure_ascii=False).encode())
        else:
            data = _form(body, files)
        try:
            async with self._sessions[upstream.name].post(
                url, data=data, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    raise await _refusal(answer)
                yield answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotCharged(errors.upstream_unreachable()) from error
        except TimeoutError as error:
            raise errors.upstream_timeout() from error
        except aiohttp.ClientError as error:
            raise errors.upstream_broken() from error


def _session(upstream: Upstream) -> aiohttp.ClientSession:
    kept = upstream.keepalive_seconds
    connector = (
        aiohttp.TCPConnector(limit=0, keepalive_timeout=kept)
        if kept
        else aiohttp.TCPConnector(limit=0, force_close=True)
    )
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=upstream.connect_seconds, sock_read=upstream.silence_seconds
    )
    return aiohttp.ClientSession(
        connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
    )  # fmt: skip


def _form(fields: Mapping[str, Any], files: tuple[Upload, ...]) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            form.add_field(name, str(item))
    for upload in files:
        # A file of its own for each try: sending closes it.
        file = os.fdopen(os.dup(upload.file.fileno()), "rb")
        file.seek(0)
        form.add_field(upload.field, file, filename=upload.name, content_type=upload.content_type)
    return form


async def _refusal(answer: aiohttp.ClientResponse) -> Exception:
    """Say what an error status means."""
    error = await _error_of(answer)
    code = error.get("code") if isinstance(error.get("code"), str) else error.get("type")
    if code == "model_loading":
        progress, after = error.get("progress"), answer.headers.get("Retry-After", "")
        known = progress if isinstance(progress, int | float) and 0 <= progress <= 1 else 0.0
        return Loading(known, float(after) if after.isdecimal() and after.isascii() and len(after) < 6 else 2.0)
    if isinstance(code, str) and code.startswith("model_") and answer.status == 503:
        return NotCharged(errors.model_missing(), healthy=True)
    refused = errors.upstream_refused(answer.status, code)
    return NotCharged(refused, final=answer.status in FINAL, healthy=answer.status in HEALTHY)


async def read_answer(answer: aiohttp.ClientResponse, limit_bytes: int) -> Any:
    """Read a whole JSON answer; GatewayError where it is too long or no JSON."""
    try:
        return json.loads(await _read(answer, limit_bytes))
    except (ValueError, RecursionError) as error:
        raise errors.upstream_broken() from error


async def read_parts(answer: aiohttp.ClientResponse, limit_bytes: int) -> AsyncGenerator[bytes, None]:
    """Give an answer's bytes as they come; GatewayError where there are too many."""
    total = 0
    async for block in answer.content.iter_any():
        total += len(block)
        if total > limit_bytes:
            raise errors.upstream_broken()
        yield block


async def read_events(answer: aiohttp.ClientResponse, limit_bytes: int) -> AsyncGenerator[list[Any], None]:
    """Give a stream's events, those that came together together, up to its end; GatewayError where one cannot be read."""
    rest = b""
    async for block in read_parts(answer, limit_bytes):
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > LINE_BYTES:
            raise errors.upstream_broken()
        events, ended = _events(lines)
        yield events
        if ended:
            return
    yield _events([rest])[0]


def _events(lines: list[bytes]) -> tuple[list[Any], bool]:
    """Read an event stream's lines; and whether they end it."""
    events: list[Any] = []
    for line in lines:
        if line.startswith(b"data:"):
            data = line[len(b"data:") :].strip()
            if data == b"[DONE]":
                return events, True
            try:
                events.append(json.loads(data))
            except (ValueError, RecursionError) as error:
                raise errors.upstream_broken() from error
    return events, False


async def _read(answer: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    body = bytearray()
    async for block in read_parts(answer, limit_bytes):
        body += block
    return bytes(body)


async def _error_of(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    """Give a provider's error; empty where it says nothing that can be read."""
    try:
        async with asyncio.timeout(5):
            error = json.loads(await _read(answer, ERROR_BYTES))["error"]
        return error if isinstance(error, dict) else {}
    except (ValueError, KeyError, TypeError, RecursionError, errors.GatewayError, aiohttp.ClientError, TimeoutError):
        return {}
