"""How quickly a class starts, and what of memory it takes: JupyterHub's own spawner, bubblewrap and quick, side by side.

Through a real Hub and proxy. A server is there when it answers through the proxy; its first cell is a video lab's imports.
Writes var/bench/spawn.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import statistics
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
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from running import free_base_port  # noqa: E402

from hub_config.supervisor import descendants  # noqa: E402

SPAWNERS = ("stock", "bubblewrap", "quick")
STARTS, CLASS = 7, 30
CELL = "import moviepy, numpy, PIL.Image, ipywidgets; from labs.session import open_lab; print('done')"


class Hub:
    """A running Hub with one kind of spawner."""

    def __init__(self, port: int, token: str, data: Path, process: subprocess.Popen[bytes]) -> None:
        self.port, self.data, self.process = port, data, process
        self.headers = {"Authorization": f"token {token}"}
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=self.headers, timeout=300)
        self.template: subprocess.Popen[bytes] | None = None

    async def start(self, user: str) -> float:
        """Start somebody's server; the seconds until it answers."""
        begun = time.monotonic()
        (self.data / "homes" / user).mkdir(parents=True, exist_ok=True)
        await self.client.post(f"/hub/api/users/{user}")
        (await self.client.post(f"/hub/api/users/{user}/server")).raise_for_status()
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

    def pss_mb(self) -> float:
        """What all servers take of memory, and the template; what processes share counts once."""
        servers = [pid for pid in descendants(self.process.pid) if "configurable-http-proxy" not in _cmdline(pid)]
        template = [self.template.pid] if self.template else []
        return sum(map(_pss_kb, [*servers, *template])) / 1000


@asynccontextmanager
async def hub(spawner: str) -> AsyncIterator[Hub]:
    """A Hub, and for quick servers their template."""
    with tempfile.TemporaryDirectory(prefix="bench-spawn-") as folder:
        data, port, token = Path(folder), free_base_port(), secrets.token_hex(16)
        for name in ("homes", "courses", "logs", "quick"):
            (data / name).mkdir()
        given = {"data": folder, "port": port, "token": token, "spawner": spawner}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "PRACTICUM_BENCH": json.dumps(given), "PATH": path}
        log = (data / "hub.log").open("wb")
        argv = [sys.executable, "-m", "jupyterhub", "-f", str(Path(__file__).with_name("spawn_hub.py"))]
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=folder)
        running = Hub(port, token, data, process)
        try:
            if spawner == "quick":
                template = [
                    sys.executable,
                    "-P",
                    "-m",
                    "hub_config.quick.template",
                    str(data / "quick" / "template.sock"),
                ]
                running.template = subprocess.Popen(template, stdout=subprocess.PIPE)
                assert running.template.stdout
                assert running.template.stdout.readline() == b"ready\n"
            await _answers(running)
            yield running
        except BaseException:
            print((data / "hub.log").read_text()[-4000:])
            for one in sorted((data / "logs").glob("*"))[:1]:
                print(one.read_text()[-3000:])
            raise
        finally:
            process.terminate()
            process.wait()
            if running.template:
                running.template.kill()


async def measure(spawner: str) -> dict[str, float]:
    """One kind of spawner, from the first start to a class of thirty."""
    async with hub(spawner) as running:
        await running.start("warm-up")
        await running.stop("warm-up")
        empty = running.pss_mb()
        starts, cells = [], []
        for number in range(STARTS):
            starts.append(await running.start(f"one-{number}"))
            if number == 0:
                one = running.pss_mb()
            if number == 5:
                six = running.pss_mb()
        for number in range(STARTS):
            cells.append(await running.first_cell(f"one-{number}"))
            await running.stop(f"one-{number}")
        begun = time.monotonic()
        await asyncio.gather(*(running.start(f"class-{number}") for number in range(CLASS)))
        ready = time.monotonic() - begun
        await asyncio.gather(*(running.first_cell(f"class-{number}") for number in range(CLASS)))
        all_cells = time.monotonic() - begun
        thirty = running.pss_mb()
        await asyncio.gather(*(running.stop(f"class-{number}") for number in range(CLASS)))
        return {
            "start_median_seconds": statistics.median(starts), "start_slowest_seconds": max(starts), "pss_mb": (six - one) / 5,
            "template_pss_mb": empty, "six_servers_pss_mb": six, "first_cell_seconds": statistics.median(cells),
            "thirty_ready_seconds": ready, "thirty_first_cell_seconds": all_cells, "thirty_with_kernels_pss_mb": thirty,
        }  # fmt: skip


async def _answers(running: Hub) -> None:
    for _ in range(300):
        try:
            if (await running.client.get("/hub/api/")).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the Hub does not answer")


def _cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Measure what is asked for, else all; what was measured before of others stays."""
    out = ROOT / "var" / "bench" / "spawn.json"
    found: dict[str, Any] = json.loads(out.read_text("utf-8")) if out.is_file() and sys.argv[1:] else {}
    for spawner in sys.argv[1:] or SPAWNERS:
        found[spawner] = {name: round(value, 3) for name, value in asyncio.run(measure(spawner)).items()}
        found[spawner]["load_at_the_end"] = round(os.getloadavg()[0], 1)
        print(spawner, json.dumps(found[spawner], indent=1), flush=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
