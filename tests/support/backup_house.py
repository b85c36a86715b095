"""A data folder as a Practicum leaves it, to be backed up and restored."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger_support import NO_LIMITS, open_ledger, opening
from small_course import COURSE, MONDAY_TEN, fill
from sqlalchemy import Engine, text

from grader.records import anchors, work
from grader.records.blobs import BlobStore, manifest_of
from grader.records.chain import Finding, rows
from grader.records.db import open_database, reading, writing
from grader.records.state import find_course
from hub_config.ai_gateway.ledger import Settlement
from hub_config.backup import restore, sealed
from hub_config.backup.faults import BadBackup
from hub_config.heads import head_export
from hub_config.settings import Settings

PASSPHRASE = "열두 글자보다 긴 암호"
LAB = "rough-cut"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase that is guessed faster: the tests open many."""
    assert sealed.WORK >= 17
    monkeypatch.setattr(sealed, "WORK", 10)


class House:
    """A data folder as a Practicum leaves it, over one of the two databases."""

    def __init__(self, folder: Path, database: str) -> None:
        self.data = folder / "var"
        url = None if database.startswith("sqlite") else database
        self.settings = Settings(data=self.data, database_url=url)
        self.engine = open_database(self.settings.records_database)
        fill(self.engine)
        self.blobs = BlobStore(self.data / "records" / "blobs")
        self.hand_in(b"a clip")
        for path, content in {
            "courses/course-a/source/lab/한글 이름.md": "글".encode(),
            "courses/course-a/logs/ann/lab.log": b"x" * 100,
            f"homes/ann/{'긴이름' * 20}/{'x' * 120}.txt": b"long",
            "homes/ann/run.sh": b"#!/bin/sh",
            "secrets/class-codes": b"a" * 64,
            "run/settings.yaml": b"language: ko\n",
            "logs/portal.log": b"never kept",
            "models/weights": b"never kept",
        }.items():
            self.put(path, content)
        (self.data / "homes" / "ann" / "run.sh").chmod(0o4755)
        self.database("courses/course-a/gradebook.db")
        self.database("hub/jupyterhub.sqlite")
        self.receipts()
        head_export(self.settings).export(self.engine, MONDAY_TEN)

    def put(self, path: str, content: bytes) -> Path:
        file = self.data / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def database(self, path: str) -> None:
        self.put(path, b"").unlink()
        with closing(sqlite3.connect(self.data / path)) as made, made:
            made.execute("CREATE TABLE t (n)")
            made.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(1000)])

    def receipts(self) -> None:
        async def call() -> tuple[int, str]:
            ledger = await open_ledger(self.data / "ai" / "gateway.db")
            made = opening()
            assert await ledger.reserve(made, NO_LIMITS) is None
            ledger.settle(made.receipt, Settlement("ok", cost_krw=1))
            await ledger.flush()
            head = await ledger.head()
            await ledger.close()
            return head

        number, digest = asyncio.run(call())
        with writing(self.engine) as session:
            anchors.add(session, anchors.Anchor(number=number, hash=digest), "ai-gateway")

    def hand_in(self, content: bytes) -> None:
        manifest = manifest_of([self.blobs.put(io.BytesIO(content), "final.mp4")])
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            work.release(session, run, LAB, manifest, actor="eve", due_at=None, now=MONDAY_TEN)
            work.submit(session, run, LAB, manifest, learner="ann", now=MONDAY_TEN)

    def files(self, *folders: str) -> dict[str, bytes]:
        found = [path for folder in folders for path in (self.data / folder).rglob("*") if path.is_file()]
        return {str(path.relative_to(self.data)): path.read_bytes() for path in found}


@pytest.fixture
def house(tmp_path: Path, database: str) -> Iterator[House]:
    made = House(tmp_path, database)
    yield made
    made.engine.dispose()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[House]:
    """On SQLite only, where the database makes no difference."""
    made = House(tmp_path, "sqlite://")
    yield made
    made.engine.dispose()


def events_of(engine: Engine) -> list[tuple[Any, ...]]:
    with reading(engine) as session:
        return [tuple(row) for row in rows(session) if not isinstance(row, Finding)]


def refused(file: Path, folder: Path, passphrase: str | None = None) -> str:
    """The sentence with which a backup is refused, and nothing is left of it."""
    with pytest.raises(BadBackup) as error:
        restore.restore(file, folder, passphrase)
    assert not folder.exists()
    with pytest.raises(BadBackup):
        restore.verify(file, passphrase)
    for said in (error.value.text.ko, error.value.text.en):
        assert "\n" not in said
    return error.value.text.en


def sql(house: House, statement: str) -> None:
    with house.engine.begin() as connection:
        connection.execute(text(statement))
