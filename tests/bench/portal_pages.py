"""The portal's pages as people ask for them: 20 a second, at moments that are drawn by lot, and what each took.

The rule: a wait counts from the moment at which somebody wanted the page, not from when there was a connection for it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

import httpx
from check_in_load import p95
from pilot import Run
from portal_class import DONE, LIVE, MINISTRY, OPERATOR, office, teacher
from portal_full import DONE_COURSE
from portal_people import PREFIX, UNUSED_TLS, Forms
from portal_routes import GETS, Line

from grader import codes
from hub_config.portal.reports import KINDS
from hub_config.portal.site import SESSION_COOKIE

RATE, EACH = 20, 60
#: What people look at most, so many times as often as the other pages: the learner's day, the class screen and the roster.
OFTEN = {
    "learn/{course}": 6, "class/{course}/code": 6, "class/{course}": 6, "learn/{course}/door": 3, "learn/{course}/attendance": 3,
    "class/{course}/labs/{lab}": 3,
}  # fmt: skip
#: Is no page where the notebook can be opened: it leads there. `make bench-portal` measures it by itself.
OPENS = "learn/{course}/open/{lab}"
#: Looks into the learner's own server.
WITH_SERVER = "learn/{course}/hand-in/{lab}"
#: What every course run of the pilot has; the rest is the real class's.
EVERYWHERE = {"course", "institution", "login", "programme", "lang", "report"}
#: The gateway serves one institution; to the office of another one it tells nothing.
AI_OF_OFFICE = "office/{institution}/ai"
#: Somebody goes out or comes back: a new event, in so many seconds.
AT_DOOR_SECONDS = 2
LATE_SECONDS = 60


@dataclass(frozen=True)
class Page:
    """A page of the portal: its name, whose it is, and its address with names to be filled in."""

    name: str
    role: str | None
    line: Line
    weight: int = 1


def pages() -> list[Page]:
    """Every page; a report of each kind is one."""
    found = []
    for path, line in GETS.items():
        if not line.page or path == OPENS:
            continue
        role = next((role for role in ("mina", "teacher", "office", "ministry", "operator") if role in line.who), None)
        role = None if None in line.who else role
        at = line.at or path
        for name in [at.replace("{report}", kind) for kind in KINDS] if "{report}" in at else [at]:
            found.append(Page(name, role, line, OFTEN.get(path, 1)))
    return found


@dataclass
class People:
    """Who is signed in: some course runs with their learners, teachers and offices; cookies by login."""

    runs: Sequence[Run]
    learners: Mapping[str, Sequence[str]]
    cookies: Mapping[str, str]
    filled: Mapping[str, str]
    #: Those whose server runs.
    with_server: Sequence[str]

    def asks(self, page: Page, luck: random.Random) -> tuple[str, str | None]:
        """An address of the page, and who asks for it; in any of the runs where each of them has such a page."""
        names = {name for name in self.filled if f"{{{name}}}" in page.name}
        real = next(run for run in self.runs if run.number == LIVE)
        done = page.line.course == DONE_COURSE
        # Only the real class has work with files, and only its institution issues certificates and has the gateway.
        own = done or page.role is None or not names <= EVERYWHERE or page.name.startswith(AI_OF_OFFICE)
        run = real if own else luck.choice(self.runs)
        who = self._who(page, run, luck, own=own)
        values = {**self.filled, "institution": f"inst-{run.institution:02d}", "course": DONE if done else run.id}
        if run is not real:
            values["login"] = luck.choice(run.learners)
        return PREFIX + page.name.format_map(values), who

    def _who(self, page: Page, run: Run, luck: random.Random, *, own: bool) -> str | None:
        if page.name == WITH_SERVER:
            return luck.choice(self.with_server)
        learner = self.filled["login"] if own else luck.choice(self.learners[run.id])
        people = {
            "mina": learner,
            "teacher": teacher(run),
            "office": office(run),
            "ministry": MINISTRY,
            "operator": OPERATOR,
        }
        return people[page.role] if page.role else None


@dataclass
class Asked:
    """What came of a page: seconds, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    events: int = 0

    def told(self) -> dict[str, dict[str, float]]:
        return {
            name: {"p50_ms": round(median(took) * 1000, 1), "p95_ms": round(p95(took) * 1000, 1), "requests": len(took)}
            for name, took in sorted(self.seconds.items())
        }


class Load:
    """Asks for pages at a rate, while some learners go out and come back."""

    def __init__(self, url: str, people: People, forms: Forms, secret: bytes, seed: int = 5) -> None:
        self._url, self._people, self._forms, self._secret = url, people, forms, secret
        self._luck, self.asked, self._away = random.Random(seed), Asked(), set[str]()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=30)
        self._transport = httpx.AsyncHTTPTransport(verify=UNUSED_TLS, limits=limits)

    async def run(self, wanted: Sequence[Page], each: int, say: Callable[[str], None]) -> Asked:
        """Ask for each page so many times or more, in any order."""
        order = [page for page in wanted for _ in range(each * page.weight)]
        self._luck.shuffle(order)
        moments = sorted(self._luck.uniform(0, len(order) / RATE) for _ in order)
        began, tasks = time.perf_counter() + 0.5, set()
        door = asyncio.create_task(self._door())
        try:
            for number, (moment, page) in enumerate(zip(moments, order, strict=True)):
                await asyncio.sleep(max(0.0, began + moment - time.perf_counter()))
                task = asyncio.create_task(self._ask(page, began + moment))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                if number % (RATE * 10) == RATE * 10 - 1:
                    say(f"{number + 1} of {len(order)} requests, {len(tasks)} under way, {len(self.asked.wrong)} wrong")
            await asyncio.gather(*tasks)
        finally:
            for task in (door, *tasks):
                task.cancel()
            await asyncio.gather(door, *tasks, return_exceptions=True)
            await self._transport.aclose()
        return self.asked

    async def _ask(self, page: Page, wanted: float) -> None:
        at, who = self._people.asks(page, self._luck)
        headers = {"accept-encoding": "gzip"}
        if who:
            headers["cookie"] = f"{SESSION_COOKIE}={self._people.cookies[who]}"
        status = await self._send(httpx.Request("GET", self._url + at, headers=headers))
        self.asked.seconds[page.name].append(time.perf_counter() - wanted)
        if status != page.line.gives:
            self.asked.wrong.append(f"{at} as {who}: {status}")

    async def _send(self, request: httpx.Request) -> int:
        try:
            async with asyncio.timeout(LATE_SECONDS):
                answer = await self._transport.handle_async_request(request)
                await answer.aread()
                return answer.status_code
        except (httpx.HTTPError, TimeoutError):
            return 0

    async def _door(self) -> None:
        """One learner after another goes out, and then they come back: the journal grows while it is read."""
        for run, login in self._learners():
            await asyncio.sleep(AT_DOOR_SECONDS)
            now = datetime.now(UTC)
            form, headers = self._forms.body(
                login, action="back" if login in self._away else "away",
                code=codes.code_at(self._secret, run.id, now.astimezone(run.zone).date(), now),
            )  # fmt: skip
            request = httpx.Request("POST", f"{self._url}{PREFIX}learn/{run.id}/check", data=form, headers=headers)
            # Who is out already, from a load before this one, comes back the next time.
            self.asked.events += await self._send(request) == 303
            self._away ^= {login}

    def _learners(self) -> Iterator[tuple[Run, str]]:
        while True:
            for run in self._people.runs:
                yield from ((run, login) for login in self._people.learners[run.id])
