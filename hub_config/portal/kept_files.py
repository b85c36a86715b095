"""Uploaded files between their preview and their applying. The rule: nobody else reads them, and after an hour they are gone."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from labs.texts import UserError

KEPT = timedelta(hours=1)
#: Files of a course run that wait at the same time; a newer one takes the place of the oldest.
MOST = 20
#: How often what is too old is looked for.
SWEEP_SECONDS = 60
_SWEEPING: set[Path] = set()
_SWEEPING_LOCK = threading.Lock()
_HASH = re.compile(r"[0-9a-f]{64}")


class NotKept(UserError):
    """A file that is not there any more, or never was."""


class KeptFiles:
    """Files of a course run by their SHA-256, in a folder of the data folder."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder, self._now = folder, now

    def put(self, course: str, data: bytes) -> str:
        """Keep a file; gives its SHA-256."""
        self.purge()
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(course, sha256)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        at = self._now().timestamp()
        os.utime(path, (at, at))
        waiting = sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime_ns)
        for oldest in [one for one in waiting if one != path][: max(0, len(waiting) - MOST)]:
            oldest.unlink(missing_ok=True)
        self._sweep_later()
        return sha256

    def get(self, course: str, sha256: str) -> bytes:
        """A kept file; NotKept where its hour is over, where it was applied, or where the name is none."""
        self.purge()
        try:
            return self._path(course, sha256).read_bytes()
        except (OSError, ValueError):
            raise NotKept(
                "올린 파일이 없습니다. 적용했거나 1시간이 지난 파일은 지워집니다. 파일을 다시 올리세요.",
                "the uploaded file is not there: once applied, or after an hour, it is deleted; upload it again",
            ) from None

    def drop(self, course: str, sha256: str) -> None:
        """Forget a file."""
        with suppress(OSError, ValueError):
            self._path(course, sha256).unlink()

    def purge(self) -> None:
        """Forget what is older than an hour."""
        oldest = (self._now() - KEPT).timestamp()
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _sweep_later(self) -> None:
        """One timer for the folder, as long as there is a file in it."""
        with _SWEEPING_LOCK:
            if self._folder in _SWEEPING:
                return
            _SWEEPING.add(self._folder)
        timer = threading.Timer(SWEEP_SECONDS, self._sweep)
        timer.daemon = True
        timer.start()

    def _sweep(self) -> None:
        self.purge()
        with _SWEEPING_LOCK:
            _SWEEPING.discard(self._folder)
        if any(self._folder.glob("*/*")):
            self._sweep_later()

    def _path(self, course: str, sha256: str) -> Path:
        if not _HASH.fullmatch(sha256):
            raise ValueError("not a SHA-256")
        # Of a course's id only its hash becomes a name.
        return self._folder / hashlib.sha256(course.encode()).hexdigest()[:32] / sha256
