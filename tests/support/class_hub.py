"""A real Hub and proxy whose servers somebody starts, asks and ends with a token; for quick servers with their template."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from running import free_base_port
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from hub_config.supervisor import descendants

CELL = "import moviepy, numpy, PIL.Image, ipywidgets; from labs.session import open_lab; print('done')"


class ClassHub:
    """A running Hub with one kind of spawner."""

    def __init__(self, port: int, token: str, data: Path, process: subprocess.Popen[bytes]) -> None:
        self.port, self.data, self.process = port, data, process
        self.headers = {"Authorization": f"token {token}"}
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=self.headers, timeout=300)
        self.template: subprocess.Popen[bytes] | None = None

    async def ask_for(self, user: str, **options: Any) -> httpx.Response:
        """Ask the Hub for somebody's server; options are what is other about it than usual."""
        (self.data / "homes" / user).mkdir(parents=True, exist_ok=True)
        await self.client.post(f"/hub/api/users/{user}")
        return await self.client.post(f"/hub/api/users/{user}/server", json=options)

    async def start(self, user: str) -> float:
        """Start somebody's server; the seconds until it answers."""
        begun = time.monotonic()
        (await self.ask_for(user)).raise_for_status()
        while True:
            answer = await self.client.get(f"/user/{user}/api/status", follow_redirects=False)
            if answer.status_code == 200:
                return time.monotonic() - begun
            assert time.monotonic() < begun + 300, f"{user}: {answer.status_code} {answer.text[:200]}"
            await asyncio.sleep(0.05)

    async def stop(self, user: str) -> None:
        while (await self.client.delete(f"/hub/api/users/{user}/server")).status_code != 204:
            await asyncio.sleep(0.2)

    async def first_cell(self, user: str) -> float:
        """Start a kernel and run a lab's imports; the seconds until they are done."""
        begun = time.monotonic()
        kernel = (await self.client.post(f"/user/{user}/api/kernels", json={})).raise_for_status().json()["id"]
        socket = await websocket_connect(
            HTTPRequest(f"ws://127.0.0.1:{self.port}/user/{user}/api/kernels/{kernel}/channels", headers=self.headers)
        )
        message = {"header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex,
                              "version": "5.3"}, "parent_header": {}, "metadata": {}, "channel": "shell",
                   "content": {"code": CELL, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}}  # fmt: skip
        await socket.write_message(json.dumps(message))
        while True:
            said = json.loads(await socket.read_message() or "{}")
            if said.get("msg_type") == "error":
                raise RuntimeError(said["content"]["traceback"])
            if said.get("msg_type") == "stream" and "done" in said["content"]["text"]:
                socket.close()
                return time.monotonic() - begun

    def servers(self) -> list[int]:
        """All processes of people's servers."""
        return [pid for pid in descendants(self.process.pid) if "configurable-http-proxy" not in _cmdline(pid)]

    def pss_mb(self) -> float:
        """What all servers take of memory, and the template; what processes share counts once."""
        template = [self.template.pid] if self.template else []
        return sum(map(pss_kb, [*self.servers(), *template])) / 1000


@asynccontextmanager
async def class_hub(spawner: str, start_seconds: int = 180) -> AsyncIterator[ClassHub]:
    """A Hub, and for quick servers their template."""
    with tempfile.TemporaryDirectory(prefix="class-hub-") as folder:
        data, port, token = Path(folder), free_base_port(), secrets.token_hex(16)
        for name in ("homes", "courses", "logs", "quick"):
            (data / name).mkdir()
        given = {"data": folder, "port": port, "token": token, "spawner": spawner, "start_seconds": start_seconds}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "PRACTICUM_CLASS_HUB": json.dumps(given), "PATH": path}
        log = (data / "hub.log").open("wb")
        argv = [
            sys.executable,
            "-m",
            "hub_config.hub_start",
            "-f",
            str(Path(__file__).with_name("class_hub_config.py")),
        ]
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=folder)
        running = ClassHub(port, token, data, process)
        try:
            if spawner == "quick":
                running.template = _template(data / "quick" / "template.sock")
            await _answers(running)
            yield running
        except BaseException:
            print((data / "hub.log").read_text()[-4000:])
            for one in sorted((data / "logs").glob("*"))[:1]:
                print(one.read_text()[-3000:])
            raise
        finally:
            await running.client.aclose()
            process.terminate()
            process.wait()
            log.close()
            if running.template:
                running.template.kill()
                running.template.communicate()


def _template(socket: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-P", "-m", "hub_config.quick.template", str(socket)]
    template = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert template.stdout
    assert template.stdout.readline() == b"ready\n"
    return template


async def _answers(running: ClassHub) -> None:
    for _ in range(600):
        try:
            if (await running.client.get("/hub/api/")).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the Hub does not answer")


def pss_kb(pid: int) -> int:
    """What a process takes of memory; what it shares counts in parts."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def _cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
