"""A ledger on disk for tests: opening it, copying what a kill or a power cut would leave, and the sums that must agree."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub_config.ai_gateway.config import Limit
from hub_config.ai_gateway.ledger import Amount, Ledger, Limits, Opening, Place, new_receipt_id

SEOUL = ZoneInfo("Asia/Seoul")
NO_LIMITS = Limits(Limit(), Limit(), Limit(), Limit())
ANN = Place("ann", "video", "rough-cut")


@dataclass
class Clock:
    """A clock that a test sets."""

    at: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 3, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **time: float) -> None:
        self.at += timedelta(**time)


def limits(**of: Limit) -> Limits:
    none = {"learner": Limit(), "lab": Limit(), "course": Limit(), "institution": Limit()}
    return Limits(**none | of)


def opening(krw: int = 1, tokens: int = 10, place: Place = ANN, **fields: Any) -> Opening:
    known = {"endpoint": "chat", "model": "lab-default", "upstream": "built-in", "prompt": "[]", "retention_days": 30}
    hashes = {"request_sha256": "1" * 64, "prompt_sha256": "2" * 64}
    return Opening(receipt=new_receipt_id(), place=place, reserve=Amount(krw, tokens), **known | hashes | fields)


async def open_ledger(path: Path, **settings: Any) -> Ledger:
    known = {
        "institution": "house",
        "zone": SEOUL,
        "lease": Amount(20, 200),
        "commit_seconds": 0.01,
        "kept_bytes": 10_000,
    }
    return await Ledger.open(path, **known | settings)


def spool_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.spool-*"), key=lambda each: int(each.name.rpartition("-")[2]))


def as_killed(path: Path, to: Path) -> Path:
    """Copy what is on the disk when the process is killed now; no commit may be under way."""
    shutil.copytree(path.parent, to)
    to.chmod(0o700)
    return to / path.name


def as_after_power_loss(path: Path, to: Path, kept: float) -> Path:
    """Copy what may be on the disk when the machine starts anew: the database, and a part of the spool."""
    copy = as_killed(path, to)
    for file in spool_files(copy):
        data = file.read_bytes()
        header, newline, events = data.partition(b"\n")
        header = header.replace(header[header.index(b'"boot":') :], b'"boot":"another"}')
        file.write_bytes((header + newline + events)[: int(kept * (len(header) + 1 + len(events)))])
    return copy


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def leaf_sums(path: Path) -> dict[tuple[str, ...], tuple[int, int]]:
    found = rows(path, "SELECT learner, course, lab, day, spent_krw, spent_tokens FROM leaves")
    return {row[:4]: row[4:] for row in found if row[4:] != (0, 0)}


def receipt_sums(path: Path) -> dict[tuple[str, ...], tuple[int, int]]:
    found = rows(
        path, "SELECT learner, course, lab, day, sum(cost_krw), sum(cost_tokens) FROM receipts GROUP BY 1, 2, 3, 4"
    )
    return {row[:4]: row[4:] for row in found if row[4:] != (0, 0)}
