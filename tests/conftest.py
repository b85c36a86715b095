"""Fixtures that several kinds of tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_course import fill
from sqlalchemy import Engine

from grader.records.db import open_database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Records on disk, with the small course in them."""
    engine = open_database(f"sqlite:///{tmp_path / 'records' / 'records.db'}")
    fill(engine)
    yield engine
    engine.dispose()
