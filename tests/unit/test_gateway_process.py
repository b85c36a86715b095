"""The gateway as a process: one line when ready, a graceful end, wrong settings, and kill -9 in the middle of a call."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from gateway_support import CANARY_KEY, MODEL, Hub, Provider, config_for, friendly, served

BODY = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
HEADERS = {"Authorization": "Bearer ann-token"}


@asynccontextmanager
async def surroundings(folder: Path, **settings: Any) -> AsyncIterator[tuple[Provider, Path]]:
    provider, hub = Provider(), Hub()
    provider_app, hub_app = web.Application(), web.Application()
    provider_app.router.add_post("/v1/chat/completions", provider.handle)
    hub_app.router.add_get("/user", hub.user)
    async with served(provider_app, handler_cancellation=True) as provider_url, served(hub_app) as hub_url:
        raw = config_for(folder, provider_url + "/v1", hub_url, **settings).model_dump(mode="json")
        raw["upstreams"][0]["api_key"] = CANARY_KEY
        path = folder / "gateway.json"
        path.write_text(json.dumps(raw))
        yield provider, path


@asynccontextmanager
async def gateway(config: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub_config.ai_gateway",
        str(config),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 90)).decode()
    try:
        yield process, line.split()[-1]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def call(url: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession(headers=HEADERS) as http:
        answer = await http.post(f"{url}/video/-/v1/chat/completions", json=BODY)
        return answer.status, await answer.json()


async def budget(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession(headers=HEADERS) as http, http.get(f"{url}/video/-/budget") as answer:
        found: dict[str, Any] = await answer.json()
        return found


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_sigterm_lets_a_running_call_end(tmp_path: Path) -> None:
    async def slow(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return await friendly(request, body)

    async with surroundings(tmp_path) as (provider, config), gateway(config) as (process, url):
        provider.behave = slow
        running = asyncio.create_task(call(url))
        await until(lambda: provider.running == 1)
        process.send_signal(signal.SIGTERM)
        assert (await running)[0] == 200
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_sigterm_does_not_wait_for_ever_and_nothing_is_left_open(tmp_path: Path) -> None:
    async def endless(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with surroundings(tmp_path, stop_seconds=0.2) as (provider, config):
        async with gateway(config) as (process, url):
            provider.behave = endless
            running = asyncio.create_task(call(url))
            await until(lambda: provider.running == 1)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) == 0
            await asyncio.gather(running, return_exceptions=True)
        async with gateway(config) as (_, url):
            assert (await budget(url))["spent_krw"] == 10


async def test_kill_in_the_middle_of_a_call_loses_no_money_and_no_receipt(tmp_path: Path) -> None:
    async def endless(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with surroundings(tmp_path) as (provider, config):
        async with gateway(config) as (process, url):
            assert (await call(url))[0] == 200
            provider.behave = endless
            running = asyncio.create_task(call(url))
            await until(lambda: provider.running == 1)
            process.kill()
            await asyncio.gather(running, return_exceptions=True)
        async with gateway(config) as (_, url), aiohttp.ClientSession(headers=HEADERS) as http:
            assert (await budget(url))["spent_krw"] == 20
            async with http.get(f"{url}/receipts") as answer:
                assert [row["outcome"] for row in (await answer.json())["data"]] == ["gateway_died", "ok"]


async def run_to_end(config: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub_config.ai_gateway",
        str(config),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 90)
    return process.returncode, errors.decode()


async def test_wrong_settings_are_named_without_the_key(tmp_path: Path) -> None:
    async with surroundings(tmp_path) as (_, config):
        raw = json.loads(config.read_text())
        raw["upstreams"][0]["base_url"] = CANARY_KEY
        raw["surplus"] = CANARY_KEY
        config.write_text(json.dumps(raw))
        code, errors = await run_to_end(config)
    assert code == 2
    assert "upstreams.0.base_url" in errors
    assert "surplus" in errors
    assert "canary" not in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("fault", ["port", "folder"])
async def test_what_keeps_it_from_starting_is_one_line(tmp_path: Path, fault: str) -> None:
    async with surroundings(tmp_path) as (_, config), gateway(config) as (_, url):
        raw = json.loads(config.read_text())
        if fault == "port":
            raw |= {"port": int(url.rsplit(":", 1)[1]), "database": str(tmp_path / "other" / "ledger.sqlite")}
        else:
            os.chmod(tmp_path, 0o755)  # noqa: PTH101
            raw["database"] = str(tmp_path / "ledger.sqlite")
        (tmp_path / "second.json").write_text(json.dumps(raw))
        code, errors = await run_to_end(tmp_path / "second.json")
    assert code == 1
    assert errors.startswith("the AI gateway did not start: ")
    assert errors.count("\n") == 1
