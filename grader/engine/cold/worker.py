"""A worker outside the sandbox for a kernel of another language: one sandbox for each notebook, and one cell at a time.

The rule: a locked cell passes only where the kernel itself answered that very cell with `ok`. That is less than for Python:
the kernel is the submission's own process, so who takes it over can have it say so.
"""

from __future__ import annotations

import json
import resource
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from grader.engine.cold.kernels import JUPYTER, Kernel, not_started
from grader.engine.warm.box import START_SECONDS, Box, SandboxDied, View, Waiting
from grader.engine.warm.worker import TRIES, Cell, Execution, Notebook, Ran
from labs.manifest import Limits

RUNTIME = "/run/jupyter"


class ColdWorker:
    """Executes notebooks with one kernel, each in a sandbox of its own."""

    def __init__(self, kernel: Kernel, limits: Limits, scratch: Path) -> None:
        env = (("NBGRADER_EXECUTION", "autograde"), ("JUPYTER_PATH", JUPYTER), ("JUPYTER_RUNTIME_DIR", RUNTIME))
        order = {"child": "kernel", "imports": (), "kernel": kernel.name, "runtime": RUNTIME}
        self._box = Box(order, View(shown=(kernel.shown,), env=env), scratch)
        self._kernel, self._limits, self._used = kernel, limits, False
        self.close = self._box.close

    def run(self, cells: Sequence[Cell], folder: Path) -> Execution:
        """Execute a notebook's code cells with a folder's files beside them; a sandbox that dies is tried anew."""
        for _try in range(TRIES):
            try:
                if self._used:
                    self._box.restart()
                self._used = True
                self._box.show(folder)
                return _KernelNotebook(self._box, self._kernel, self._limits).execute(cells)
            except (SandboxDied, OSError):
                continue
        return Execution([], "sandbox_died")


class _KernelNotebook(Notebook):
    """One notebook in one kernel."""

    def __init__(self, box: Box, kernel: Kernel, limits: Limits) -> None:
        super().__init__(box, limits)
        self._kernel = kernel

    def job(self) -> dict[str, int]:
        """A runtime may reserve an address space that it never uses, and one process works for another: what counts is the sum."""
        limits = self._limits.in_bytes()
        return {**limits, "address_bytes": resource.RLIM_INFINITY, "cpu_seconds_of_all": limits["cpu_seconds"],
                "cpu_seconds": limits["cpu_seconds"] + 2}  # fmt: skip

    def begin(self, channel: socket.socket) -> None:
        """Wait for the kernel; the clock of the submission begins when it is there."""
        try:
            said = json.loads(Waiting(channel, 10_000).message(START_SECONDS) or b'"it ended"')
        except TimeoutError:
            said = f"it said nothing for {START_SECONDS} s"
        if said:
            self._box.tell(b"late")
            self._box.ended()
            raise not_started(self._kernel.name, str(said))
        super().begin(channel)

    def one(self, channel: socket.socket, cell: Cell) -> Ran:
        """Have the kernel run a cell."""
        nonce = secrets.token_hex(16)
        order = json.dumps({"source": cell.source, "nonce": nonce}).encode("utf-8", "surrogatepass")
        said = self.ask(channel, len(order).to_bytes(4, "big") + order)
        return Ran(said["outputs"], cell.locked and said["nonce"] == nonce and said["done"] == 1)
