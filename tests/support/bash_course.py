"""A course whose instructor wrote an assignment for another kernel than Python: bash, by the package bash_kernel."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from grading_course import graded_cell, notebook, solution_cell

LAB = "files"
BASH = {"name": "practicum-bash", "display_name": "Bash", "language": "bash"}
RIGHT = "double() { echo $(( $1 * 2 )); }"
WRONG = "double() { echo 4; }"
HIDDEN = "canary-77b0"


def install_bash(folder: Path, *, name: str = BASH["name"], program: str = sys.executable) -> Path:
    """A kernelspec below a folder of its own; give the folder for JUPYTER_PATH."""
    spec = {"argv": [program, "-m", "bash_kernel", "-f", "{connection_file}"], "display_name": "Bash",
            "language": "bash", "env": {"PS1": "$"}}  # fmt: skip
    place = folder / "kernels" / name
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps(spec), "utf-8")
    return folder


def doubles() -> Any:
    """An assignment in bash: a test passes where its last command ends with 0."""
    return notebook(
        solution_cell("double", f"### BEGIN SOLUTION\n{RIGHT}\n### END SOLUTION"),
        graded_cell("visible", "[ $(double 2) -eq 4 ]"),
        graded_cell("hidden", f"### BEGIN HIDDEN TESTS\n[ $(double -3) -eq -6 ] # {HIDDEN}\n### END HIDDEN TESTS"),
        kernel=BASH,
    )
