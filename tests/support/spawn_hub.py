"""A Hub and proxy with nothing but people's servers, of one kind of spawner; who holds it starts and stops them by the Hub's API.

The rule: what JupyterHub does with a spawner, it does here; no portal and no records are needed for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from cells import first_cell
from running import free_base_port
from taken import pss_kb

from hub_config.supervisor import descendants


class Hub:
    """A running Hub with one kind of spawner."""

    process: subprocess.Popen[bytes]
    template: subprocess.Popen[bytes] | None = None

    def __init__(self, data: Path, spawner: str, **more: Any) -> None:
        self.data, self.port, token = data, free_base_port(), secrets.token_hex(16)
        self._given = {"data": str(data), "port": self.port, "token": token, "spawner": spawner, **more}
        self.headers = {"Authorization": f"token {token}"}
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=self.headers, timeout=300)

    async def begin(self) -> None:
        """Start the Hub, which starts its proxy, and wait until it answers; again after its death."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "PRACTICUM_SPAWN_HUB": json.dumps(self._given), "PATH": path}
        argv = [sys.executable, "-m", "jupyterhub", "-f", str(Path(__file__).with_name("spawn_hub_config.py"))]
        with (self.data / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=self.data)
        for _ in range(300):
            with suppress(httpx.HTTPError):
                if (await self.client.get("/hub/api/")).status_code == 200:
                    return
            await asyncio.sleep(0.1)
        raise RuntimeError("the Hub does not answer")

    async def ask(self, user: str) -> int:
        """Ask the Hub for somebody's server; its status."""
        (self.data / "homes" / user).mkdir(parents=True, exist_ok=True)
        await self.client.post(f"/hub/api/users/{user}")
        return (await self.client.post(f"/hub/api/users/{user}/server")).status_code

    async def start(self, user: str) -> float:
        """Start somebody's server; the seconds until it answers."""
        begun = time.monotonic()
        assert await self.ask(user) in (201, 202)
        await self.comes_up(user)
        return time.monotonic() - begun

    async def comes_up(self, user: str) -> None:
        """Wait until somebody's server answers."""
        begun = time.monotonic()
        while True:
            answer = await self.client.get(f"/user/{user}/api/status", follow_redirects=False)
            if answer.status_code == 200:
                return
            assert time.monotonic() < begun + 300, f"{user}: {answer.status_code} {answer.text[:200]}"
            await asyncio.sleep(0.05)

    async def stop(self, user: str) -> None:
        while (await self.client.delete(f"/hub/api/users/{user}/server")).status_code != 204:
            await asyncio.sleep(0.2)

    async def first_cell(self, user: str) -> float:
        """Start a kernel and run a lab's imports; the seconds until they are done."""
        return await first_cell(self.client, user)

    def pss_mb(self) -> float:
        """What all servers take of memory, and the template; what processes share counts once."""
        servers = [pid for pid in descendants(self.process.pid) if "configurable-http-proxy" not in _cmdline(pid)]
        template = [self.template.pid] if self.template else []
        return sum(map(pss_kb, [*servers, *template])) / 1000


@asynccontextmanager
async def hub(spawner: str, **more: Any) -> AsyncIterator[Hub]:
    """A Hub, and for quick servers their template; what more is given, its configuration reads."""
    with tempfile.TemporaryDirectory(prefix="spawn-hub-") as folder:
        running = Hub(Path(folder), spawner, **more)
        for name in ("homes", "courses", "logs", "quick"):
            (running.data / name).mkdir()
        try:
            if spawner == "quick":
                template = [sys.executable, "-P", "-m", "hub_config.quick.template", f"{folder}/quick/template.sock"]
                running.template = subprocess.Popen(template, stdout=subprocess.PIPE)
                assert running.template.stdout
                assert running.template.stdout.readline() == b"ready\n"
            await running.begin()
            yield running
        except BaseException:
            print((running.data / "hub.log").read_text()[-4000:])
            for one in sorted((running.data / "logs").glob("*"))[:1]:
                print(one.read_text()[-3000:])
            raise
        finally:
            await running.client.aclose()
            running.process.terminate()
            running.process.wait()
            if running.template:
                running.template.kill()
                running.template.communicate()


def _cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
