"""How quickly the records answer at full size: `make bench-records`.

The portal as it runs (FastAPI under uvicorn's ASGI interface, asked in this process by httpx, with its keeper), over the
pilot's records in SQLite; one process; each page a hundred times, of a run that is drawn by lot from all of them. The portal
has been up for a while: its keeper has folded as many of today's runs as are kept, and walked the journal once; at ten times
the learners most runs are asked for the first time. The Hub's word on who asks is played, the AI gateway is away. Before every fifth request somebody checks in.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi.testclient import TestClient
from pilot import PROGRAMME, SEOUL, Pilot, Run, build
from sqlalchemy import select

from grader.records import attend, journal
from grader.records.blobs import BlobStore
from grader.records.db import open_database, reading, writing
from grader.records.models import CourseRun, Event
from grader.records.remembered import _memories
from grader.records.state import find_course, fold
from grader.records.warming import _due
from grader.roles import Caller
from hub_config.portal.__main__ import collect_little
from hub_config.portal.app import create_app
from hub_config.portal.config import PortalSettings
from hub_config.portal.security import Session
from hub_config.portal.site import SESSION_COOKIE

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "bench"
TIMES, PREFIX = 100, "/services/portal/"
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

    recall = caller


def measure(pilot: Pilot, times: int = TIMES) -> dict[str, Any]:
    """Everything that is measured of one size."""
    engine = open_database(f"sqlite:///{FOLDER / f'r{pilot.factor}.db'}")
    with reading(engine) as session:
        if session.scalar(select(CourseRun.id).limit(1)) is None:
            build(engine, pilot)
    collect_little()
    luck, now = random.Random(1), [_after_all(engine, pilot)]
    with _client(engine, pilot, now) as client:
        site = client.app.state.portal  # type: ignore[attr-defined]
        found: dict[str, Any] = {
            "learners": pilot.factor * pilot.runs * pilot.learners,
            "course_runs": len(pilot.course_runs),
        }
        found |= _warm_up(site, engine)
        pages = {name: _page(client, engine, pilot, path, now, luck, times) for name, path in PAGES.items()}
        found["pages"] = pages
        found["institution_page_p95_ms"] = max(page["p95_ms"] for page in pages.values())
        for name, page in pages.items():
            print(f"  {pilot.factor}x {name}: {page}", flush=True)
        run = pilot.course_runs[7]
        _memories.clear()
        path = f"office/inst-{run.institution:02d}/{run.id}/reports/attendance?file=xlsx&month=2026-06"
        found["month_xlsx_seconds"] = round(_get(client, path), 3)
        found |= _programme(client, site, luck.sample(pilot.course_runs, pilot.runs), times)
    found |= _recompute(engine, luck.sample(pilot.course_runs, pilot.runs), len(pilot.course_runs), now[0])
    found["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(found), flush=True)
    return found


def _after_all(engine: Any, pilot: Pilot) -> Any:
    """The pilot's now, or later where this bench wrote check-ins before: a state is kept only of a moment after every event."""
    with reading(engine) as session:
        newest = session.scalar(select(Event.at).order_by(Event.seq.desc()).limit(1))
    return max(pilot.now, newest)


def _warm_up(site: Any, engine: Any) -> dict[str, Any]:
    """Wait until the keeper has walked the journal once, and then folded what it keeps."""
    began = time.perf_counter()
    while site.journal._standing is None or _due(engine, site.settings.now()):
        time.sleep(0.5)
    return {"warm_seconds": round(time.perf_counter() - began, 1)}


def _page(
    client: TestClient, engine: Any, pilot: Pilot, path: str, now: list[Any], luck: random.Random, times: int
) -> dict[str, float]:
    seconds: list[float] = []
    for number in range(times):
        run = luck.choice(pilot.course_runs)
        if number % 5 == 0:
            now[0] += timedelta(seconds=1)
            _check_in(engine, run.id, luck.choice(run.learners), now[0])
        seconds.append(_get(client, path.format(institution=f"inst-{run.institution:02d}", course=run.id)))
    return {"p95_ms": _p95(seconds), "median_ms": round(statistics.median(seconds) * 1000, 1), "requests": len(seconds)}


def _programme(client: TestClient, site: Any, runs: Sequence[Run], times: int) -> dict[str, Any]:
    """The sums of some runs counted anew, then the programme's page; what is not counted yet it counts while asked."""
    began = time.perf_counter()
    for run in runs:
        site.rollup.recount(run.id)
    spent = time.perf_counter() - began
    p95 = _p95([_get(client, f"programme/{PROGRAMME}") for _ in range(times)])
    site.rollup.stop()
    return {"summaries_counted": len(runs), "summaries_seconds": round(spent, 1), "programme_page_p95_ms": p95}


def _recompute(engine: Any, runs: Sequence[Run], of: int, now: Any) -> dict[str, Any]:
    """Every decision of some runs from its events, scaled to all runs where these are not all."""
    began = time.perf_counter()
    for run in runs:
        with reading(engine) as session:
            fold(session, find_course(session, run.id), now)
    spent = time.perf_counter() - began
    return {"recomputed_runs": len(runs), "recompute_all_seconds": round(spent * of / len(runs), 1)}


def _client(engine: Any, pilot: Pilot, now: list[Any]) -> TestClient:
    assets = FOLDER / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    (assets / "htmx.js").write_text("")
    settings = PortalSettings(
        prefix=PREFIX, hub_url="http://hub.test", hub_api_url="http://hub.test/hub/api", api_token="bench",
        secret=b"a secret of the bench", htmx_file=assets / "htmx.js", fonts_folder=assets, paper_fonts_folder=assets, keys_folder=FOLDER / "keys", gateway_url=None,
        grade_command=("true",), feedback_command=("true",), similar_command=("true",), release_command=("true",), prepare_command=("true",),
        courses_folder=FOLDER / "courses", looks_folder=FOLDER / "looks", now=lambda: now[0],
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
        day = now.astimezone(SEOUL).date().isoformat()
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
