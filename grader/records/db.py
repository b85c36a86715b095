"""Opening the records database: SQLite by default, PostgreSQL by its URL.

SQLite runs with `journal_mode=DELETE` and `synchronous=FULL`: SQLite below 3.51.3 can lose a write-ahead log when several
connections reset it, so no WAL here. A writing transaction takes the write lock at its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.orm import Session

#: PostgreSQL's advisory lock that serialises writers of the journal.
JOURNAL_LOCK = 0x70726163


def open_database(url: str) -> Engine:
    """Make an engine and bring the schema up to date."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine)
        if engine.url.database:
            path = Path(engine.url.database)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


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


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # The driver's own BEGIN comes too late to take the write lock: we say BEGIN ourselves.
        connection.isolation_level = None
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=20000"):
            connection.execute(f"PRAGMA {pragma}")
