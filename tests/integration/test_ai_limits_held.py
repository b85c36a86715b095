"""An office changes a limit on its page, and the real gateway holds the very next call to it: running, started again, and set up anew."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gateway_support
import httpx
import pytest
from aiohttp import web
from gateway_support import PRICES, Hub, Provider, served
from running import free_base_port
from test_portal_world import COURSE, World, seeded_records  # noqa: F401 (a fixture)

from grader.records import ai_limits
from grader.records.db import reading
from hub_config import services
from hub_config.ai import ALIASES
from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import Budgets, Limit
from hub_config.ai_limits import Installation
from hub_config.settings import Settings, load_settings

GROUPS = {"mina": f"nbgrader-{COURSE}", "office": "institution-hanbit"}
HERE = "office/hanbit/ai/limits"


def refused_by(error: Any) -> str:
    """Whose limit a refusal names in its sentence."""
    return next(account for account, said in errors._ACCOUNTS.items() if error["text"]["ko"].startswith(said.ko))


@dataclass
class Office:
    """The pages over an installation's own records, and its gateway as a process of its own."""

    settings: Settings
    world: World

    async def set(self, path: str = "learner", **form: str) -> str:
        """Change a limit, and give the page that says what came of it."""
        with reading(self.world.engine) as session:
            newest = ai_limits.newest(ai_limits.changes(session, "hanbit"))
        seen = [
            e.id
            for a, e in newest.items()
            if (a.kind, a.course, a.lab) == (path, form.get("course", ""), form.get("lab", ""))
        ]
        browser = self.world.browser("office")
        answer = await asyncio.to_thread(
            self.world.post, browser, f"{HERE}/{path}", "office", **form, seen=seen[0] if seen else ""
        )
        assert answer.status_code == 303, answer.text
        page = await asyncio.to_thread(browser.get, answer.headers["location"])
        return page.text

    async def call(self) -> tuple[int, Any]:
        """A learner's call, which costs ten won."""
        url = f"{self.settings.gateway_url}/{COURSE}/-/v1/chat/completions"
        body = {"model": "lab-default", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(url, json=body, headers={"Authorization": "Bearer token-mina"})
            return answer.status_code, answer.json().get("error")

    @asynccontextmanager
    async def gateway(self, argv: Sequence[str]) -> AsyncIterator[asyncio.subprocess.Process]:
        """The gateway, until it is killed as by a crash."""
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        try:
            assert b"ready" in await asyncio.wait_for(process.stdout.readline(), 60)
            yield process
        finally:
            process.kill()
            await process.communicate()


@pytest.fixture
async def office(
    tmp_path: Path,
    seeded_records: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Office]:
    for login, group in GROUPS.items():
        user = {"kind": "user", "name": login, "groups": [group]}
        monkeypatch.setitem(gateway_support.USERS, f"token-{login}", user)
    provider, hub = Provider(), Hub()
    provider_app, hub_app = web.Application(), web.Application()
    provider_app.router.add_post("/v1/chat/completions", provider.handle)
    hub_app.router.add_get("/hub/api/user", hub.user)
    async with served(provider_app) as url:
        route = {"upstream": "p", "model": "m", "prices": PRICES}
        settings = Settings(
            data=tmp_path / "var", port=free_base_port(), model="none", providers={"p": {"base_url": f"{url}/v1"}},
            ai_models={alias: [route] for alias in ALIASES},
        )  # fmt: skip
        runner = web.AppRunner(hub_app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", settings.hub_port).start()
        settings.records_path.parent.mkdir(parents=True, mode=0o700)
        shutil.copy(seeded_records, settings.records_path)
        in_force = partial(load_settings, services.write_settings(settings))
        world = World(tmp_path, settings.records_path)
        world.ai = Installation(in_force, partial(services.hand_over, settings.data, in_force), settings.receipts_path)
        with httpx.Client(trust_env=False) as client:

            def pass_on(request: httpx.Request) -> httpx.Response:
                token = {"authorization": request.headers["authorization"]}
                answer = client.get(settings.gateway_url + request.url.raw_path.decode(), headers=token)
                return httpx.Response(answer.status_code, content=answer.content)

            world.answer = pass_on
            world.start()
            yield Office(settings, world)
        world.engine.dispose()
        await runner.cleanup()


async def test_the_next_call_is_held_to_what_the_office_set(office: Office) -> None:
    argv = services._gateway(office.settings).argv
    async with office.gateway(argv) as process:
        assert (await office.call())[0] == 200
        page = await office.set(krw="15")
        assert "지금부터 이 한도가 적용됩니다" in page
        assert "쓴 경우 10" in page, "what is spent of it"
        status, error = await office.call()
        assert (status, error["code"]) == (429, "budget_exceeded")
        assert (refused_by(error), error["unit"], error["left"], error["renews_at"]) == ("learner", "krw", 5, None)
        assert "지금부터 이 한도가 적용됩니다" in await office.set(krw="1000")
        assert (await office.call())[0] == 200
        assert "지금부터 이 한도가 적용됩니다" in await office.set("institution", krw_per_day="25")
        status, error = await office.call()
        assert (status, refused_by(error), error["unit"]) == (429, "institution", "krw")
        assert error["renews_at"] is not None
        await office.set("institution", act="undo")
        assert (await office.call())[0] == 200
        assert process.returncode is None, "all of it in one and the same process"


async def test_a_limit_outlives_the_gateway_a_new_start_and_a_reload(office: Office) -> None:
    argv = services._gateway(office.settings).argv
    async with office.gateway(argv):
        assert (await office.call())[0] == 200
        await office.set(course=COURSE, krw="15")
    async with office.gateway(argv):  # as the supervisor starts it again
        assert (await office.call())[0] == 429
    async with office.gateway(services._gateway(office.settings).argv):  # as `practicum up` does
        assert (await office.call())[0] == 429
        raised = office.settings.model_copy(update={"ai_budgets": Budgets(learner=Limit(krw=9000))})
        services.write_settings(raised)
        assert services.hand_over(raised.data, lambda: raised)
        await asyncio.sleep(1)
        assert (await office.call())[0] == 429, "the office's word stands above the settings file"
        page = await office.set(course=COURSE, act="back")
        assert "지금부터 이 한도가 적용됩니다" in page
        assert ">9,000<" in page
        assert (await office.call())[0] == 200


async def test_what_is_set_while_the_gateway_is_away_holds_from_its_start(office: Office) -> None:
    argv = services._gateway(office.settings).argv
    page = await office.set("course", course=COURSE, tokens="0")
    assert "적용을 아직 확인하지 못했습니다" in page
    async with office.gateway(argv):
        status, error = await office.call()
        assert (status, refused_by(error), error["unit"]) == (429, "course", "tokens")


async def test_an_office_may_name_a_thousand_course_runs(office: Office) -> None:
    async with office.gateway(services._gateway(office.settings).argv), httpx.AsyncClient(trust_env=False) as client:
        assert (await office.call())[0] == 200
        courses = [COURSE, *(f"ai-at-work-2026-{number:04}" for number in range(1_000))]
        answer = await client.get(
            f"{office.settings.gateway_url}/spend", params={"group": "course", "course": courses},
            headers={"Authorization": "Bearer token-office"},
        )  # fmt: skip
        assert answer.status_code == 200, "nor cut off where aiohttp would end an address, after 8 KB"
        assert [line["course"] for line in answer.json()["data"]] == [COURSE]
