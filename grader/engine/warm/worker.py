"""A worker outside the sandbox: keeps a template ready, and has it execute one notebook after the other.

The rule: a locked cell passes only with this run's nonce, every statement at its end, and nothing met that it should not meet;
whatever else comes out of the sandbox is text.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.engine.warm.cells import Assignment, compile_cell, guarded_message, open_message
from grader.engine.warm.template import INBOX, WORK
from grader.sandbox import Sandbox, lab_folders, missing, why_missing
from labs.manifest import Limits

START_SECONDS = 60
#: How long an interrupted cell, and a template that cleans up, may take.
PATIENCE_SECONDS = 2.0
TRIES = 3


class SandboxDied(Exception):
    """The sandbox ended while a notebook ran in it."""


@dataclass(frozen=True)
class Cell:
    """A code cell as it is executed."""

    name: str
    source: str
    locked: bool


@dataclass(frozen=True)
class Ran:
    """What came of a cell: its outputs; for a locked cell whether it ran as written, and why not."""

    outputs: list[dict[str, Any]]
    proven: bool = False
    why: str = ""


@dataclass(frozen=True)
class Execution:
    """What came of a notebook: a result for each cell that began, and the limit that ended it, if one did."""

    cells: list[Ran]
    why: str = ""
    seconds: float = 0.0


class Worker:
    """One sandbox at a time, with its template."""

    def __init__(self, assignment: Assignment, limits: Limits, packages: Sequence[Path] = ()) -> None:
        self._assignment, self._limits, self._packages = assignment, limits, packages
        self._inbox = Path(tempfile.mkdtemp(prefix="practicum-inbox-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self.start()

    def start(self) -> None:
        """Start a sandbox; its template gets ready while other things are done."""
        why = why_missing()
        if why:
            raise missing(why)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # The template's own words are for nobody: a notebook that breaks it would write there too.
            self._process = subprocess.Popen(
                self._sandbox().command([sys.executable, "-m", "grader.engine.warm.template"]),
                env=self._sandbox().environment(),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control, self._ready = ours, False
        order = {"imports": self._assignment.imports, "guarded": self._assignment.guarded}
        with suppress(OSError):
            self._control.send(json.dumps(order).encode())

    def close(self) -> None:
        """End the sandbox and all that is in it."""
        self._stop()
        shutil.rmtree(self._inbox, ignore_errors=True)

    def run(self, cells: Sequence[Cell], folder: Path, env: dict[str, str] | None = None) -> Execution:
        """Execute a notebook's code cells with a folder's files beside them; a sandbox that dies is tried anew."""
        self._fill_inbox(folder)
        for _try in range(TRIES):
            begun = time.monotonic()
            try:
                self._wait_ready()
                execution = _Notebook(self._control, self._assignment, self._limits, env or {}).execute(cells)
            except (SandboxDied, OSError):
                execution = Execution([], "sandbox_died", time.monotonic() - begun)
                self._stop()
                self.start()
                continue
            return execution
        return execution

    def _sandbox(self) -> Sandbox:
        return Sandbox(
            read_only=[(self._inbox, str(INBOX)), *((path, str(path)) for path in self._packages)],
            hidden=lab_folders(),
            scratch=(str(WORK), "/home/learner"),
            env={"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                 "PYTHONPATH": str(Path(__file__).parents[3]), "NBGRADER_EXECUTION": "autograde"},
            cwd=str(WORK),
        )  # fmt: skip

    def _fill_inbox(self, folder: Path) -> None:
        for old in self._inbox.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(
            folder, self._inbox, dirs_exist_ok=True, symlinks=True, ignore=shutil.ignore_patterns("*.ipynb")
        )

    def _wait_ready(self) -> None:
        if not self._ready:
            self._control.settimeout(START_SECONDS)
            if not self._control.recv(1 << 16):
                raise SandboxDied
            self._ready = True

    def _stop(self) -> None:
        if self._process is not None:
            self._control.close()
            self._process.kill()
            self._process.wait()
            self._process = None


class _Notebook:
    """One notebook in one child."""

    def __init__(self, control: socket.socket, assignment: Assignment, limits: Limits, env: dict[str, str]) -> None:
        self._control, self._assignment, self._limits, self._env = control, assignment, limits, env
        self._begun = time.monotonic()
        self._offsets = [0, 0]

    def execute(self, cells: Sequence[Cell]) -> Execution:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                order = json.dumps(self._limits.in_bytes() | {"env": self._env}).encode()
                socket.send_fds(self._control, [order], [theirs.fileno()])
            done: list[Ran] = []
            why = ""
            try:
                for cell in cells:
                    done.append(self._one(ours, cell))
            except _Ended as ended:
                why = ended.why
        return Execution(done, self._end() or why, time.monotonic() - self._begun)

    def _one(self, channel: socket.socket, cell: Cell) -> Ran:
        nonce = secrets.token_hex(16)
        name = f"<cell {cell.name}>"
        options = {"name": name, "source": cell.source, "nonce": nonce, "offsets": self._offsets,
                   "given": self._assignment.given, "patches": self._assignment.patches,
                   "output_bytes": self._limits.output_bytes}  # fmt: skip
        if cell.locked:
            statements = compile_cell(cell.source, name)
            if statements.error is not None:
                return Ran([_syntax_error(statements.error)], why="no Python")
            message, needed = guarded_message(statements, options), statements.count
        else:
            message, needed = open_message(options), 0
        try:
            channel.sendall(message)
        except OSError:
            raise _Ended("") from None
        said = self._hear(channel)
        self._offsets = [int(n) for n in said["offsets"]][:2]
        proven = said["nonce"] == nonce and said["done"] == needed and not said["error"] and not said["tampered"]
        outputs = [*said["outputs"], *([said["error"]] if said["error"] else [])]
        return Ran(outputs, cell.locked and proven, ", ".join(map(str, said["tampered"])))

    def _hear(self, channel: socket.socket) -> dict[str, Any]:
        """The child's answer; an interrupt where a cell takes too long, and the end where that does not help."""
        left = self._begun + self._limits.wall_seconds - time.monotonic()
        wait = Waiting(channel, self._limits.output_bytes * 8 + 1_000_000)
        for seconds, order in ((min(left, self._limits.cell_seconds), b"interrupt"), (PATIENCE_SECONDS, b"late")):
            try:
                message = wait.message(seconds)
            except TimeoutError:
                self._control.send(order)
                continue
            with suppress(ValueError, TypeError, KeyError):
                said = json.loads(message)
                if {"offsets", "nonce", "done", "error", "tampered", "outputs"} <= set(said):
                    return dict(said)
            raise _Ended("")
        raise _Ended("time_limit")

    def _end(self) -> str:
        """The template's word that the child is gone, and why."""
        self._control.settimeout(30)
        message = self._control.recv(1 << 16)
        if not message:
            raise SandboxDied
        return str(json.loads(message)["why"])


class _Ended(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


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


def _syntax_error(error: SyntaxError) -> dict[str, Any]:
    return {
        "output_type": "error",
        "ename": "SyntaxError",
        "evalue": str(error),
        "traceback": [f"SyntaxError: {error}"],
    }
