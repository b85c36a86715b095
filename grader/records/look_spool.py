"""Looks on their way into the database, in a file beside it. The rule: a look is in the operating system's hands before what was
asked for is given, and none comes in twice.

A commit for each would have every page wait for the disk, and every reader of the records with it. So they come in together, a
second's at once; killing the portal loses none, and losing power at most those of the last second or two.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from grader.records import looks
from grader.records.db import writing

LOG = logging.getLogger(__name__)
EVERY_SECONDS, AGAIN_SECONDS = 1.0, 10.0


class LookSpool:
    """The looks of all processes of a portal that are not in the database yet."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._engine = engine
        self._file, self._taken = folder / "looks.jsonl", folder / "looks.taken.jsonl"
        self._write_lock, self._take_lock = folder / "looks.lock", folder / "looks.taken.lock"
        self._written, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="looks", daemon=True)

    def write(self, *, who: str, address: str, what: str, course: str, subject: str, now: datetime) -> None:
        """Write a look down; OSError where that cannot be, and then nothing of it is there."""
        look = {
            "who": who,
            "address": address,
            "what": what,
            "course": course,
            "subject": subject,
            "now": now.isoformat(),
        }
        line = json.dumps(look).encode() + b"\n"
        with _locked(self._write_lock), os.fdopen(_open(self._file, os.O_APPEND), "ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(line) < len(line):
                    raise OSError(f"{self._file}: the disk is full")
            except OSError:
                file.truncate(before)
                raise
        self._written.set()

    def take_in(self) -> None:
        """Bring what is written into the database, in one commit."""
        with _locked(self._take_lock):
            # What lies here from before may be in the database already, where a process ended between commit and deletion.
            if self._taken.exists():
                self._bring(again=True)
            with _locked(self._write_lock):
                if not self._file.exists():
                    return
                self._file.rename(self._taken)
            self._bring(again=False)

    def start(self) -> None:
        """Take in what an earlier portal left, and from now on what is written."""
        self._written.set()
        self._thread.start()

    def stop(self) -> None:
        """Take in what is left, and end."""
        self._stopping.set()
        self._written.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._written.wait()
            self._stopping.wait(EVERY_SECONDS)
            self._written.clear()
            try:
                self.take_in()
            except Exception:
                LOG.exception("looks are not in the database yet")
                self._written.set()
                self._stopping.wait(AGAIN_SECONDS)

    def _bring(self, *, again: bool) -> None:
        found = list(_read(self._taken))
        with writing(self._engine) as session:
            for look in found:
                if not (again and looks.is_noted(session, **look)):
                    looks.note(session, **look)
        self._taken.unlink()


def _read(file: Path) -> Iterator[dict[str, Any]]:
    """The looks of a file; what a power failure left of a line is said and passed over."""
    for line in file.read_bytes().splitlines():
        try:
            look = json.loads(line)
            yield {**look, "now": datetime.fromisoformat(look["now"])}
        except (ValueError, TypeError, KeyError):
            LOG.error("a look of %d bytes cannot be read", len(line))


def _open(path: Path, flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock against other threads and processes; it ends with who holds it."""
    held = _open(path, 0)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
