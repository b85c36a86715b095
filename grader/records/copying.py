"""Copying all records from one database into another, empty one. The rule: one moment of the source, every row, the same hashes."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, insert, select, text

from grader.records.models import Base
from labs.texts import UserError

AT_ONCE = 500


class NotEmpty(UserError):
    """A database that holds records already."""


def copy_records(source: Engine, target: Engine) -> int:
    """Copy every table as it is at one moment; the number of rows. NotEmpty where the target holds anything."""
    with source.connect() as reading, target.begin() as writing:
        if source.dialect.name == "postgresql":
            reading.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        else:
            reading.execute(text("BEGIN"))
        if target.dialect.name == "sqlite":
            writing.execute(text("BEGIN IMMEDIATE"))
        return sum(_copy(reading, writing, name) for name in (table.name for table in Base.metadata.sorted_tables))


def _copy(reading: Connection, writing: Connection, name: str) -> int:
    table, copied = Base.metadata.tables[name], 0
    if writing.scalar(select(func.count()).select_from(table)):
        raise NotEmpty(
            f"기록을 넣을 데이터베이스가 비어 있지 않습니다({name}).",
            f"the database is not empty: {name} has rows already",
        )
    rows = reading.execution_options(yield_per=AT_ONCE).execute(select(table).order_by(*table.primary_key))
    for part in rows.partitions():
        writing.execute(insert(table), [dict(row._mapping) for row in part])
        copied += len(part)
    return copied
