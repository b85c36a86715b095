"""Calls in a loop over kept connections, and how long each took. The rule: nothing but sockets and a clock between two calls."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
QUESTION = "다음 인터뷰에서 잘라 낼 부분을 고르고, 까닭을 한 문장으로 쓰세요. " * 6
ROUND_SECONDS = 300


@dataclass
class Times:
    """What calls took: seconds for each whole answer and until its first event, and the seconds of all together."""

    whole: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    took: float = 0.0

    def __iadd__(self, other: Times) -> Times:
        self.whole += other.whole
        self.first += other.first
        self.statuses += other.statuses
        self.took += other.took
        return self


def request(url: str, token: str, *, stream: bool, model: str = "lab-default") -> bytes:
    """Write a chat request as it goes over the wire."""
    asked = {"model": model, "max_tokens": 300, "messages": [{"role": "user", "content": QUESTION}]}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    body, where = json.dumps(asked).encode(), urlsplit(url)
    head = f"POST {where.path}/chat/completions HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def run(url: str, requests: Sequence[bytes], calls: int) -> Times:
    """Make calls, as many at once as there are requests; each connection's first call only warms it up."""
    loop, where, left, times = asyncio.get_running_loop(), urlsplit(url), Left(calls), Times()
    connections = [Connection(asked) for asked in requests]
    for connection in connections:
        await loop.create_connection(partial(_same, connection), str(where.hostname), where.port or 80)
    try:
        async with asyncio.timeout(ROUND_SECONDS):
            await asyncio.gather(*(connection.go(Left(1), Times()) for connection in connections))
            begin = time.perf_counter()
            await asyncio.gather(*(connection.go(left, times) for connection in connections))
            times.took = time.perf_counter() - begin
    finally:
        for connection in connections:
            connection.transport.abort()
    return times


def _same(connection: Connection) -> Connection:
    return connection


@dataclass
class Left:
    """How many calls are still to be made."""

    calls: int


class Connection(asyncio.Protocol):
    """A kept connection that makes one call after another."""

    transport: asyncio.Transport

    def __init__(self, asked: bytes) -> None:
        self.asked, self.data, self.first = asked, bytearray(), 0.0
        self.done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """End the round where a peer closes in the middle of it."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(ConnectionError(f"a peer closed its connection: {exc}"))

    def go(self, left: Left, times: Times) -> asyncio.Future[None]:
        """Make calls until none is left."""
        self.left, self.times = left, times
        self.done = asyncio.get_running_loop().create_future()
        self._next()
        return self.done

    def _next(self) -> None:
        if self.left.calls <= 0:
            assert self.done is not None
            self.done.set_result(None)
            return
        self.left.calls -= 1
        self.data.clear()
        self.first = 0.0
        self.begin = time.perf_counter()
        self.transport.write(self.asked)

    def data_received(self, data: bytes) -> None:
        """Take part of an answer; after its end make the next call."""
        self.data += data
        if not self.first and b"data: " in self.data:
            self.first = time.perf_counter()
        if not self._is_whole():
            return
        now = time.perf_counter()
        status = self.data[9:12].decode()
        self.times.statuses[status] += 1
        if status == "200":
            self.times.whole.append(now - self.begin)
            if self.first:
                self.times.first.append(self.first - self.begin)
        self._next()

    def _is_whole(self) -> bool:
        if self.data.endswith(b"\r\n0\r\n\r\n"):
            return True
        end = self.data.find(b"\r\n\r\n")
        length = LENGTH.search(self.data, 0, end + 2) if end >= 0 else None
        return length is not None and len(self.data) >= end + 4 + int(length[1])
