"""The pilot at full size as records: every region, institution, course run, learner, day, lab and AI receipt.

Made up, but whole: one seed gives the same records each time, in the order of time, with a chain that holds.
`factor` multiplies the course runs of each institution, and with them the learners.
"""

from __future__ import annotations

import json
import random
import sys
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import count as numbers
from itertools import groupby, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from sqlalchemy import Engine, insert
from sqlalchemy.schema import CreateIndex

from grader.records import attend, enrolments, journal, work
from grader.records.db import open_database
from grader.records.models import (
    Base,
    Course,
    CourseLab,
    CourseRun,
    Enrolment,
    Event,
    Institution,
    Person,
    Programme,
    Region,
    TrainingDayRow,
)
from grader.rules import Rules
from hub_config.ai_gateway.ledger.rows import CHAINED
from hub_config.ai_gateway.ledger.store import Store
from hub_config.seed import DEMO

PROGRAMME = "ai-transition-2026"
SEOUL = ZoneInfo("Asia/Seoul")
INSTITUTIONS, RUNS, LEARNERS, DAYS = 84, 113, 30, 120
FIRST = date(2026, 3, 2)
#: From the first day of the runs that began first to a Tuesday, or what stands for one, on which all of them go on.
BEFORE = timedelta(weeks=23, days=1)
OCCUPATIONS = ("video_content", "uiux_design", "publishing")
#: Assignments of the instructors' own: no pack builds them.
LABS = (
    ("own-rough-cut", "인터뷰 1차 편집", "Rough cut of an interview"),
    ("own-wireframe", "랜딩 페이지 와이어프레임", "Wireframe of a landing page"),
    ("own-proposal", "출간 제안서", "Book proposal"),
    ("own-storyboard", "스토리보드", "Storyboard"),
    ("own-subtitles", "자막", "Subtitles"),
    ("own-portfolio", "포트폴리오", "Portfolio"),
)
SURNAMES = "김이박최정강조윤장임한오서신권황안송류홍"
SYLLABLES = "가나다라마바사아자하고노도로모보소오호구누두루무수우주하해미지진현은영민준서윤"
BATCH = 50_000
INSERT = (
    "INSERT INTO event (seq, id, at, actor, kind, course_id, subject, payload, previous, hash) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
CALLS = 12
#: Ids of events rise, so that millions of them are written in the order of their index.
ORDER = numbers(1)


@dataclass(frozen=True)
class Run:
    """A course run of the pilot."""

    number: int
    institution: int
    learners: tuple[str, ...]
    days: tuple[date, ...]
    zone: ZoneInfo

    @property
    def id(self) -> str:
        return f"run-{self.number:04d}"

    @property
    def occupation(self) -> str:
        return OCCUPATIONS[self.institution % len(OCCUPATIONS)]


@dataclass(frozen=True)
class Pilot:
    """The pilot's size; the same seed gives the same records."""

    factor: int = 1
    institutions: int = INSTITUTIONS
    runs: int = RUNS
    learners: int = LEARNERS
    days: int = DAYS
    seed: int = 2026
    first: date = FIRST
    zone: ZoneInfo = SEOUL
    #: Nothing has happened later; None: ten in the morning of the last day of the runs that began last.
    until: datetime | None = None

    @classmethod
    def under_way(cls, now: datetime) -> Pilot:
        """A pilot whose runs are all in their last weeks, in a time zone where it is ten in the morning of a training day."""
        ahead = 10 - now.hour if now.hour < 23 else 11
        zone = ZoneInfo(f"Etc/GMT{-ahead:+d}")
        return cls(first=now.astimezone(zone).date() - BEFORE, zone=zone, until=now)

    @cached_property
    def regions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = yaml.safe_load(DEMO.read_text("utf-8"))["regions"]
        return found

    @cached_property
    def course_runs(self) -> list[Run]:
        """Institutions have one run each in turn, until all runs are given out; a quarter begins each week of a month."""
        return [
            Run(number, number % self.institutions, tuple(f"p{number:04d}{seat:02d}" for seat in range(self.learners)),
                _weekdays(self.first + timedelta(weeks=number % 4), self.days), self.zone)
            for number in range(self.runs * self.factor)
        ]  # fmt: skip

    @property
    def now(self) -> datetime:
        """The moment at which the records end."""
        last = datetime.combine(max(run.days[-1] for run in self.course_runs), time(10), self.zone)
        return self.until or last.astimezone(UTC)


def build(engine: Engine, pilot: Pilot) -> int:
    """Write the pilot into empty records (SQLite); gives the number of events."""
    with engine.connect() as connection:
        # Records of a bench need not outlive the machine's power.
        connection.exec_driver_sql("PRAGMA synchronous=OFF")
        connection.exec_driver_sql("PRAGMA cache_size=-300000")
        connection.exec_driver_sql("BEGIN")
        for table, rows in _rows(pilot):
            connection.execute(insert(table), rows)
        indexes = [(index.name, CreateIndex(index)) for index in Event.__table__.indexes]
        for name, _ in indexes:
            connection.exec_driver_sql(f"DROP INDEX {name}")
        count = 0
        for batch in _batches(_chained(_events(pilot))):
            connection.exec_driver_sql(INSERT, batch)
            count += len(batch)
        for _, index in indexes:
            connection.execute(index)
        connection.commit()
        connection.exec_driver_sql("ANALYZE")
        return count


def _rows(pilot: Pilot) -> Iterator[tuple[type[Base], list[dict[str, Any]]]]:
    luck = random.Random(pilot.seed)
    regions, runs = pilot.regions, pilot.course_runs
    yield Region, [{"id": r["id"], "title_ko": r["title"]["ko"], "title_en": r["title"]["en"]} for r in regions]
    yield Programme, [{"id": PROGRAMME, "title_ko": "2026 AI 전환 훈련", "title_en": "AI transition training 2026",
                       "rules": Rules().model_dump(mode="json")}]  # fmt: skip
    yield Institution, [
        {"id": f"inst-{n:02d}", "title_ko": f"훈련원 {n:02d}", "title_en": f"Training centre {n:02d}",
         "region": regions[n % len(regions)]["id"], "time_zone": pilot.zone.key}
        for n in range(pilot.institutions)
    ]  # fmt: skip
    yield Course, [
        {"id": f"course-{run.number:04d}", "institution_id": f"inst-{run.institution:02d}", "title_ko": "AI 활용 실무",
         "title_en": "AI at work", "occupation": run.occupation, "tuition_krw": 5_000_000}
        for run in runs
    ]  # fmt: skip
    yield CourseRun, [
        {"id": run.id, "programme_id": PROGRAMME, "institution_id": f"inst-{run.institution:02d}", "title_ko": f"AI 활용 실무 {run.number}회차",
         "title_en": f"AI at work, round {run.number}", "lang": "ko", "place": "3층", "starts_on": run.days[0], "ends_on": run.days[-1],
         "approved_id": f"course-{run.number:04d}", "place_class": "elsewhere", "hours": 960}
        for run in runs
    ]  # fmt: skip
    yield (
        TrainingDayRow,
        [{"course_id": run.id, "day": day, "starts": time(9), "ends": time(18)} for run in runs for day in run.days],
    )
    yield CourseLab, [
        {"course_id": run.id, "lab_id": lab, "position": n, "required": n < 4, "title_ko": ko, "title_en": en, "minutes": 120, "pass_percent": 60}
        for run in runs for n, (lab, ko, en) in enumerate(LABS)
    ]  # fmt: skip
    yield Person, [{"login": login, "name": _name(luck)} for run in runs for login in run.learners]
    yield Enrolment, [{"course_id": run.id, "login": login} for run in runs for login in run.learners]


def _name(luck: random.Random) -> str:
    return luck.choice(SURNAMES) + luck.choice(SYLLABLES) + luck.choice(SYLLABLES)


def _weekdays(first: date, count: int) -> tuple[date, ...]:
    """Five days of each seven, from the first on."""
    return tuple(first + timedelta(weeks=n // 5, days=n % 5) for n in range(count))


def _batches(events: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while batch := list(islice(events, BATCH)):
        yield batch


def _chained(events: Iterator[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """Give each event its place in the journal's chain, and its columns as SQLite keeps them."""
    previous = journal.GENESIS
    for seq, event in enumerate(events, 1):
        row = SimpleNamespace(**event, seq=seq, key=None, previous=previous)
        link = journal.digest(row)
        at = f"{row.at:%Y-%m-%d %H:%M:%S.%f}"
        yield seq, row.id, at, row.actor, row.kind, row.course_id, row.subject, json.dumps(row.payload), previous, link
        previous = link


def _events(pilot: Pilot) -> Iterator[dict[str, Any]]:
    """All events in the order of time, day by day over all runs."""
    luck = random.Random(pilot.seed + 1)
    gone: set[str] = set()
    on_day = sorted(
        ((day, n, run) for run in pilot.course_runs for n, day in enumerate(run.days)), key=lambda row: row[0]
    )
    for day, rows in groupby(on_day, key=lambda row: row[0]):
        found = [event for _, n, run in rows for event in _day(luck, run, n, day, gone)]
        found = [event for event in found if event["at"] <= pilot.now]
        yield from sorted(found, key=lambda event: event["at"])


def _day(luck: random.Random, run: Run, n: int, day: date, gone: set[str]) -> Iterator[dict[str, Any]]:
    """One day of a run: a twentieth is absent or excused, a tenth late or early; a lab every twenty days; some leave."""
    if n == 0:
        for lab, ko, en in LABS:
            own = {"title_ko": ko, "title_en": en, "minutes": 120, "pass_percent": 60, "required": True}
            payload = {"lab": lab, "sha256": "0" * 64, "manifest": {"files": []}, "due_at": None, "terms": None, **own}
            yield _event(luck, run, day, time(8), work.RELEASED, "grader", "", payload)
    for login in run.learners:
        if login in gone:
            continue
        if luck.random() < 0.0008:
            gone.add(login)
            payload = {"how": "dropout", "on": day.isoformat(), "reason": "개인 사정"}
            yield _event(luck, run, day, time(18, 30), enrolments.ENDED, "office", login, payload)
        yield from _attendance(luck, run, day, login)
        if n % 20 == 15:
            yield from _work(luck, run, day, login, LABS[n // 20][0])


def _attendance(luck: random.Random, run: Run, day: date, login: str) -> Iterator[dict[str, Any]]:
    chance, told = luck.random(), {"day": day.isoformat()}
    if chance < 0.04:
        return
    if chance < 0.05:
        payload = {**told, "check_in": None, "check_out": None, "excused": "질병", "reason": "진단서 확인"}
        yield _event(luck, run, day, time(18, 10), attend.CORRECTED, "teacher", login, payload)
        return
    late = luck.randrange(12, 90) if chance < 0.12 else -luck.randrange(30)
    early = luck.randrange(12, 120) if 0.12 <= chance < 0.16 else -luck.randrange(9)
    came = datetime.combine(day, time(9), run.zone) + timedelta(minutes=late, seconds=luck.randrange(60))
    left = datetime.combine(day, time(18), run.zone) - timedelta(minutes=early, seconds=luck.randrange(60))
    yield _event(luck, run, day, came, attend.CHECKED_IN, login, login, told)
    yield _event(luck, run, day, left, attend.CHECKED_OUT, login, login, told)


def _work(luck: random.Random, run: Run, day: date, login: str, lab: str) -> Iterator[dict[str, Any]]:
    """Handed in by most, graded the same day, with feedback; a fifth hands in twice."""
    for attempt in range(2 if luck.random() < 0.2 else 1):
        if luck.random() < 0.03:
            return
        minute = luck.randrange(50)
        files = [{"path": f"{lab}.ipynb", "size": 20_000, "sha256": f"{luck.getrandbits(256):064x}"},
                 {"path": "final.mp4", "size": 9_000_000, "sha256": f"{luck.getrandbits(256):064x}"}]  # fmt: skip
        payload = {"lab": lab, "sha256": f"{luck.getrandbits(256):064x}", "manifest": {"files": files}}
        handed_in = _event(luck, run, day, time(15 + attempt, minute), work.RECEIVED, login, login, payload)
        yield handed_in
        points = [luck.choice((0, 5, 8, 10, 10, 10)) for _ in range(10)]
        criteria = [{"id": f"criterion-{n}", "points": p, "max_points": 10} for n, p in enumerate(points)]
        graded = {"lab": lab, "submission": handed_in["id"], "points": sum(points), "max_points": 100, "final": True,
                  "criteria": criteria, "late_percent": 0, "late_points": 0, "note": ""}  # fmt: skip
        yield _event(luck, run, day, time(17, minute), work.GRADED, "grader", login, graded)
        told = {"lab": lab, "submission": handed_in["id"], "html": "1" * 64, "results": "2" * 64}
        yield _event(luck, run, day, time(17, minute, 30), work.FEEDBACK, "teacher", login, told)


def _event(
    luck: random.Random,
    run: Run,
    day: date,
    at: time | datetime,
    kind: str,
    actor: str,
    subject: str,
    payload: dict[str, Any],
) -> dict[str, Any]:
    moment = at if isinstance(at, datetime) else datetime.combine(day, at, run.zone)
    return {"id": f"{next(ORDER):012x}{luck.getrandbits(80):020x}", "at": moment.astimezone(UTC), "actor": actor, "kind": kind,
            "course_id": run.id, "subject": subject, "payload": payload}  # fmt: skip


def build_receipts(path: Path, pilot: Pilot) -> int:
    """Write the AI receipts of the pilot into a new gateway's ledger, with their chain; gives their number."""
    luck, count = random.Random(pilot.seed + 2), 0
    store = Store(path, "inst-00")
    try:
        for run in pilot.course_runs:
            days = [day for day in run.days if day < pilot.now.astimezone(run.zone).date()]
            rows = [receipt(luck, run, login, luck.choice(days)) for login in run.learners for _ in range(CALLS)]
            store.write(rows, [])
            count += len(rows)
    finally:
        store.close()
    return count


def receipt(luck: random.Random, run: Run, login: str, day: date) -> dict[str, Any]:
    """A call of a learner on a day, as the gateway writes it down."""
    at = datetime.combine(day, time(14, luck.randrange(60), luck.randrange(60)), run.zone).astimezone(UTC)
    return {
        **dict.fromkeys(CHAINED), "id": f"rcpt_{luck.getrandbits(96):024x}", "at": at.isoformat(timespec="milliseconds"),
        "day": day.isoformat(), "learner": login, "course": run.id, "lab": luck.choice(LABS)[0], "endpoint": "chat",
        "model": "lab-default", "upstream": "built-in", "outcome": "ok", "refused": 0, "prompt_tokens": luck.randrange(50, 900),
        "completion_tokens": luck.randrange(20, 500), "reserved_krw": 30, "reserved_tokens": 1500, "cost_krw": luck.randrange(1, 20),
        "cost_tokens": 500, "latency_ms": luck.randrange(400, 6000), "request_sha256": "1" * 64, "prompt_sha256": "2" * 64,
    }  # fmt: skip


if __name__ == "__main__":
    began, size = clock.monotonic(), Pilot(factor=int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    made = build(open_database(f"sqlite:///{sys.argv[1]}"), size)
    print(f"{made} events in {clock.monotonic() - began:.1f} s")
