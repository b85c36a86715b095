"""A gateway between a provider and a Hub of our own, all on loopback, for the gateway's tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from hub_config.ai_gateway.app import create_app
from hub_config.ai_gateway.config import GatewayConfig

CANARY_KEY = 'sk-canary-7f3a/9c1d"0e5b'
CANARY_PROMPT = "the-canary-prompt-51b2"
MODEL = "lab-default"
USERS = {
    "ann-token": {"kind": "user", "name": "ann", "groups": ["nbgrader-video"]},
    "bob-token": {"kind": "user", "name": "bob", "groups": ["nbgrader-video", "nbgrader-books"]},
    "teacher-token": {"kind": "user", "name": "teacher", "groups": ["formgrade-video"]},
    "office-token": {"kind": "user", "name": "office", "groups": ["institution-centre"]},
    "service-token": {"kind": "service", "name": "robot", "groups": ["nbgrader-video"]},
    "grader-token": {"kind": "service", "name": "grader", "groups": []},
}

Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def usage(prompt: Any = 5, completion: Any = 10) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 0}


def whole(text: str = "안녕, Hello", use: Any = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": "their-name", "choices": [choice], **more}
    return answer | ({"usage": use} if use is not None else {})


def said(receipt: dict[str, Any]) -> str:
    """Give the text of the answer that a receipt keeps."""
    text: str = json.loads(receipt["answer"])["choices"][0]["message"]["content"]
    return text


def chunk(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": finish, "delta": {"content": text} if text is not None else {}}
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "their-name",
        "choices": [choice],
        **more,
    }


def last_chunk(use: Any) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "their-name",
        "choices": [],
        "usage": use,
    }


async def stream(request: web.Request, events: list[Any], *, done: bool = True) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
    if done:
        await response.write(b"data: [DONE]\n\n")
    return response


async def friendly(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Answer as a good provider does."""
    if body.get("stream"):
        events = [chunk(""), chunk("안녕, "), chunk("Hello"), chunk(None, "stop"), last_chunk(usage())]
        return await stream(request, events)
    return web.json_response(whole(use=usage()))


@dataclass
class Provider:
    """A provider that records what it is sent and behaves as a test says."""

    behave: Behaviour = friendly
    bodies: list[dict[str, Any]] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.content_type == "multipart/form-data":
            body = {
                name: value if isinstance(value, str) else value.file.read()
                for name, value in (await request.post()).items()
            }
            self.forms.append(body)
        else:
            body = await request.json()
            self.bodies.append(body)
        self.authorizations.append(request.headers.get("Authorization", ""))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            return await self.behave(request, body)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


@dataclass
class Hub:
    """A Hub that says who a token belongs to."""

    asked: list[str] = field(default_factory=list)
    status: int = 200

    async def user(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("token ")
        self.asked.append(token)
        if self.status != 200:
            return web.json_response({}, status=self.status)
        return web.json_response(USERS.get(token, {}), status=200 if token in USERS else 403)


@dataclass
class World:
    """The running parts, and a client."""

    url: str
    provider: Provider
    hub: Hub
    config: GatewayConfig
    http: aiohttp.ClientSession
    app: web.Application

    async def chat(
        self, body: Any = None, *, token: str = "ann-token", where: str = "/video/rough-cut", **fields: Any
    ) -> Answer:
        body = body if body is not None else {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], **fields}
        return await self.ask("POST", where + "/v1/chat/completions", token=token, json=body)

    async def ask(self, method: str, path: str, *, token: str | None = "ann-token", **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        async with self.http.request(method, self.url + path, headers=headers, **options) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.text())

    async def budget(self, token: str = "ann-token", where: str = "/video/rough-cut") -> dict[str, Any]:
        return (await self.ask("GET", where + "/budget", token=token)).json()

    async def receipts(self, query: str = "", token: str = "ann-token") -> list[dict[str, Any]]:
        return (await self.ask("GET", "/receipts" + query, token=token)).json()["data"]

    async def settled(self) -> list[dict[str, Any]]:
        """Give ann's receipts once none is open any more."""
        for _ in range(200):
            rows = await self.receipts()
            if rows and all(row["outcome"] != "open" for row in rows):
                return rows
            await asyncio.sleep(0.01)
        raise AssertionError(f"still open: {rows}")


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        return self.json()["error"]


#: A token of an answer costs one won, and a prompt nothing.
PRICES = [{"effective": "2026-01-01", "output_krw_per_million": 1_000_000}]


def config_for(folder: Path, provider_url: str, hub_url: str, **settings: Any) -> GatewayConfig:
    """Settings for one provider that serves one model; `upstream` and `route` change parts of them."""
    upstream = {"name": "built-in", "base_url": provider_url, "api_key": CANARY_KEY, "when_client_leaves": "stop"}
    route = {"upstream": "built-in", "model": "their-name", "prices": PRICES}
    raw = {
        "port": 0,
        "database": str(folder / "gateway" / "ledger.sqlite"),
        "hub_api_url": hub_url,
        "institution": "centre",
        "upstreams": [upstream | settings.pop("upstream", {}), *settings.pop("more_upstreams", [])],
        "models": {MODEL: [route | settings.pop("route", {})]},
        "budgets": {"learner": {"krw": settings.pop("budget_krw", 1000)}},
        "max_tokens": 100,
        "commit_seconds": 0.02,
        **settings,
    }
    return GatewayConfig.model_validate_json(json.dumps(raw))


@asynccontextmanager
async def served(app: web.Application, **options: Any) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """Run a provider, a Hub and a gateway between them."""
    provider, hub = Provider(), Hub()
    provider_app, hub_app = web.Application(client_max_size=64_000_000), web.Application()
    provider_app.router.add_post("/v1/{endpoint:.+}", provider.handle)
    hub_app.router.add_get("/hub/api/user", hub.user)
    async with served(provider_app, handler_cancellation=True) as provider_url, served(hub_app) as hub_url:
        config = config_for(folder, provider_url + "/v1", hub_url + "/hub/api", **settings)
        app = create_app(config)
        async with served(app, handler_cancellation=True) as url, aiohttp.ClientSession() as http:
            yield World(url, provider, hub, config, http, app)
