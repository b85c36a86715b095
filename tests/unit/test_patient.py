"""Who waits for SQLite's lock is there soon after it is free, in any number of processes, and loses nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from grader.records import patient
from grader.records.db import engine_for, reading, writing

#: SQLite's own looks come after 128 and 178 milliseconds: who waits for this one's end waits for forty in vain.
HELD_SECONDS, SLACK_SECONDS = 0.138, 0.020
ADDS = """
import sys
from sqlalchemy import text
from grader.records.db import engine_for, writing
engine = engine_for(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with writing(engine) as session:
        session.execute(text("UPDATE sums SET value = value + 1"))
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'records.db'}"
    with writing(engine_for(url)) as session:
        session.execute(text("CREATE TABLE sums (value INTEGER NOT NULL, more TEXT)"))
        session.execute(text("INSERT INTO sums VALUES (0, '')"))
    return url


@contextmanager
def held(url: str) -> Iterator[None]:
    """Somebody writes for a while: nobody else reads."""
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    ends = threading.Timer(HELD_SECONDS, other.rollback)
    ends.start()
    try:
        yield
    finally:
        ends.join()
        other.close()


def read(engine: Engine) -> float:
    """How long a read takes while somebody writes."""
    with engine.connect() as connection, held(str(engine.url)):
        began = time.perf_counter()
        assert connection.execute(text("SELECT value FROM sums")).scalar() == 0
        return time.perf_counter() - began


def write(engine: Engine) -> float:
    """The same of a write."""
    with held(str(engine.url)):
        began = time.perf_counter()
        with writing(engine) as session:
            session.execute(text("UPDATE sums SET value = 0"))
        return time.perf_counter() - began


@pytest.mark.parametrize("waits", [read, write])
def test_who_waits_is_there_soon_after_the_lock_is_free(url: str, waits: object) -> None:
    assert callable(waits)
    own = create_engine(url)
    assert max(waits(own) for _ in range(3)) > HELD_SECONDS + SLACK_SECONDS, "SQLite's own waiting comes too late"
    assert min(waits(engine_for(url)) for _ in range(8)) < HELD_SECONDS + SLACK_SECONDS


def test_who_waits_too_long_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patient, "WAIT_SECONDS", 0.02)
    with pytest.raises(Exception, match="database is locked"):
        read(engine_for(url))
    assert read(create_engine(url)) > HELD_SECONDS


def test_what_is_wrong_is_said_at_once(url: str) -> None:
    began = time.perf_counter()
    with pytest.raises(Exception, match="no such table"), reading(engine_for(url)) as session:
        session.execute(text("SELECT * FROM others"))
    assert time.perf_counter() - began < 5


def test_a_commit_waits_for_who_reads(url: str) -> None:
    engine = engine_for(url)
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN")
    other.execute("SELECT value FROM sums").fetchone()
    threading.Timer(0.1, other.rollback).start()
    with writing(engine) as session:
        session.execute(text("UPDATE sums SET value = 7"))
    with reading(engine) as session:
        assert session.execute(text("SELECT value FROM sums")).scalar() == 7


def test_a_large_transaction_writes_nothing_before_its_end(url: str) -> None:
    """More than fits SQLite's cache: written early, it would need a lock while others read."""
    engine = engine_for(url)
    with reading(engine) as reader, writing(engine) as session:
        for _ in range(40):
            session.execute(text("INSERT INTO sums VALUES (1, :more)"), {"more": "x" * 200_000})
            assert reader.execute(text("SELECT count(*) FROM sums")).scalar() == 1
    with reading(engine) as session:
        assert session.execute(text("SELECT count(*) FROM sums")).scalar() == 41


def test_processes_that_write_at_once_lose_nothing(url: str) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", ADDS, url, "40"]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with reading(engine_for(url)) as session:
        assert session.execute(text("SELECT value FROM sums")).scalar() == 120
