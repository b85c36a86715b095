"""Opening the records database: SQLite by default, PostgreSQL by its URL.

SQLite runs with `journal_mode=DELETE` and `synchronous=FULL`: SQLite below 3.51.3 can lose a write-ahead log when several
connections reset it, so no WAL here. A writing transaction takes the write lock at its start; `patient.py` waits for locks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from grader.records import patient
from labs.texts import UserError

#: PostgreSQL's advisory lock that serialises writers of the journal.
JOURNAL_LOCK = 0x70726163


class NoDriver(UserError):
    """A database whose driver is not installed."""


def open_database(url: str) -> Engine:
    """Make an engine and bring the schema up to date."""
    engine = engine_for(url)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # two that start at once would make the tables twice
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": JOURNAL_LOCK})
        command.upgrade(migrations(connection), "head")
    return engine


def migrations(connection: Connection) -> Config:
    """Alembic's configuration of our migrations, on a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session for reading."""
    with Session(engine) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session that holds the journal's write lock and commits at its end, or leaves nothing behind."""
    with Session(engine, expire_on_commit=False, info={"writes": True}) as session, session.begin():
        if engine.dialect.name == "sqlite":
            session.execute(text("BEGIN IMMEDIATE"))
        else:
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": JOURNAL_LOCK})
        yield session


def engine_for(url: str) -> Engine:
    """Make an engine as the records need it, and leave the schema as it is."""
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"factory": patient.Connection, "timeout": 0})
        _set_up_sqlite(engine)
        if engine.url.database:
            path = Path(engine.url.database)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
        return engine
    try:
        engine = create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise NoDriver(
            f"PostgreSQL에 필요한 파이썬 꾸러미 {error.name}이(가) 없습니다. practicum[postgresql]을 설치하세요.",
            f"the Python package {error.name} is missing, which PostgreSQL needs: install practicum[postgresql]",
        ) from None
    _set_up_postgresql(engine)
    return engine


def _set_up_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # Whatever the server's own default: what was acknowledged is on disk.
        connection.execute("SET synchronous_commit = on")
        connection.commit()


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late to take the write lock: we say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", "cache_spill=OFF"):
            cursor.execute(f"PRAGMA {pragma}")
