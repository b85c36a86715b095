"""A worker outside the sandbox: keeps a template ready, and has it execute one notebook after the other.

The rule: a locked cell passes only with this run's nonce, every statement at its end, and nothing met that it should not meet;
whatever else comes out of the sandbox is text.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.engine.warm.box import Box, SandboxDied, View, Waiting
from grader.engine.warm.cells import Assignment, compile_cell, guarded_message, open_message
from labs.manifest import Limits

#: How long an interrupted cell, and a template that cleans up, may take.
PATIENCE_SECONDS = 2.0
TRIES = 3


@dataclass(frozen=True)
class Cell:
    """A code cell as it is executed."""

    name: str
    source: str
    locked: bool


@dataclass(frozen=True)
class Ran:
    """What came of a cell: its outputs; for a locked cell whether it ran as written, and why not; for an open one its own word."""

    outputs: list[dict[str, Any]]
    proven: bool = False
    why: str = ""
    says_ended: bool = False


@dataclass(frozen=True)
class Execution:
    """What came of a notebook: a result for each cell that began, and the limit that ended it, if one did."""

    cells: list[Ran]
    why: str = ""
    seconds: float = 0.0


class Worker:
    """Executes one notebook after the other, each in a child of its own."""

    def __init__(self, assignment: Assignment, limits: Limits, scratch: Path | None = None) -> None:
        order = {"child": "notebook", "imports": assignment.imports, "guarded": assignment.guarded}
        self._box = Box(order, View(env=(("NBGRADER_EXECUTION", "autograde"),)), scratch)
        self._assignment, self._limits = assignment, limits
        self.close = self._box.close

    def run(self, cells: Sequence[Cell], folder: Path) -> Execution:
        """Execute a notebook's code cells with a folder's files beside them; a sandbox that dies is tried anew."""
        self._box.show(folder)
        execution = Execution([], "sandbox_died")
        for _try in range(TRIES):
            try:
                return PythonNotebook(self._box, self._assignment, self._limits).execute(cells)
            except (SandboxDied, OSError):
                self._box.restart()
        return execution


class Notebook(ABC):
    """One notebook in one child."""

    def __init__(self, box: Box, limits: Limits) -> None:
        self._box, self._limits = box, limits
        self._begun = time.monotonic()

    def execute(self, cells: Sequence[Cell]) -> Execution:
        """Run the cells one after the other, as far as the limits let them."""
        done: list[Ran] = []
        why = ""
        with self._box.fork(self.job()) as channel:
            self.begin(channel)
            try:
                for cell in cells:
                    done.append(self.one(channel, cell))
            except Ended as ended:
                why = ended.why
        return Execution(done, self._box.ended() or why, time.monotonic() - self._begun)

    def job(self) -> dict[str, int]:
        """The limits of the child."""
        return self._limits.in_bytes()

    def begin(self, channel: socket.socket) -> None:  # noqa: ARG002
        """What comes before the first cell; the submission's clock begins here."""
        self._begun = time.monotonic()

    @abstractmethod
    def one(self, channel: socket.socket, cell: Cell) -> Ran:
        """Have one cell run."""

    def ask(self, channel: socket.socket, message: bytes) -> dict[str, Any]:
        """Send a cell, and wait for what the child says of it; its error is an output."""
        try:
            channel.sendall(message)
        except OSError:
            raise Ended("") from None
        said = self._hear(channel)
        return {**said, "outputs": [*said["outputs"], *([said["error"]] if said["error"] else [])]}

    def _hear(self, channel: socket.socket) -> dict[str, Any]:
        """The child's answer; an interrupt where a cell takes too long, and the end where that does not help."""
        left = self._begun + self._limits.wall_seconds - time.monotonic()
        wait = Waiting(channel, self._limits.output_bytes * 8 + 1_000_000)
        for seconds, order in ((min(left, self._limits.cell_seconds), b"interrupt"), (PATIENCE_SECONDS, b"late")):
            try:
                message = wait.message(seconds)
            except TimeoutError:
                self._box.tell(order)
                continue
            with suppress(ValueError, TypeError, KeyError):
                said = json.loads(message)
                if {"offsets", "nonce", "done", "error", "tampered", "outputs"} <= set(said):
                    return dict(said)
            raise Ended("")
        raise Ended("time_limit")


class PythonNotebook(Notebook):
    """One notebook in one warm fork."""

    def __init__(self, box: Box, assignment: Assignment, limits: Limits) -> None:
        super().__init__(box, limits)
        self._assignment, self._offsets = assignment, [0, 0]

    def one(self, channel: socket.socket, cell: Cell) -> Ran:
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
        said = self.ask(channel, message)
        self._offsets = [int(n) for n in said["offsets"]][:2]
        proven = said["nonce"] == nonce and said["done"] == needed and not said["error"] and not said["tampered"]
        return Ran(
            said["outputs"], cell.locked and proven, ", ".join(map(str, said["tampered"])), says_ended=said["done"] == 1
        )


class Ended(Exception):
    """A notebook goes no further; the limit that ended it, if one did."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _syntax_error(error: SyntaxError) -> dict[str, Any]:
    return {
        "output_type": "error",
        "ename": "SyntaxError",
        "evalue": str(error),
        "traceback": [f"SyntaxError: {error}"],
    }
