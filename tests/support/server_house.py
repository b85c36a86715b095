"""People's servers without a Hub: a data folder with something worth reading in it, and spawners whose command is any."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyterhub.objects import Hub
from jupyterhub.spawner import SimpleLocalProcessSpawner

from hub_config.jupyterlab import write_configurations
from hub_config.quick.spawner import QuickSpawner
from hub_config.spawner import SandboxSpawner

GROUPS = {
    "ann": ["nbgrader-course-a"],
    "bob": ["nbgrader-course-a"],
    "eve": ["formgrade-course-a", "formgrade-course-b"],
    "formgrader~course-a": [],
    "formgrader~course-b": ["formgrade-course-b"],
    "kim": [],
}
RUNS = "import time; print('up', flush=True); time.sleep(300)"


def seconds() -> str:
    """So many seconds of sleep that no other process has them in its command line."""
    return f"300.{secrets.randbelow(10**12):012d}"


class AnyCommand:
    """A spawner whose command is no server: nothing listens when it is up."""

    async def comes_up(self, log: Path) -> None:
        """Wait for nothing."""


class Quick(AnyCommand, QuickSpawner): ...


class Bubblewrap(AnyCommand, SandboxSpawner): ...


class House:
    """A data folder as `practicum up` makes it, with something worth reading in every part."""

    def __init__(self, data: Path, template: Path | None = None) -> None:
        self.data, self.template = data, template
        self.secrets = [
            data / part
            for part in ("homes/bob/work.txt", "records/records.db", "hub/jupyterhub.sqlite", "secrets/proxy-token",
                         "ai/gateway.db", "courses/course-a/gradebook.db", "courses/course-b/gradebook.db",
                         "run/gateway.json", "logs/hub.log", "blobs/ab/abcd")
        ]  # fmt: skip
        for path in [*self.secrets, data / "homes/ann/work.txt"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("worth reading")
        write_configurations(data / "run" / "jupyter")

    def spawner(self, login: str, *cmd: str, server: str = "", plain: bool = False) -> Any:
        groups = [SimpleNamespace(name=name) for name in GROUPS[login]]
        user = SimpleNamespace(name=login, escaped_name=login, groups=groups, url=f"/user/{login}/", settings={})
        common = {
            "user": user, "hub": Hub(), "api_token": f"token-of-{login}", "cmd": [sys.executable, "-c", *cmd],
            "orm_spawner": SimpleNamespace(name=server, server=None), "term_timeout": 2, "kill_timeout": 2,
            "environment": {"PRACTICUM_GATEWAY_URL": "http://127.0.0.1:1"},
        }  # fmt: skip
        if plain:
            self.log(login).touch()
            say = f"import os, sys; os.dup2(os.open({str(self.log(login))!r}, 1 | 64, 0o600), 1)\n"
            common["cmd"][2] = say + common["cmd"][2]
            return SimpleLocalProcessSpawner(**common, home_dir=str(self.data / "homes" / login))
        kind, more = (Quick, {"template": str(self.template)}) if self.template else (Bubblewrap, {})
        return kind(
            **common, **more, homes=str(self.data / "homes"), courses=str(self.data / "courses"), fonts=str(self.data / "none"),
            jupyter_config=str(self.data / "run" / "jupyter"), course_languages=lambda: {"course-a": "ko", "course-b": "en"},
        )  # fmt: skip

    def log(self, login: str, server: str = "") -> Path:
        return self.data / "logs" / f"server-{login}{server and '-'}{server}.log"

    async def says(self, login: str, *cmd: str | Path, server: str = "", plain: bool = False) -> str:
        """Run a command as somebody's server, to its end; give what it wrote."""
        spawner = self.spawner(login, *map(str, cmd), server=server, plain=plain)
        await spawner.start()
        deadline = time.monotonic() + 20
        while await spawner.poll() is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        return self.log(login, server).read_text("utf-8")

    async def up(self, spawner: Any, login: str) -> None:
        """Start a server and wait until its command runs."""
        await spawner.start()
        deadline = time.monotonic() + 20
        while "up" not in self.log(login).read_text("utf-8"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
