"""SQLite connections that look again soon where the database is locked.

The rule: who waits looks each millisecond. SQLite's own waiting sleeps up to a tenth of a second between two looks, also where
the lock was free after two milliseconds; and a writer that sleeps so before its commit keeps every reader waiting meanwhile.
Tried again are a statement outside of a transaction, the BEGIN IMMEDIATE of one, and its COMMIT, as SQLite allows
(https://www.sqlite.org/rescode.html#busy). Within one no lock is asked for: `cache_spill=OFF` writes nothing before its end.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

LOOK_SECONDS, WAIT_SECONDS = 0.001, 20.0


class Cursor(sqlite3.Cursor):
    """Executes when it may."""

    def execute(self, *args: Any) -> Cursor:
        """Execute a statement; OperationalError where the database stays locked for too long."""
        _patiently(super().execute, *args)
        return self


class Connection(sqlite3.Connection):
    """Commits when it may, and gives cursors that execute when they may."""

    def cursor(self, *_args: Any) -> Any:
        """A cursor of this connection."""
        return super().cursor(Cursor)

    def commit(self) -> None:
        """Commit; OperationalError where the database stays locked for too long."""
        _patiently(super().commit)


def _patiently(call: Callable[..., object], *args: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            call(*args)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(LOOK_SECONDS)
