"""A sandbox with a template in it, as it is seen from outside: started early, asked for one child at a time, started again when it died."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.engine.warm.template import INBOX, WORK
from grader.sandbox import Sandbox, lab_folders, missing, why_missing

START_SECONDS, END_SECONDS = 60, 30


class SandboxDied(Exception):
    """The sandbox ended while something ran in it."""


@dataclass(frozen=True)
class View:
    """What a sandbox shows besides the submission, read-only, and its environment."""

    shown: tuple[tuple[Path, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()


class Box:
    """One sandbox at a time, with its template."""

    def __init__(self, order: dict[str, Any], view: View = View(), scratch: Path | None = None) -> None:
        self._order, self._view, self._closed = order, view, False
        self._inbox = Path(tempfile.mkdtemp(prefix="practicum-inbox-", dir=scratch))
        self.start()

    def start(self) -> None:
        """Start a sandbox; its template gets ready while other things are done."""
        why = why_missing()
        if why:
            raise missing(why)
        sandbox = self._sandbox()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # The template's own words are for nobody: a notebook that breaks it would write there too.
            self._process = subprocess.Popen(
                sandbox.command([sys.executable, "-m", "grader.engine.warm.template"]),
                env=sandbox.environment(),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control, self._ready = ours, False
        with suppress(OSError):
            self._control.send(json.dumps(self._order).encode())

    def restart(self) -> None:
        """Put a new sandbox in the place of one that died; SandboxDied where the box was closed meanwhile."""
        self._stop()
        if self._closed:
            raise SandboxDied
        self.start()

    def close(self) -> None:
        """End the sandbox and all that is in it."""
        self._closed = True
        self._stop()
        shutil.rmtree(self._inbox, ignore_errors=True)

    def show(self, folder: Path, without: Set[str] = frozenset()) -> None:
        """Show a submission's folder, without links; files that cannot be shared are copied."""
        for old in self._inbox.iterdir():
            _clear(old)
        self.show_too(folder, without)

    def show_too(self, folder: Path, without: Set[str] = frozenset()) -> None:
        """Show a folder's files beside those that are shown, in the place of what has their name, but for some of them."""
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            target = self._inbox / name
            if path.is_symlink() or without & {str(name), *map(str, name.parents)}:
                continue
            if path.is_dir() and not target.is_dir():
                _clear(target)
                target.mkdir()
            elif path.is_file():
                _clear(target)
                _share(path, target)

    def fork(self, job: dict[str, Any]) -> socket.socket:
        """A channel to a new child."""
        self._wait_ready()
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [json.dumps(job).encode()], [theirs.fileno()])
        return ours

    def tell(self, order: bytes) -> None:
        """Have the child interrupted (`interrupt`), or ended because it is `late`."""
        self._control.send(order)

    def ended(self) -> str:
        """Wait until the child and all that it started is gone; the limit that it broke, or nothing."""
        self._control.settimeout(END_SECONDS)
        message = self._control.recv(1 << 16)
        if not message:
            raise SandboxDied
        said = json.loads(message)
        if not said["clean"]:
            self.restart()
        return str(said["why"])

    def _sandbox(self) -> Sandbox:
        return Sandbox(
            read_only=[(self._inbox, str(INBOX)), *self._view.shown],
            hidden=lab_folders(),
            scratch=(str(WORK), "/home/learner"),
            env={"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                 "PYTHONPATH": str(Path(__file__).parents[3]), **dict(self._view.env)},
            cwd=str(WORK),
            is_first=True,
        )  # fmt: skip

    def _wait_ready(self) -> None:
        if not self._ready:
            self._control.settimeout(START_SECONDS)
            if not self._control.recv(1 << 16):
                raise SandboxDied
            self._ready = True

    def _stop(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait()


class Waiting:
    """Reads one framed message, over several waits, and never more than a bound."""

    def __init__(self, channel: socket.socket, max_bytes: int) -> None:
        self._channel, self._max_bytes, self._data = channel, max_bytes, bytearray()

    def message(self, seconds: float) -> bytes:
        """The whole message; TimeoutError where it did not come in time, empty where the other side is gone."""
        until = time.monotonic() + max(seconds, 0.0)
        while (wanted := self._wanted()) > 0:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._channel.settimeout(left)
            try:
                chunk = self._channel.recv(min(wanted, 1 << 20))
            except ConnectionError:
                chunk = b""
            if not chunk:
                return b""
            self._data += chunk
        return bytes(self._data[4:])

    def _wanted(self) -> int:
        if len(self._data) < 4:
            return 4 - len(self._data)
        return min(int.from_bytes(self._data[:4], "big"), self._max_bytes) - (len(self._data) - 4)


def _clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _share(path: Path, target: Path) -> None:
    # Shown read-only, so a second name for the same file is safe; another file system needs a copy.
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
