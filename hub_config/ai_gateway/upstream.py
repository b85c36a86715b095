"""Calling a provider.

The rule: only the configured addresses are called, redirects are not followed, and what comes back is bounded.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import GatewayConfig, Upstream

CONNECT_SECONDS = 5.0
ERROR_BYTES = 16_384
LINE_BYTES = 1_000_000


class NotCharged(Exception):
    """A call that the provider did not take, and so did not charge; `error` is what the caller is told."""

    def __init__(self, error: errors.GatewayError) -> None:
        super().__init__(error.code)
        self.error = error


def new_session(config: GatewayConfig) -> aiohttp.ClientSession:
    """Make the session for all upstream calls; a connection serves one call, since a stale one would lose a paid call."""
    timeout = aiohttp.ClientTimeout(total=config.call_seconds, sock_connect=CONNECT_SECONDS)
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    return aiohttp.ClientSession(
        connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    )


@asynccontextmanager
async def send(
    session: aiohttp.ClientSession, upstream: Upstream, body: dict[str, Any]
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a chat call and give the provider's answer once it says 200; NotCharged, or GatewayError where it may have worked."""
    url = str(upstream.base_url).rstrip("/") + "/chat/completions"
    try:
        headers = {"Authorization": f"Bearer {upstream.key()}"}
    except OSError as error:
        raise NotCharged(errors.upstream_refused(401, None)) from error
    try:
        async with session.post(url, json=body, headers=headers, allow_redirects=False) as answer:
            if answer.status != 200:
                raise NotCharged(errors.upstream_refused(answer.status, await _error_code(answer)))
            yield answer
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NotCharged(errors.upstream_unreachable()) from error
    except TimeoutError as error:
        raise errors.upstream_timeout() from error
    except aiohttp.ClientError as error:
        raise errors.upstream_broken() from error


async def read_answer(answer: aiohttp.ClientResponse, limit_bytes: int) -> Any:
    """Read a whole JSON answer; GatewayError where it is too long or no JSON."""
    try:
        return json.loads(await _read(answer, limit_bytes))
    except (ValueError, RecursionError) as error:
        raise errors.upstream_broken() from error


async def read_events(answer: aiohttp.ClientResponse, limit_bytes: int) -> AsyncGenerator[Any, None]:
    """Give a stream's events up to its [DONE]; GatewayError where it ends without, or cannot be read."""
    async for line in _lines(answer, limit_bytes):
        if not line.startswith(b"data:"):
            continue
        data = line[len(b"data:") :].strip()
        if data == b"[DONE]":
            return
        try:
            yield json.loads(data)
        except (ValueError, RecursionError) as error:
            raise errors.upstream_broken() from error
    raise errors.upstream_broken()


async def _lines(answer: aiohttp.ClientResponse, limit_bytes: int) -> AsyncIterator[bytes]:
    rest, total = b"", 0
    async for block in answer.content.iter_any():
        total += len(block)
        *lines, rest = (rest + block).split(b"\n")
        if total > limit_bytes or len(rest) > LINE_BYTES:
            raise errors.upstream_broken()
        for line in lines:
            yield line.rstrip(b"\r")
    if rest:
        yield rest


async def _read(answer: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    body = bytearray()
    async for block in answer.content.iter_any():
        body += block
        if len(body) > limit_bytes:
            raise errors.upstream_broken()
    return bytes(body)


async def _error_code(answer: aiohttp.ClientResponse) -> object:
    """Give the code of a provider's error, or its type where the code is a number; None where there is neither."""
    try:
        error = json.loads(await _read(answer, ERROR_BYTES))["error"]
        return error["code"] if isinstance(error.get("code"), str) else error.get("type")
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        errors.GatewayError,
        aiohttp.ClientError,
        TimeoutError,
    ):
        return None
