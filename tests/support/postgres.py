"""A real PostgreSQL for the tests: one server on a socket of its own, and a database for each test from a migrated template."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from grader.records.db import open_database

TEMPLATE = "practicum_template"


def binary(name: str) -> str:
    """A program of PostgreSQL's server; Debian keeps them off the PATH."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))]
    chosen = found[-1] if found else shutil.which(name)
    assert chosen, f"{name} is missing: sh tests/install_programs.sh"
    return chosen


class Postgres:
    """A running server; its files are gone with it."""

    def __init__(self, *, safe: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="practicum-pg-"))
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, self.user, self.user)
        self._run("initdb", "-D", "data", "-U", "practicum", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        careless = [] if safe else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        argv = [
            binary("postgres"),
            "-D",
            "data",
            "-k",
            str(self.folder),
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=200",
        ]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*argv, *careless], stdout=log, stderr=log, preexec_fn=_end_with_the_tests, **self._as_user()
            )
        self._wait()

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://practicum@/{database}?host={self.folder}"

    def make(self, template: str = "template1") -> str:
        """A new database; its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.say(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def migrated(self) -> str:
        """A new database with all tables; its URL."""
        if not getattr(self, "_has_template", False):
            self.say(f"CREATE DATABASE {TEMPLATE}")
            open_database(self.url(TEMPLATE)).dispose()
            self._has_template = True
        return self.make(TEMPLATE)

    def drop(self, url: str) -> None:
        self.say(f"DROP DATABASE {url.partition('@/')[2].partition('?')[0]} WITH (FORCE)")

    def say(self, statement: str) -> None:
        with psycopg.connect(f"host={self.folder} user=practicum dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        shutil.rmtree(self.folder)

    def _run(self, name: str, *argv: str) -> None:
        subprocess.run([binary(name), *argv], check=True, capture_output=True, **self._as_user())

    def _as_user(self) -> dict[str, object]:
        mine = os.getuid() != 0
        return {"cwd": self.folder} | ({} if mine else {"user": self.user, "group": self.user, "extra_groups": []})

    def _wait(self) -> None:
        for _ in range(200):
            try:
                return self.say("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                subprocess.run(["sleep", "0.05"], check=True)
        raise AssertionError("PostgreSQL does not answer")


def _end_with_the_tests() -> None:
    """A killed test leaves no server behind (after the user was changed, which would undo it)."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


@contextmanager
def running(*, safe: bool = False) -> Iterator[Postgres]:
    """A server for as long as it is needed; `safe`: with its syncs to the disk, as in real use."""
    server = Postgres(safe=safe)
    try:
        yield server
    finally:
        server.stop()
