"""The real proxy, Hub and portal of the product over records of a test, without models: for tests of people's servers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from running import Installation, free_base_port, token_of
from sqlalchemy import Engine

from grader.records.db import open_database, writing
from grader.records.models import CourseRun, Enrolment, Institution, Person, Programme, StaffRole, TrainingDayRow
from grader.rules import Rules
from hub_config import services
from hub_config.settings import Settings
from hub_config.supervisor import descendants

PARTS = ("proxy", "portal", "hub")


def make_run(
    engine: Engine, course: str, *, learners: Sequence[str] = (), staff: Sequence[str] = (), now: bool
) -> None:
    """A course run with its people, whose class is now and all day, or which has no timetable."""
    today = datetime.now(ZoneInfo("Asia/Seoul")).date()
    days = [today, today + timedelta(days=1)] if now else []
    with writing(engine) as session:
        if session.get(Institution, "inst") is None:
            session.add(Programme(id="p", title_ko="과정", title_en="programme", rules=Rules().model_dump(mode="json")))
            session.add(Institution(id="inst", title_ko="훈련원", title_en="institute", region="seoul"))
        session.add_all(Person(login=login, name=login) for login in (*learners, *staff))
        session.flush()
        session.add_all(StaffRole(login=login, group=f"formgrade-{course}") for login in staff)
        run = CourseRun(id=course, programme_id="p", institution_id="inst", title_ko=course, title_en=course, lang="ko",
                        place="1", starts_on=today, ends_on=today + timedelta(days=1))  # fmt: skip
        run.days = [TrainingDayRow(day=day, starts=clock(0), ends=clock(23, 59)) for day in days]
        run.enrolments = [Enrolment(login=login) for login in learners]
        session.add(run)


class RealHub:
    """Its address, and what people do with it."""

    def __init__(self, site: Installation, engine: Engine) -> None:
        self.site, self.engine = site, engine
        self._tokens: dict[str, str] = {}

    def ask(self, login: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask through the proxy, with a token of somebody who has signed in."""
        headers = {"Authorization": f"token {self.token(login)}"} if login else {}
        # Without the certificates of the world, which would be read anew for each question.
        return httpx.request(method, f"{self.site.url}{path}", headers=headers, timeout=60, verify=False, **more)

    def token(self, login: str) -> str:
        if login not in self._tokens:
            self._tokens[login] = token_of(self.site, login)
        return self._tokens[login]

    def runs(self, login: str, owner: str = "") -> bool:
        """Whether a person's server is ready, as somebody who may see it is told."""
        return bool(self._servers(login, owner).get("", {}).get("ready"))

    def is_off(self, login: str, owner: str = "") -> bool:
        """Whether a person's server has ended."""
        return "" not in self._servers(login, owner)

    def _servers(self, login: str, owner: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(login, "GET", f"/hub/api/users/{owner or login}").json()["servers"]
        return found

    def start(self, login: str, owner: str = "") -> datetime:
        """Start a server and wait until it answers."""
        owner = owner or login
        while (answer := self.ask(login, "POST", f"/hub/api/users/{owner}/server")).status_code == 429:
            time.sleep(0.5)  # many start already
        assert answer.status_code in (201, 202), answer.text
        until(lambda: self.ask(login, "GET", f"/user/{owner}/api/status").status_code == 200, 120)
        return datetime.now(UTC)


def until(done: Any, seconds: float) -> None:
    """Wait for something; a test fails where it does not come."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def real_hub(data: Path, **changed: Any) -> Iterator[RealHub]:
    """Run them over an empty data folder, with other settings where asked."""
    settings = Settings.model_validate({"data": data, "port": free_base_port(), **changed})
    for name in ("logs", "homes", "courses", "run"):
        (data / name).mkdir(parents=True, mode=0o700)
    engine = open_database(settings.records_database)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for service in services.all_services(settings):
            if service.name in PARTS:
                with (data / "logs" / f"{service.name}.log").open("ab") as log:
                    env = {**os.environ, **service.env}
                    started.append(subprocess.Popen(list(service.argv), env=env, stdout=log, stderr=log))
        site = Installation(settings.base_url, data, started[0], data / "logs" / "hub.log")
        until(lambda: _answers(f"{settings.base_url}/hub/health"), 120)
        until(lambda: _answers(f"{settings.base_url}/services/portal/health"), 120)
        yield RealHub(site, engine)
    finally:
        servers = [pid for process in started for pid in descendants(process.pid)]
        for process in reversed(started):
            process.terminate()
            process.wait(30)
        for pid in servers:
            subprocess.run(["kill", "-9", str(pid)], stderr=subprocess.DEVNULL, check=False)
        engine.dispose()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
