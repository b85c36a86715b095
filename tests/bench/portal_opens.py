"""A whole class presses Open within ten seconds: what each waits until the notebook is there, and for what.

Each learner is a browser that does what `opening.js` does: it looks again after a pause, and follows where the portal leads,
through the server's own login, to JupyterLab's page and the notebook's content. Nobody presses a second time.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx
from check_in_load import p95
from portal_class import LAB
from portal_people import PREFIX, browser, sign_in

from hub_config.portal.opening import LONG_SECONDS

WITHIN_SECONDS, MOST_SECONDS = 10, 300
#: As in opening.js.
FIRST_PAUSE, GROWS, LONGEST_PAUSE = 1.0, 1.2, 3.0
AT = re.compile(r'data-stage="(\w+)" data-part="([^"]+)" data-open="([^"]+)"')
PARTS = re.compile(r'(?:src|href)="(/user/[^"]+\.(?:js|css)[^"]*)"')


@dataclass
class Opened:
    """One learner's way: the seconds of each part, and whether the notebook came by itself."""

    login: str
    by_itself: bool = False
    seconds: float = 0.0
    parts: Counter[str] = field(default_factory=Counter)
    looks: int = 0
    said: str = ""


class Learner:
    """Presses Open once."""

    def __init__(self, client: httpx.AsyncClient, course: str, login: str, luck: random.Random) -> None:
        self._client, self._course, self._luck = client, course, luck
        self.found = Opened(login)

    async def open(self) -> Opened:
        """Go from the press to the notebook."""
        began = self._mark = time.perf_counter()
        try:
            async with asyncio.timeout(MOST_SECONDS):
                page = await self._wait(f"{PREFIX}learn/{self._course}/open/{LAB}")
                await self._in_jupyterlab(page)
                self.found.by_itself = True
        except (httpx.HTTPError, TimeoutError, AssertionError) as error:
            self.found.said = f"{type(error).__name__}: {error}"[:300]
        self.found.seconds = time.perf_counter() - began
        return self.found

    async def _wait(self, at: str) -> httpx.Response:
        """Wait on the portal's page until it leads on."""
        stage, pause = "asking", FIRST_PAUSE
        while True:
            answer = await self._client.get(at, follow_redirects=False)
            self._past("fetch" if answer.status_code == 303 else stage)
            if answer.status_code == 303:
                return await self._login(answer.headers["location"])
            stage, part, at = self._stands(answer)
            while stage != "ready":
                assert stage != "failed", "the portal gave up"
                await asyncio.sleep(pause * self._luck.uniform(0.75, 1.25))
                answer = await self._client.get(part, follow_redirects=False)
                self.found.looks += 1
                self._past(stage)
                stage, part, at = self._stands(answer)
                pause = min(pause * GROWS, LONGEST_PAUSE)

    def _stands(self, answer: httpx.Response) -> tuple[str, str, str]:
        found = AT.search(answer.text)
        assert found, f"{answer.status_code} {answer.text[-200:]}"
        stage, part, opens = (text.replace("&amp;", "&") for text in found.groups())
        return stage, part, opens

    async def _login(self, at: str) -> httpx.Response:
        page = await self._client.get(at)
        self._past("login")
        assert page.status_code == 200, f"{at}: {page.status_code}"
        assert "/user/" in page.url.path, f"{at} led to {page.url}"
        return page

    async def _in_jupyterlab(self, page: httpx.Response) -> None:
        """Load what JupyterLab's page names, and the notebook."""
        for part in PARTS.findall(page.text):
            assert (await self._client.get(part)).status_code == 200, part
        self._past("jupyterlab")
        answer = await self._client.get(f"/user/{self.found.login}/api/contents/{LAB}/{LAB}.ipynb")
        assert answer.status_code == 200, f"notebook: {answer.status_code}"
        assert answer.json()["content"]["cells"], "an empty notebook"
        self._past("notebook")

    def _past(self, part: str) -> None:
        now = time.perf_counter()
        self.found.parts[part] += now - self._mark  # type: ignore[assignment]
        self._mark = now


async def press_open(url: str, course: str, logins: Sequence[str]) -> list[Opened]:
    """Everybody presses within ten seconds; signed in before, as a class is that has just checked in."""
    luck, turn = random.Random(9), asyncio.Semaphore(4)
    clients = {login: browser(url) for login in logins}

    async def enter(login: str) -> None:
        async with turn:
            await sign_in(clients[login], login)

    async def press(login: str) -> Opened:
        await asyncio.sleep(luck.uniform(0, WITHIN_SECONDS))
        return await Learner(clients[login], course, login, luck).open()

    try:
        await asyncio.gather(*map(enter, logins))
        return list(await asyncio.gather(*map(press, logins)))
    finally:
        for client in clients.values():
            await client.aclose()


def told(opened: Sequence[Opened]) -> dict[str, Any]:
    """The numbers of a class, and for what it waited: the mean of each part."""
    seconds = [one.seconds for one in opened]
    parts = sorted({part for one in opened for part in one.parts})
    return {
        "learners": len(opened), "opened_without_second_press": sum(one.by_itself for one in opened),
        "open_p50_seconds": round(median(seconds), 2), "open_p95_seconds": round(p95(seconds), 2),
        "open_max_seconds": round(max(seconds), 2), "told_that_it_takes_long": sum(one.seconds > LONG_SECONDS for one in opened),
        "mean_seconds_of": {part: round(sum(one.parts[part] for one in opened) / len(opened), 2) for part in parts},
        "said": sorted({one.said for one in opened if one.said}),
    }  # fmt: skip
