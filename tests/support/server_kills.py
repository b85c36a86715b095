"""Ten people's servers that are asked all the time through the proxy, while the Hub or the template is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx
from running import Installation, service, token_of

from grader.roles import formgrader_of
from hub_config.quick import calling
from hub_config.seed import accounts
from hub_config.supervisor import DEATHS_WINDOW_SECONDS, MANY_DEATHS

#: The supervisor gives a service up that dies more often than this.
REST_SECONDS = DEATHS_WINDOW_SECONDS / (MANY_DEATHS - 1) + 1
BACK_SECONDS = 60
#: A course's formgrader, and an instructor who asks for it: with the nine people's own servers these are ten.
FORMGRADER = (formgrader_of("ai-work-ko"), "minsu")


@dataclass
class Servers:
    """The ten servers, each with who asks for it, and what came of asking them."""

    site: Installation
    tokens: dict[str, str]
    asked: int = 0
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(base_url=self.site.url, timeout=30)
        self.all = [*((login, login) for login in self.tokens), FORMGRADER]

    def _as(self, login: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[login]}"}

    async def get(self, login: str, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self._as(login))

    async def started(self) -> list[str]:
        """When each server started, as it says itself: a server that was started anew says something else."""
        return [(await self.get(login, _status(owner))).json()["started"] for owner, login in self.all]

    async def start(self, owner: str, login: str) -> None:
        await self.client.post(f"/hub/api/users/{owner}/server", headers=self._as(login))
        await _until(lambda: self._answers(owner, login))

    async def stop_all(self) -> None:
        """End them all through the Hub, and wait until it knows of none."""
        for owner, login in self.all:
            await self.client.delete(f"/hub/api/users/{owner}/server", headers=self._as(login))
        for owner, login in self.all:
            await _until(lambda owner=owner, login=login: self._has(owner, login, set()))

    async def ask(self, owner: str, login: str) -> None:
        """Ask one server again and again; whatever is no answer is a failure."""
        while True:
            begun = time.monotonic()
            try:
                answer = await self.get(login, _status(owner))
                said = "" if answer.status_code == 200 else f"HTTP {answer.status_code}"
            except httpx.HTTPError as error:
                said = type(error).__name__
            self.asked += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)
            if said:
                self.failures.append(f"{owner}: {said}")
            await asyncio.sleep(0.3)

    async def all_adopted(self) -> bool:
        """Whether the Hub knows everybody's servers as ready."""
        return all([await self._has(owner, login, {""}) for owner, login in self.all])

    async def _has(self, owner: str, login: str, names: set[str]) -> bool:
        answer = await self.get(login, f"/hub/api/users/{owner}")
        servers = answer.json()["servers"] if answer.status_code == 200 else None
        return servers is not None and {name for name, one in servers.items() if one["ready"]} == names == set(servers)

    async def _answers(self, owner: str, login: str) -> bool:
        return (await self.get(login, _status(owner))).status_code == 200

    async def kill_hub(self) -> float:
        """The seconds from the Hub's kill until it is back and has taken everybody's server up again."""
        return await self._kill("hub", self.all_adopted)

    async def kill_template(self) -> float:
        """The seconds from the template's kill until another one answers."""
        return await self._kill("template", lambda: calling.answers(self.site.data / "run" / "quick" / "template.sock"))

    async def _kill(self, name: str, back: object) -> float:
        pid, begun = service(self.site, name), time.monotonic()
        assert pid, name
        os.kill(pid, signal.SIGKILL)
        await _until(lambda: _other(self.site, name, pid))
        await _until(back)
        return time.monotonic() - begun


@asynccontextmanager
async def ten_servers(site: Installation) -> AsyncIterator[Servers]:
    """Start them, ask them all until the end, and have the Hub end them."""
    tokens = {login: await asyncio.to_thread(token_of, site, login) for login in accounts()}
    servers = Servers(site, tokens)
    async with servers.client:
        for owner, login in servers.all:
            await servers.start(owner, login)
        asking = [asyncio.create_task(servers.ask(owner, login)) for owner, login in servers.all]
        try:
            yield servers
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        # The Hub holds them as its own: it can end them.
        await servers.stop_all()


async def kills(servers: Servers, name: str, count: int) -> list[float]:
    """Kill a service so many times; how long each was away. The Hub is let rest where it would be given up."""
    kill = {"hub": servers.kill_hub, "template": servers.kill_template}[name]
    rest = REST_SECONDS if name == "hub" and count >= MANY_DEATHS else 0
    away = []
    for _ in range(count):
        away.append(await kill())
        await asyncio.sleep(max(0.0, rest - away[-1]))
    return away


def _status(owner: str) -> str:
    return f"/user/{owner}/api/status"


async def _other(site: Installation, name: str, pid: int) -> bool:
    return service(site, name) not in (None, pid)


async def _until(done: object) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if await done():  # type: ignore[operator]
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {BACK_SECONDS} s")
