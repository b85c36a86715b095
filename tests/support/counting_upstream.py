"""A provider that counts what it works for whom and misbehaves as a prompt asks it to.

The rule: it counts by itself, token by token and before it sends one, so that nothing it says of its usage is believed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

ROUNDS = int(os.environ.get("PRACTICUM_ROUNDS", "1"))
CANARY_KEY = 'sk-canary-7f3a/9c1d"0e5b'
MODEL, WHERE = "lab-default", "/video/rough-cut"
#: A token costs one won, asked or answered: so won and tokens must agree.
PRICES = [{"effective": "2026-01-01", "input_krw_per_million": 1_000_000, "output_krw_per_million": 1_000_000}]
#: What it says of its usage, whatever it was.
LIES: dict[str, Any] = {
    "lie-high": {"prompt_tokens": 90_000_000, "completion_tokens": 90_000_000},
    "lie-zero": {"prompt_tokens": 0, "completion_tokens": 0},
    "lie-nothing-said": {"prompt_tokens": 5, "completion_tokens": 0},
    "lie-negative": {"prompt_tokens": -5, "completion_tokens": -900},
    "lie-text": {"prompt_tokens": "5", "completion_tokens": "7"},
    "lie-missing": None,
    "lie-endless": {"prompt_tokens": 10**40, "completion_tokens": 1},
}
#: It does not take these calls; every other one it works for, and counts.
NOT_TAKEN = ("429", "500", "reset", "endless-headers")
#: It takes these, and what comes is no answer.
BROKEN = ("break", "bad-json", "not-finite", "huge", "short", "stall", "stall-late")
HUGE_BYTES = 100_000_000


@dataclass
class Worked:
    """What was worked for one call; `tokens` are those of the answer so far."""

    call: str
    learner: str
    mode: str
    prompt: int
    tokens: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.tokens


@dataclass(eq=False)
class CountingUpstream:
    """A provider of chat completions; a prompt is `<mode> <learner> <call> <prompt tokens> <answer tokens>`."""

    pace_seconds: float = 0.0
    mode: str | None = None
    watch: Callable[[], None] = lambda: None
    worked: list[Worked] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    running: int = 0
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def counted(self) -> Counter[str]:
        """Give the tokens worked for each learner."""
        counted: Counter[str] = Counter()
        for work in self.worked:
            counted[work.learner] += work.total
        return counted

    def by_call(self) -> dict[str, Worked]:
        """Give what was worked for each call; one that was taken twice would be a call paid twice."""
        assert len({work.call for work in self.worked}) == len(self.worked)
        return {work.call: work for work in self.worked}

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._call(reader, writer):
                    pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        body = json.loads(await reader.readexactly(length))
        mode, learner, call, prompt, tokens = body["messages"][-1]["content"].split()
        mode = self.mode or mode
        self.asked[call] += 1
        self.running += 1
        try:
            if mode in NOT_TAKEN:
                return await self._refuse(writer, mode)
            work = Worked(call, learner, mode, int(prompt))
            self.worked.append(work)
            answer = _Answer(reader, writer, body, work, min(int(tokens), body["max_tokens"]), self.pace_seconds)
            self.watch()
            return await (answer.stream() if body.get("stream") else answer.whole())
        finally:
            self.running -= 1

    async def _refuse(self, writer: asyncio.StreamWriter, mode: str) -> bool:
        if mode == "reset":
            writer.transport.abort()
        elif mode == "endless-headers":
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while not writer.transport.is_closing():
                writer.write(b"x-more: " + b"y" * 1000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)
        else:
            error = json.dumps({"error": {"message": f"no {CANARY_KEY}", "code": CANARY_KEY}}).encode()
            writer.write(b"HTTP/1.1 %b No\r\nContent-Length: %d\r\n\r\n%b" % (mode.encode(), len(error), error))
            await writer.drain()
        return mode in ("429", "500")


@dataclass
class _Answer:
    """One answer on its way."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: dict[str, Any]
    work: Worked
    tokens: int
    pace_seconds: float

    async def stream(self) -> bool:
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        mode = self.work.mode
        if mode == "stall":
            await self._nothing()
        for number in range(1, self.tokens + 1):
            if self._is_left():
                return False
            self.work.tokens = number  # before it is sent
            await self._send({"choices": [{"index": 0, "delta": {"content": "x "}, "finish_reason": None}]})
            if number * 2 >= self.tokens and mode in BROKEN:
                return await self._break(mode)
            if self.pace_seconds:
                await asyncio.sleep(self.pace_seconds)
        await self._send({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        if (usage := self._usage()) is not None:
            await self._send({"choices": [], "usage": usage})
        await self._chunk(b"data: [DONE]\n\n")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return True

    async def whole(self) -> bool:
        mode = self.work.mode
        for number in range(1, self.tokens + 1):
            if self._is_left():
                return False
            self.work.tokens = number
            if self.pace_seconds:
                await asyncio.sleep(self.pace_seconds)
        message = {"role": "assistant", "content": "x " * self.tokens}
        answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": self._usage()}
        data = json.dumps(answer).encode()
        if mode == "not-finite":
            data = data.replace(b'"index": 0', b'"index": NaN')
        length = {"short": len(data) + 50, "huge": HUGE_BYTES}.get(mode, len(data))
        if mode == "stall":
            await self._nothing()
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length)
        if mode == "drip":
            for start in range(0, len(data), 40):
                self.writer.write(data[start : start + 40])
                await asyncio.sleep(0.02)
        elif mode in BROKEN and mode not in ("short", "not-finite"):
            self.writer.write(data[: len(data) // 2])
            return await self._break(mode)
        else:
            self.writer.write(data)
        await self.writer.drain()
        return mode != "short"

    def _usage(self) -> Any:
        if self.work.mode in LIES:
            return LIES[self.work.mode]
        return {"prompt_tokens": self.work.prompt, "completion_tokens": self.work.tokens}

    async def _break(self, mode: str) -> bool:
        if mode == "huge":
            block = b"data: " + b"z" * 100_000
            for _ in range(HUGE_BYTES // len(block)):
                await self._chunk(block)
        elif mode in ("bad-json", "not-finite"):
            await self._chunk(b'data: {"choices": [\n\n' if mode == "bad-json" else b'data: {"choices": NaN}\n\n')
        elif mode.startswith("stall"):
            await self._nothing()
        await self.writer.drain()
        return False

    async def _nothing(self) -> None:
        await self.writer.drain()
        while not self._is_left():
            await asyncio.sleep(0.02)

    def _is_left(self) -> bool:
        return self.reader.at_eof() or self.writer.transport.is_closing()

    async def _send(self, event: dict[str, Any]) -> None:
        if self.body.get("timings_per_token") and self.work.mode not in LIES:
            event["timings"] = {"cache_n": 0, "prompt_n": self.work.prompt, "predicted_n": self.work.tokens}
        await self._chunk(
            b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", **event}).encode() + b"\n\n"
        )

    async def _chunk(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(data), data) if self.body.get("stream") else data)
        await self.writer.drain()
