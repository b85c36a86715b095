"""A real Practicum, started as `make up` starts it, on ports and in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 300
#: Ports that nothing listens on: each keeps its hundred for this process.
_KEPT: list[socket.socket] = []


@dataclass
class Installation:
    """A running Practicum: its address, its data folder and its process."""

    url: str
    data: Path
    process: subprocess.Popen[str]
    log: Path

    def stop(self) -> int:
        """Press Ctrl-C and wait for the end."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)


def free_base_port() -> int:
    """A port such that the inner services' ports are free too; no other process of tests gets one near it."""
    for base in range(18000, 30000, 100):
        try:
            _KEPT.append(_bound(base + 99))
            for offset in (0, 1, 10, 20, 30, 81):
                _bound(base + offset).close()
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports")


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    try:
        made.bind(("127.0.0.1", port))
    except OSError:
        made.close()
        raise
    return made


def start(data: Path, port: int) -> Installation:
    """Start a Practicum and wait until it says that it is ready."""
    log = data.parent / f"{data.name}.log"
    # The weights are fetched once for all tests, into the folder that `make up` uses.
    env = {**os.environ, "PRACTICUM_MODELS": os.environ.get("PRACTICUM_MODELS", str(Path("var/models").resolve()))}
    command = [
        sys.executable,
        "-m",
        "hub_config.cli",
        "up",
        "--model",
        os.environ.get("PRACTICUM_TEST_MODEL", "smollm2-135m"),
        "--port",
        str(port),
        "--data",
        str(data),
    ]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, text=True, env=env)
    started = Installation(f"http://127.0.0.1:{port}", data, process, log)
    deadline = time.monotonic() + START_SECONDS
    try:
        while "Ctrl-C" not in log.read_text("utf-8"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Practicum did not start:\n{log.read_text('utf-8')}")
            time.sleep(0.2)
    except BaseException:
        # Who gives up while it starts leaves nothing running either.
        started.stop()
        raise
    return started


def token_of(site: Installation, login: str) -> str:
    """Log in at the Hub as a person does, and take a token that may do what their server may."""
    with httpx.Client(base_url=site.url, follow_redirects=True, timeout=30) as hub:
        page = hub.get("/hub/login").text
        xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert xsrf
        hub.post(
            "/hub/login", data={"username": login, "password": "practicum-demo", "_xsrf": xsrf[1]}
        ).raise_for_status()
        xsrf = re.search(r'data-xsrf="([^"]+)"', hub.get("/hub/home").text)
        assert xsrf
        answer = hub.post(
            f"/hub/api/users/{login}/tokens", json={}, headers={"X-XSRFToken": xsrf[1]}, params={"_xsrf": xsrf[1]}
        )
        answer.raise_for_status()
        return str(answer.json()["token"])


def service(site: Installation, name: str) -> int | None:
    """The process of a service, the first where it has several."""
    return next(iter(processes(site, name)), None)


def processes(site: Installation, name: str) -> list[int]:
    """The processes of a service, found among the children of `practicum up`."""
    words = {"portal": "hub_config.portal", "gateway": "hub_config.ai_gateway", "hub": "jupyterhub_config.py",
             "proxy": "configurable-http-proxy", "template": "hub_config.quick.template", "model": "hub_config.models.manager"}  # fmt: skip
    children = Path(f"/proc/{site.process.pid}/task/{site.process.pid}/children").read_text().split()
    found = []
    for child in children:
        with contextlib.suppress(OSError):
            if words[name].encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found
