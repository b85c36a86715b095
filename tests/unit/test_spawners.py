"""The settings reach the spawner that they name."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets.config import Config

from hub_config import spawners
from hub_config.quick.spawner import QuickSpawner
from hub_config.settings import Settings
from hub_config.spawner import SandboxSpawner


@pytest.mark.parametrize(("name", "kind"), [("bubblewrap", SandboxSpawner), ("quick", QuickSpawner)])
def test_the_settings_are_handed_over(tmp_path: Path, name: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawners, "course_languages", lambda settings: {"course-a": "en"})
    c = Config()
    settings = Settings.model_validate(
        {
            "data": tmp_path,
            "spawner": name,
            "port": 9000,
            "server_ports": [443],
            "server_memory_mb": 500,
            "server_processes": 60,
            "server_file_mb": 200,
        }
    )
    spawners.configure_spawner(c, settings)
    assert c.JupyterHub.spawner_class is kind
    spawner = kind(config=c)
    assert spawner.homes == str(tmp_path / "homes")
    assert spawner.course_languages() == {"course-a": "en"}
    assert spawner.cmd[1:] == ["-m", "hub_config.singleuser"]
    assert (spawner.mem_limit, spawner.max_processes, spawner.max_file_bytes) == (500_000_000, 60, 200_000_000)
    if name == "quick":
        assert spawner.template == str(tmp_path / "run" / "quick" / "template.sock")
        assert spawner.called_ports == [9081, 9010, 9020, 443]
