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

from hub_config.quick import calling
from hub_config.seed import accounts
from hub_config.supervisor import DEATHS_WINDOW_SECONDS, MANY_DEATHS

#: The supervisor gives a service up that dies more often than this.
REST_SECONDS = DEATHS_WINDOW_SECONDS / (MANY_DEATHS - 1) + 1
BACK_SECONDS = 60
#: An instructor has a named server besides: with the nine people's own these are ten.
NAMED = ("minsu", "ai-work-ko")


@dataclass
class Servers:
    """The ten servers, and what came of asking them."""

    site: Installation
    tokens: dict[str, str]
    asked: int = 0
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.AsyncClient(base_url=self.site.url, timeout=30)
        self.names = [*((login, "") for login in self.tokens), NAMED]

    async def get(self, login: str, path: str) -> httpx.Response:
        return await self.client.get(path, headers={"Authorization": f"Bearer {self.tokens[login]}"})

    async def started(self) -> list[str]:
        """When each server started, as it says itself: a server that was started anew says something else."""
        return [(await self.get(login, _status(login, name))).json()["started"] for login, name in self.names]

    async def start(self, login: str, name: str) -> None:
        path = f"/hub/api/users/{login}/servers/{name}" if name else f"/hub/api/users/{login}/server"
        await self.client.post(path, headers={"Authorization": f"Bearer {self.tokens[login]}"})
        await _until(lambda: self._answers(login, name))

    async def stop_all(self) -> None:
        """End them all through the Hub, and wait until it knows of none."""
        for login, name in self.names:
            path = f"/hub/api/users/{login}/servers/{name}" if name else f"/hub/api/users/{login}/server"
            await self.client.delete(path, headers={"Authorization": f"Bearer {self.tokens[login]}"})
        for login in self.tokens:
            await _until(lambda one=login: self._has(one, set()))

    async def ask(self, login: str, name: str) -> None:
        """Ask one server again and again; whatever is no answer is a failure."""
        while True:
            begun = time.monotonic()
            try:
                answer = await self.get(login, _status(login, name))
                said = "" if answer.status_code == 200 else f"HTTP {answer.status_code}"
            except httpx.HTTPError as error:
                said = type(error).__name__
            self.asked += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)
            if said:
                self.failures.append(f"{login}/{name}: {said}")
            await asyncio.sleep(0.3)

    async def all_adopted(self) -> bool:
        """Whether the Hub knows everybody's servers as ready."""
        wanted = {login: {""} | ({NAMED[1]} if login == NAMED[0] else set()) for login in self.tokens}
        return all([await self._has(login, names) for login, names in wanted.items()])

    async def _has(self, login: str, names: set[str]) -> bool:
        answer = await self.get(login, f"/hub/api/users/{login}")
        servers = answer.json()["servers"] if answer.status_code == 200 else None
        return servers is not None and {name for name, one in servers.items() if one["ready"]} == names == set(servers)

    async def _answers(self, login: str, name: str) -> bool:
        return (await self.get(login, _status(login, name))).status_code == 200

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
        for login, name in servers.names:
            await servers.start(login, name)
        asking = [asyncio.create_task(servers.ask(login, name)) for login, name in servers.names]
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


def _status(login: str, name: str) -> str:
    return f"/user/{login}/{name}/api/status" if name else f"/user/{login}/api/status"


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
