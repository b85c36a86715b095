"""How quickly the records answer at full size: `make bench-records`.

The portal as it runs (FastAPI under uvicorn's ASGI interface, asked in this process by httpx), over the pilot's records in
SQLite; one process; each page at least a hundred times, of a run that is drawn by lot. The Hub's word on who asks is played,
the AI gateway is away. Before every fifth request somebody checks in, so that what is kept is not simply what stands.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient
from pilot import PROGRAMME, Pilot, build
from sqlalchemy import select

from grader.records import attend, journal
from grader.records.blobs import BlobStore
from grader.records.db import open_database, reading, writing
from grader.records.models import CourseRun
from grader.records.remembered import _memories
from grader.records.state import find_course, fold
from grader.roles import Caller
from hub_config.portal.app import create_app
from hub_config.portal.config import PortalSettings
from hub_config.portal.security import Session
from hub_config.portal.site import SESSION_COOKIE

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "bench"
TIMES, PREFIX = 100, "/services/portal/"
#: A page that takes longer in all is asked less often; the output says how often.
PATIENCE_SECONDS = 20
PAGES = {
    "institution": "office/{institution}", "decisions": "office/{institution}/{course}", "roster": "class/{course}",
    "attendance": "office/{institution}/{course}/reports/attendance", "units": "office/{institution}/{course}/reports/units",
    "completion": "office/{institution}/{course}/reports/completion", "log": "office/{institution}/{course}/reports/log",
    "transcript": "office/{institution}/{course}/reports/transcript", "runs": "office/{institution}/reports/runs",
}  # fmt: skip


class Everybody:
    """Every role there is, whoever asks."""

    def __init__(self, pilot: Pilot) -> None:
        runs = {f"formgrade-{run.id}" for run in pilot.course_runs}
        offices = {f"institution-inst-{n:02d}" for n in range(pilot.institutions)}
        self._caller = Caller("bench", groups=frozenset({*runs, *offices, f"programme-{PROGRAMME}"}))

    def caller(self, token: str) -> Caller:
        return self._caller


def measure(pilot: Pilot, times: int = TIMES) -> dict[str, Any]:
    """Everything that is measured of one size."""
    file = FOLDER / f"r{pilot.factor}.db"
    engine = open_database(f"sqlite:///{file}")
    with reading(engine) as session:
        if session.scalar(select(CourseRun.id).limit(1)) is None:
            build(engine, pilot)
    luck, runs, now = random.Random(1), pilot.course_runs, [pilot.now]
    client = _client(engine, pilot, now)
    found: dict[str, Any] = {"learners": sum(len(run.learners) for run in runs), "course_runs": len(runs)}
    pages: dict[str, float] = {}
    for name, path in PAGES.items():
        seconds: list[float] = []
        for number in range(times):
            if sum(seconds) > PATIENCE_SECONDS:
                break
            run = luck.choice(runs[: min(len(runs), pilot.runs)])
            if number % 5 == 0:
                now[0] += timedelta(seconds=1)
                _check_in(engine, run.id, luck.choice(run.learners), now[0])
            seconds.append(_get(client, path.format(institution=f"inst-{run.institution:02d}", course=run.id)))
        pages[name] = _p95(seconds)
        print(
            f"  {name}: p95 {pages[name]:.0f} ms, median {statistics.median(seconds) * 1000:.0f} ms, {len(seconds)} requests",
            flush=True,
        )
    found["pages_p95_ms"] = pages
    found["institution_page_p95_ms"] = max(pages.values())
    run = runs[7]
    xlsx = f"office/inst-{run.institution:02d}/{run.id}/reports/attendance?file=xlsx&month=2026-06"
    _memories.clear()
    found["month_xlsx_seconds"] = round(_get(client, xlsx), 3)
    began = time.perf_counter()
    first = [run.id for run in runs]
    rollup = client.app.state.portal.rollup  # type: ignore[attr-defined]
    some = first if len(first) <= pilot.runs else first[: pilot.runs]
    for course in some:
        rollup.recount(course)
    found["summaries_counted"], found["summaries_seconds"] = len(some), round(time.perf_counter() - began, 1)
    seconds = [_get(client, f"programme/{PROGRAMME}") for _ in range(times)]
    found["programme_page_p95_ms"] = _p95(seconds)
    rollup.stop()
    began = time.perf_counter()
    _memories.clear()
    for course in some:
        with reading(engine) as session:
            fold(session, find_course(session, course), now[0])
    spent = time.perf_counter() - began
    found["recomputed_runs"], found["recompute_all_seconds"] = len(some), round(spent * len(first) / len(some), 1)
    print(json.dumps(found), flush=True)
    return found


def _client(engine: Any, pilot: Pilot, now: list[Any]) -> TestClient:
    assets = FOLDER / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    (assets / "htmx.js").write_text("")
    settings = PortalSettings(
        prefix=PREFIX, hub_url="http://hub.test", hub_api_url="http://hub.test/hub/api", api_token="bench",
        secret=b"a secret of the bench", htmx_file=assets / "htmx.js", fonts_folder=assets, paper_fonts_folder=assets, keys_folder=FOLDER / "keys", gateway_url=None,
        grade_command=("true",), feedback_command=("true",), similar_command=("true",), release_command=("true",),
        courses_folder=FOLDER / "courses", now=lambda: now[0],
    )  # fmt: skip
    app = create_app(
        settings,
        engine,
        BlobStore(FOLDER / "blobs"),
        Everybody(pilot),
        transport=httpx.MockTransport(lambda _: httpx.Response(503)),
    )
    client = TestClient(app, base_url="http://portal.test")
    client.cookies.set(SESSION_COOKIE, app.state.portal.seals.seal(Session("token", "session")))
    return client


def _get(client: TestClient, path: str) -> float:
    began = time.perf_counter()
    answer = client.get(PREFIX + path)
    seconds = time.perf_counter() - began
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code}")
    return seconds


def _check_in(engine: Any, course: str, login: str, now: Any) -> None:
    with writing(engine) as session:
        day = now.astimezone().date().isoformat()
        journal.append(
            session, attend.CHECKED_IN, actor=login, course=course, subject=login, payload={"day": day}, at=now
        )


def _p95(seconds: list[float]) -> float:
    return round(sorted(seconds)[max(0, int(len(seconds) * 0.95) - 1)] * 1000, 1)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    factors = [int(factor) for factor in sys.argv[1:]] or [1, 10]
    found = {factor: measure(Pilot(factor=factor)) for factor in factors}
    first, told = found[factors[0]], dict(found[factors[0]])
    if len(factors) > 1:
        last = found[factors[-1]]
        names = ("institution_page_p95_ms", "programme_page_p95_ms", "month_xlsx_seconds", "recompute_all_seconds")
        told["growth_at_10x"] = {name: round(last[name] / first[name], 2) for name in names} | {"measured": last}
    (FOLDER / "records.json").write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
