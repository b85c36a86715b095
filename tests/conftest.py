"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from postgres import Postgres, running
from small_course import fill
from sqlalchemy import Engine
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from grader.records.db import open_database


class ByFile(LoadFileScheduling):
    """A file's tests go to one worker, and those of all files that share a running Practicum too: to start it takes a minute."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "practicum" if _shares_practicum(self.config.rootpath / file) else file


@cache
def _shares_practicum(file: Path) -> bool:
    return file.parent.name == "browser" and "practicum: Installation" in file.read_text("utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """What `--dist loadfile` means here."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, made once and copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "records.db"
    open_database(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture
def sqlite(tmp_path: Path, migrated: Path) -> str:
    """The URL of an empty SQLite database."""
    folder = tmp_path / "records"
    folder.mkdir(mode=0o700)
    return f"sqlite:///{shutil.copy(migrated, folder / 'records.db')}"


@pytest.fixture
def engine(sqlite: str) -> Iterator[Engine]:
    """Records on disk, with the small course in them."""
    engine = open_database(sqlite)
    fill(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL for all tests of a session."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.migrated()
    yield url
    server.drop(url)
