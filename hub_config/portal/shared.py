"""What the portal's processes tell each other, in a small database beside them.

The rule: nothing in it is a record. Practicum empties it at each start, and a process that is started again clears away what
the one before it held. So its writes wait for no disk; that a process is killed in one of them costs nothing.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Rows = list[tuple[Any, ...]]
WAIT_SECONDS = 20


class Shared:
    """A database that all processes of a portal have open; in memory, and this process's alone, without a path."""

    def __init__(self, path: Path | None = None, process: int = 1) -> None:
        self.process = process
        self._lock = threading.Lock()
        if path is not None:
            path.touch(mode=0o600)
        self._database = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False, timeout=WAIT_SECONDS
        )
        for pragma in ("journal_mode=TRUNCATE", "synchronous=OFF"):
            self._database.execute(f"PRAGMA {pragma}")

    def read(self, query: str, *values: Any) -> Rows:
        """Ask one question."""
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[Callable[..., Rows]]:
        """A transaction that no other process or thread comes between; gives what to put its statements to."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield lambda statement, *values: self._database.execute(statement, values).fetchall()
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
