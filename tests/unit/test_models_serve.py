"""The model server's command line; the server itself is tested with real weights in tests/integration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hub_config.models import serve


def test_a_short_or_missing_key_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="cannot be read"):
        serve.read_key(tmp_path / "none")
    (tmp_path / "short").write_text("abc\n")
    with pytest.raises(SystemExit, match="at least 16"):
        serve.read_key(tmp_path / "short")
    (tmp_path / "good").write_text("0123456789abcdef\n")
    assert serve.read_key(tmp_path / "good") == "0123456789abcdef"


def test_each_slot_has_its_whole_context_and_the_key_is_required() -> None:
    options = serve.parse(
        ["--model", "m.gguf", "--alias", "a", "--port", "9", "--api-key-file", "k", "--slots", "3", "--threads", "1"]
    )
    params = serve.parameters(options, "0123456789abcdef")
    assert (params.n_parallel, params.n_ctx) == (3, 3 * 4096)
    assert params.api_keys == ["0123456789abcdef"]
    assert params.hostnames == ["127.0.0.1"]
    assert not any((params.ui, params.endpoint_slots, params.endpoint_props, params.endpoint_metrics))


def test_weights_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("0123456789abcdef")
    command = [sys.executable, "-m", "hub_config.models.serve", "--model", str(tmp_path / "none.gguf"), "--alias", "a"]
    command += ["--port", "0", "--api-key-file", str(tmp_path / "key")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "fetch them first" in done.stderr
