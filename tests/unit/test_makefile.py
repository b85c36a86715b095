"""Which Python an installation is made with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def chosen(*arguments: str, **environment: str) -> str:
    """The PYTHON that make would take."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHON" and not name.startswith("MAKE")}
    make = ["make", "--no-print-directory", "--eval=chosen:;@echo $(PYTHON)", "chosen", *arguments]
    return subprocess.run(
        make, cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A Python that says it is too old."""
    python = tmp_path / "old"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    return python


def test_the_first_python_that_is_new_enough_is_taken(old: Path) -> None:
    assert chosen(f"PYTHONS={sys.executable} {old}") == sys.executable
    assert chosen(f"PYTHONS=/nowhere/python3 {old} {sys.executable}") == sys.executable
    assert chosen(f"PYTHONS={old}") == "python3"  # make says then what it needs


def test_a_python_that_is_named_is_taken_whatever_there_is(old: Path) -> None:
    assert chosen("PYTHON=mine") == "mine"
    assert chosen(PYTHON="mine") == "mine"
