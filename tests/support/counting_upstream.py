"""A provider that counts what it works for whom and misbehaves as a prompt asks it to, and a class around a gateway.

The rule: it counts by itself, token by token and before it sends one, so that nothing it says of its usage is believed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

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


@dataclass
class Hub:
    """A Hub whose tokens say who they are: `<name>.<group>,<group>`; a revoked one is nobody's."""

    revoked: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_get("/user", self._user)
        async with served(app) as url:
            yield url

    async def _user(self, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("token ")
        name, dot, groups = token.partition(".")
        if token in self.revoked or not dot:
            return web.json_response({}, status=403)
        kind = "service" if groups == "service" else "user"
        return web.json_response({"kind": kind, "name": name, "groups": groups.split(",")})


OFFICE, TEACHER = "office.institution-centre", "teacher.formgrade-video"


def learner_token(name: str, course: str = "video") -> str:
    return f"{name}.nbgrader-{course}"


@asynccontextmanager
async def served(app: web.Application, **options: Any) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def settings_for(folder: Path, provider: str, hub: str, **settings: Any) -> dict[str, Any]:
    """Settings for one provider that serves one model; `upstream` changes parts of it."""
    upstream = {"name": "built-in", "base_url": provider, "api_key": CANARY_KEY, "concurrent_calls": 64}
    return {
        "port": 0,
        "database": str(folder / "gateway" / "ledger.sqlite"),
        "hub_api_url": hub,
        "institution": "centre",
        "upstreams": [upstream | settings.pop("upstream", {})],
        "models": {MODEL: [{"upstream": "built-in", "model": "their-name", "prices": PRICES}]},
        "max_tokens": 100,
        "commit_seconds": 0.02,
        "waiting_per_learner": 64,
        **settings,
    }


@dataclass
class Running:
    """A gateway as a process of its own."""

    process: asyncio.subprocess.Process
    url: str
    log: Path

    def memory_kb(self, name: str = "VmRSS") -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))


@asynccontextmanager
async def gateway_process(folder: Path, settings: dict[str, Any]) -> AsyncIterator[Running]:
    path, log = folder / "gateway.json", folder / "gateway.log"
    path.write_text(json.dumps(settings))
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub_config.ai_gateway", str(path), stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert line, log.read_text()
        yield Running(process, line.split()[-1], log)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@dataclass
class Heard:
    """What a client heard of a call: `tokens` of its answer, and whether it came to its end."""

    call: str
    learner: str
    status: int = 0
    tokens: int = 0
    whole: bool = False
    code: str | None = None
    retry_after: str | None = None


@dataclass
class Client:
    """Asks the gateway as learners do."""

    http: aiohttp.ClientSession
    url: str
    number: int = 0

    def heard(self, learner: str) -> Heard:
        self.number += 1
        return Heard(f"call{self.number}", learner)

    async def ask(
        self, heard: Heard, mode: str = "ok", prompt: int = 5, tokens: int = 10, *, stream: bool, where: str = WHERE,
        max_tokens: int = 20, model: str = MODEL,
    ) -> Heard:  # fmt: skip
        said = f"{mode} {heard.learner} {heard.call} {prompt} {tokens}"
        body = {"model": model, "messages": [{"role": "user", "content": said}], "max_tokens": max_tokens}
        if stream:
            body["stream"] = True
        headers = {"Authorization": f"Bearer {learner_token(heard.learner)}"}
        try:
            async with self.http.post(f"{self.url}{where}/v1/chat/completions", json=body, headers=headers) as answer:
                heard.status, heard.retry_after = answer.status, answer.headers.get("Retry-After")
                if answer.status == 200 and stream:
                    await self._events(answer, heard)
                elif answer.status == 200:
                    content = (await answer.json())["choices"][0]["message"]["content"]
                    heard.tokens, heard.whole = content.count("x"), True
                else:
                    heard.code = (await answer.json())["error"]["code"]
        except aiohttp.ClientError as error:
            heard.code = type(error).__name__
        return heard

    async def _events(self, answer: aiohttp.ClientResponse, heard: Heard) -> None:
        async for line in answer.content:
            if line.startswith(b"data: [DONE]"):
                heard.whole = True
            elif line.startswith(b"data: "):
                event = json.loads(line[6:])
                if "error" in event:
                    heard.code = event["error"]["code"]
                for choice in event.get("choices", []):
                    heard.tokens += choice["delta"].get("content", "").count("x")

    async def get(self, path: str, token: str = OFFICE) -> Any:
        async with self.http.get(self.url + path, headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def receipts(self) -> list[dict[str, Any]]:
        """Give all receipts, as the institution sees them."""
        found: list[dict[str, Any]] = []
        while True:
            before = f"&before={found[-1]['id']}" if found else ""
            page = await self.get(f"/receipts?limit=1000&content=1{before}")
            found += page["data"]
            if not page["has_more"]:
                return found

    async def quiet(self, upstream: CountingUpstream, learners: list[str], where: str = WHERE) -> None:
        """Wait until no call is open any more."""
        async with asyncio.timeout(60):
            while upstream.running:
                await asyncio.sleep(0.02)
            for learner in learners:
                while (await self.get(f"{where}/budget", learner_token(learner)))["reserved_krw"]:
                    await asyncio.sleep(0.02)


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Client(http, url)


def call_of(receipt: dict[str, Any]) -> str:
    """Give the call that a receipt's kept prompt names."""
    name: str = json.loads(receipt["prompt"])[-1]["content"].split()[2]
    return name
