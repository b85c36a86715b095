"""A class around a gateway: a Hub, learners who ask, and the gateway as a process or in this one.

The rule: all is real but the provider, which counts by itself.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from counting_upstream import CANARY_KEY, MODEL, PRICES, WHERE, CountingUpstream

from hub_config.ai_gateway.app import create_app
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.gateway import GATEWAY, Gateway
from hub_config.ai_gateway.identity import Identity


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


def spent(receipts: list[dict[str, Any]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for receipt in receipts:
        found[receipt["learner"]] += receipt["cost_krw"]
    return +found


@asynccontextmanager
async def around(folder: Path, **options: Any) -> AsyncIterator[tuple[CountingUpstream, dict[str, Any]]]:
    upstream = CountingUpstream(pace_seconds=options.pop("pace_seconds", 0.0))
    async with upstream.serve() as provider_url, Hub().serve() as hub_url:
        yield upstream, settings_for(folder, provider_url, hub_url, **options)


@asynccontextmanager
async def in_process(config: dict[str, Any]) -> AsyncIterator[tuple[Gateway, str]]:
    async def who(token: str) -> Identity:
        name, _, groups = token.partition(".")
        return Identity(name, frozenset(groups.split(",")))

    app = create_app(GatewayConfig.model_validate(config), identify=who)
    async with served(app, handler_cancellation=True) as url:
        yield app[GATEWAY], url


ANN = learner_token("ann")
#: Every endpoint that a policy can name.
ALL = ["chat", "responses", "embeddings", "transcriptions", "speech", "images"]


@asynccontextmanager
async def attacked(folder: Path, **settings: Any) -> AsyncIterator[tuple[Client, CountingUpstream, Hub]]:
    """Run a gateway in this process that serves every endpoint, with a Hub and a provider of our own."""
    upstream, hub = CountingUpstream(), Hub()
    async with upstream.serve() as provider_url, hub.serve() as hub_url:
        config = settings_for(folder, settings.pop("provider", provider_url), hub_url, **settings)
        config["models"][MODEL][0] |= {"endpoints": ALL, "allows": ["tools", "images", "audio"]}
        app = create_app(GatewayConfig.model_validate(config))
        async with served(app, handler_cancellation=True) as url, client(url) as asking:
            yield asking, upstream, hub


async def send(asking: Client, method: str, path: str, token: str | None = ANN, **options: Any) -> tuple[int, str]:
    headers = ({"Authorization": f"Bearer {token}"} if token else {}) | options.pop("headers", {})
    async with asking.http.request(method, asking.url + path, headers=headers, **options) as answer:
        return answer.status, await answer.text()


async def raw(url: str, request: bytes, seconds: float = 2) -> bytes:
    """Send bytes that no client would write, and give what comes back until it is silent or closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    found = b""
    try:
        writer.write(request)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while block := await reader.read(65_536):
                    found += block
                    seconds = 0.2
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
    return found
