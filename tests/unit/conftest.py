"""Unit tests that stand on the records run on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from small_course import fill
from sqlalchemy import Engine

from grader.records.db import open_database


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """Records with the small course in them, in SQLite and in PostgreSQL."""
    engine = open_database(database)
    fill(engine)
    yield engine
    engine.dispose()
