"""One of the places that execute notebooks at the same time: a warm sandbox for Python, and one for each other kernel.

The rule: which of them runs a notebook follows from the notebook's name in the instructor's source.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grader.engine.cold.worker import ColdWorker
from grader.engine.sources import Sources
from grader.engine.warm.worker import Cell, Execution, Worker
from labs.manifest import Limits


class Executor:
    """Executes one notebook after the other."""

    def __init__(self, sources: Sources, limits: Limits, scratch: Path) -> None:
        self._warm = Worker(sources.python, limits, scratch) if sources.python is not None else None
        cold = {kernel: ColdWorker(kernel, limits, scratch) for kernel in set(sources.kernels.values())}
        self._cold = {name: cold[kernel] for name, kernel in sources.kernels.items()}

    def run(self, name: str, cells: Sequence[Cell], folder: Path) -> Execution:
        """Execute a notebook of the assignment with a submission's folder beside it."""
        worker = self._cold.get(name) or self._warm
        return worker.run(cells, folder) if worker is not None else Execution([], "not of the assignment")

    def close(self) -> None:
        """End the sandboxes."""
        for worker in (self._warm, *set(self._cold.values())):
            if worker is not None:
                worker.close()
