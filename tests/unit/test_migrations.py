"""Every migration goes up and down again on both databases, and at the end stands what the models say."""

from __future__ import annotations

import threading
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from postgres import Postgres
from small_course import fill
from sqlalchemy import inspect

from grader.records.db import migrations, open_database
from grader.records.models import Base


def test_migrations_go_up_and_down(database: str) -> None:
    engine = open_database(database)
    tables = set(inspect(engine).get_table_names())
    assert set(Base.metadata.tables) <= tables
    fill(engine)
    with engine.begin() as connection:
        command.downgrade(migrations(connection), "base")
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
        command.upgrade(migrations(connection), "head")
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    # Migration 0003 says why this one is no foreign key in the database.
    assert [diff for diff in found if not _is_approved_id(diff)] == []
    fill(engine)
    engine.dispose()


def _is_approved_id(diff: Any) -> bool:
    return diff[0] == "add_fk" and [column.name for column in diff[1].columns] == ["approved_id"]


def test_many_that_start_at_once_make_the_tables_once(postgres: Postgres) -> None:
    url, failed = postgres.make(), list[Exception]()

    def start() -> None:
        try:
            open_database(url).dispose()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    postgres.drop(url)
    assert failed == []
