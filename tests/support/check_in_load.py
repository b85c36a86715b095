"""Classes that check in at once: the real portal in a process of its own, learners who come at random moments, and what each waited.

`python check_in_load.py URL PORT` is the portal; it knows a learner by the token `token-<login>`.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import uvicorn
from running import free_base_port
from sqlalchemy import func, select

from grader import codes
from grader.records import attend, journal
from grader.records.blobs import BlobStore
from grader.records.db import open_database, reading, writing
from grader.records.models import CourseRun, Enrolment, Event, Institution, Person, Programme, TrainingDayRow
from grader.roles import Caller
from grader.rules import Rules
from hub_config.portal.app import create_app
from hub_config.portal.config import PortalSettings
from hub_config.portal.security import Seals, Session
from hub_config.portal.site import SESSION_COOKIE

SECRET, PREFIX, CLASS = b"the institution's", "/services/portal/", 30
SEOUL = ZoneInfo("Asia/Seoul")


@dataclass
class Waited:
    """What a load came to: seconds of each check-in, and of each page behind it; what the journal has."""

    checks: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    recorded: int = 0
    holds: bool = False

    def told(self) -> dict[str, float | int | bool]:
        """The numbers, in milliseconds."""
        return {
            "learners": len(self.checks), "failed": len(self.failed), "recorded": self.recorded, "chain_holds": self.holds,
            "check_p50_ms": round(statistics.median(self.checks) * 1000), "check_p95_ms": round(p95(self.checks) * 1000),
            "check_max_ms": round(max(self.checks) * 1000), "page_p95_ms": round(p95(self.pages) * 1000),
        }  # fmt: skip


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, -(-len(seconds) * 95 // 100) - 1)]


def course_of(number: int) -> str:
    """The class of a learner: thirty each."""
    return f"class-{number // CLASS}"


def seed(url: str, learners: int, past_days: int) -> None:
    """Classes of thirty whose course goes on today, with a check-in and a check-out on each day before."""
    engine, today = open_database(url), datetime.now(SEOUL).date()
    first = today - timedelta(days=past_days)
    with writing(engine) as session:
        session.add(Programme(id="p", title_ko="과정", title_en="programme", rules=Rules().model_dump(mode="json")))
        session.add(Institution(id="inst", title_ko="훈련원", title_en="institute", region="seoul"))
        session.add_all(Person(login=f"l{number}", name=f"훈련생 {number}") for number in range(learners))
        session.flush()
        for course in sorted({course_of(number) for number in range(learners)}):
            run = CourseRun(id=course, programme_id="p", institution_id="inst", title_ko="가", title_en="A", lang="ko",
                            place="1", starts_on=first, ends_on=today + timedelta(days=5))  # fmt: skip
            run.days = [
                TrainingDayRow(day=first + timedelta(days=n), starts=clock(9), ends=clock(18))
                for n in range(past_days + 3)
            ]
            session.add(run)
        session.flush()
        session.add_all(Enrolment(course_id=course_of(number), login=f"l{number}") for number in range(learners))
        session.flush()
        for day in (first + timedelta(days=n) for n in range(past_days)):
            for number in range(learners):
                _attended(session, number, day)
    engine.dispose()


def _attended(session: object, number: int, day: object) -> None:
    for kind, hour in ((attend.CHECKED_IN, 9), (attend.CHECKED_OUT, 18)):
        course, login = course_of(number), f"l{number}"
        at = datetime.combine(day, clock(hour), SEOUL)  # type: ignore[arg-type]
        journal.append(session, kind, actor=login, course=course, subject=login, at=at, payload={"day": f"{day}"},  # type: ignore[arg-type]
                       key=journal.key_of(kind, course, login, day))  # fmt: skip


class Learners:
    """Knows everybody as a learner of their class."""

    def caller(self, token: str) -> Caller | None:
        login = token.removeprefix("token-")
        return Caller(login, groups=frozenset({f"nbgrader-{course_of(int(login[1:]))}"}))

    recall = caller


def serve(url: str, port: int) -> None:
    """The portal as the product runs it, but for the Hub."""
    folder = Path(tempfile.mkdtemp())
    (folder / "htmx.js").write_text("/* htmx */")
    nothing = (sys.executable, "-c", "pass")
    settings = PortalSettings(
        api_token="service-token", secret=SECRET, htmx_file=folder / "htmx.js", fonts_folder=folder, courses_folder=folder,
        paper_fonts_folder=folder, keys_folder=folder, looks_folder=folder,
        grade_command=nothing, feedback_command=nothing, similar_command=nothing, release_command=nothing, prepare_command=nothing,
    )  # fmt: skip
    app = create_app(settings, open_database(url), BlobStore(folder / "blobs"), Learners())
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


@contextmanager
def portal(url: str) -> Iterator[str]:
    """A running portal; its address."""
    port = free_base_port()
    process = subprocess.Popen([sys.executable, __file__, url, str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            assert process.poll() is None, "the portal ended"
            try:
                httpx.get(f"{address}{PREFIX}health")
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(20)


async def check_in(address: str, learners: int, seconds: float) -> Waited:
    """Let everybody come within so many seconds, each with a browser of their own, type the code and look at the page."""
    waited, seals, chance = Waited(), Seals(SECRET), random.Random(1)
    limits = httpx.Limits(max_connections=None)
    # Made once: five hundred of them would hold up the first seconds, and everybody who comes then would come together.
    unused_tls = ssl.create_default_context()

    async def come(number: int, after: float) -> None:
        login, course = f"l{number}", course_of(number)
        session = Session(f"token-{login}", f"session-{login}")
        cookies = {SESSION_COOKIE: seals.seal(session)}
        async with httpx.AsyncClient(
            base_url=address,
            cookies=cookies,
            headers={"origin": address},
            limits=limits,
            timeout=60,
            trust_env=False,
            verify=unused_tls,
        ) as browser:
            await asyncio.sleep(after)
            now = datetime.now(UTC)
            code = codes.code_at(SECRET, course, now.astimezone(SEOUL).date(), now)
            begin = time.perf_counter()
            answer = await browser.post(
                f"{PREFIX}learn/{course}/check", data={"csrf": seals.csrf(session), "code": code}
            )
            waited.checks.append(time.perf_counter() - begin)
            if answer.status_code != 303:
                waited.failed.append(f"{login}: {answer.status_code}")
                return
            begin = time.perf_counter()
            page = await browser.get(answer.headers["location"])
            waited.pages.append(time.perf_counter() - begin)
            if page.status_code != 200:
                waited.failed.append(f"{login}: page {page.status_code}")

    await asyncio.gather(*(come(number, chance.uniform(0, seconds)) for number in range(learners)))
    return waited


def measure(url: str, learners: int, seconds: float, past_days: int, settle_seconds: float = 0) -> Waited:
    """Seed, serve, let everybody check in, and look what the journal has."""
    seed(url, learners, past_days)
    with portal(url) as address:
        # A portal that runs: it has walked the whole journal, and somebody has looked at a page.
        session = Session("token-l0", "session-l0")
        cookies = {SESSION_COOKIE: Seals(SECRET).seal(session)}
        assert httpx.get(f"{address}{PREFIX}learn/{course_of(0)}", cookies=cookies, timeout=60).status_code == 200
        time.sleep(settle_seconds)
        waited = asyncio.run(check_in(address, learners, seconds))
    engine, today = open_database(url), datetime.now(SEOUL).date().isoformat()
    with reading(engine) as session:
        waited.holds = journal.verify(session) is None
        query = (
            select(func.count()).select_from(Event).where(Event.kind == attend.CHECKED_IN, Event.key.like(f"%:{today}"))
        )
        waited.recorded = session.scalar(query) or 0
    engine.dispose()
    return waited


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
