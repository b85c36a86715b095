"""What an instructor's source notebooks tell of how submissions are executed: the kernel of each, and what Python ones stand on.

The rule: only the instructor's own files are read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.engine.cold.kernels import Kernel, kernel_of
from grader.engine.warm.cells import Assignment


@dataclass(frozen=True)
class Sources:
    """An assignment's notebooks: what the Python ones tell, and the kernel of each other one by the notebook's name."""

    python: Assignment | None
    kernels: Mapping[str, Kernel]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Sources:
        """Read source notebooks; KernelMissing where one wants a kernel that is not there."""
        read = {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
        kernels = {name: kernel for name, notebook in read.items() if (kernel := kernel_of(notebook)) is not None}
        python = [notebook for name, notebook in read.items() if name not in kernels]
        return cls(
            Assignment.of(cell for notebook in python for cell in _code_of(notebook)) if python else None, kernels
        )


def _code_of(notebook: dict[str, Any]) -> list[tuple[str, bool]]:
    """The code cells of an instructor's notebook: source, and whether it is locked."""
    found = []
    for cell in notebook.get("cells", []):
        if cell.get("cell_type") == "code":
            marks = cell.get("metadata", {}).get("nbgrader", {})
            locked = bool(marks.get("grade") or marks.get("locked")) and not marks.get("solution")
            found.append(("".join(cell.get("source", "")), locked))
    return found
