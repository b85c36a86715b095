"""Who is measured: processes on loopback, each started as it is meant to run. The rule: none of them may reach out."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from upstream import COUNTED

HERE = Path(__file__).parent
LITELLM = Path("var/bench/litellm-venv")
#: Pinned, for some of its releases carried somebody else's code.
LITELLM_PACKAGE = "litellm[proxy]==1.106.2"
LITELLM_KEY = "sk-bench-master"
LEARNERS = 64
START_SECONDS = 180
#: What a large model outside costs: a call of the bench reserves seven won and comes to five.
PRICE = {"effective": "2026-01-01", "input_krw_per_million": 4_000, "output_krw_per_million": 16_000}
#: In the race for money a token of an answer costs one won, and a prompt nothing.
COUNTED_PRICE = {"effective": "2026-01-01", "output_krw_per_million": 1_000_000}


@dataclass(frozen=True)
class Peer:
    """Something that answers chat calls: its address, the tokens of its callers, its process."""

    name: str
    url: str
    tokens: tuple[str, ...]
    process: subprocess.Popen[str] | None = None

    def rss_mb(self) -> float | None:
        """Its resident memory."""
        if self.process is None:
            return None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+)", status, flags=re.MULTILINE)
        return round(int(found[1]) / 1000, 1) if found else None


@contextmanager
def all_peers(upstream: str, folder: Path) -> Iterator[list[Peer]]:
    """Start all that can be started here."""
    with ExitStack() as stack:
        peers = [Peer("direct", f"{upstream}/v1", ("token",))]
        peers.append(stack.enter_context(pass_through(upstream)))
        peers.append(stack.enter_context(gateway(upstream, folder / "gateway")))
        if (litellm := stack.enter_context(litellm_proxy(upstream, folder))) is not None:
            peers.append(litellm)
        yield peers


@contextmanager
def process(*command: str, log: Path | None = None, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process until the end of the block; without a log, its first line can be read."""
    # Nothing of ours is handed on, and what would reach out finds no way.
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8", **env}
    out: Any = subprocess.PIPE if log is None else log.open("w")
    running = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL if log is None else out, text=True, env=clean)  # fmt: skip
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        if log is not None:
            out.close()


@contextmanager
def fake_upstream() -> Iterator[str]:
    """Start the fake provider and Hub; gives its address."""
    with process(sys.executable, str(HERE / "upstream.py")) as running:
        yield _first_line(running)


@contextmanager
def pass_through(upstream: str) -> Iterator[Peer]:
    """Start the least that a gateway can be."""
    port = _free_port()
    with process(sys.executable, str(HERE / "pass_through.py"), upstream, str(port)) as running:
        _wait_for_port(port)
        yield Peer("minimal", f"http://127.0.0.1:{port}/v1", ("token",), running)


@contextmanager
def gateway(upstream: str, folder: Path, **settings: Any) -> Iterator[Peer]:
    """Start our gateway: budgets on every level, receipts with their content, all on disk."""
    folder.mkdir(mode=0o700)
    provider = {"name": "fake", "base_url": f"{upstream}/v1", "api_key": "a-key-for-the-bench", "concurrent_calls": LEARNERS}  # fmt: skip
    limit = {"krw": 10**9, "tokens": 10**9, "krw_per_day": 10**9, "tokens_per_day": 10**9}
    usual = {"upstream": "fake", "model": "theirs", "prices": [PRICE]}
    counted = {"upstream": "fake", "model": COUNTED, "prices": [COUNTED_PRICE]}
    config = {
        "port": 0, "database": str(folder / "ledger.sqlite"), "hub_api_url": f"{upstream}/hub/api", "upstreams": [provider],
        "models": {"lab-default": [usual], COUNTED: [counted]},
        "budgets": dict.fromkeys(("learner", "course", "institution"), limit), **settings,
    }  # fmt: skip
    path = folder / "gateway.json"
    path.write_text(json.dumps(config))
    with process(sys.executable, "-m", "hub_config.ai_gateway", str(path)) as running:
        url = _first_line(running).split()[-1]
        yield Peer("gateway", f"{url}/bench/landing/v1", tuple(f"learner-{number}" for number in range(LEARNERS)), running)  # fmt: skip


@contextmanager
def litellm_proxy(upstream: str, folder: Path) -> Iterator[Peer | None]:
    """Start LiteLLM's proxy in a venv of its own: one worker, a master key, no database; None where it cannot be."""
    if not _install_litellm():
        print("LiteLLM cannot be installed here: its columns are left out", flush=True)
        yield None
        return
    params = {"model": "openai/theirs", "api_base": f"{upstream}/v1", "api_key": "a-key-for-the-bench"}
    config = {
        "model_list": [{"model_name": "lab-default", "litellm_params": params}],
        "general_settings": {"master_key": LITELLM_KEY},
        "litellm_settings": {"telemetry": False},
    }
    path, port = folder / "litellm.yaml", _free_port()
    path.write_text(json.dumps(config))  # JSON is YAML
    command = [str(LITELLM / "bin/litellm"), "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
    dead = "http://127.0.0.1:9"  # whatever it wants to fetch or report
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_MODE": "PRODUCTION"}
    env |= {
        "HTTP_PROXY": dead,
        "HTTPS_PROXY": dead,
        "NO_PROXY": "127.0.0.1",
        "DISABLE_ADMIN_UI": "True",
        "HOME": str(folder),
    }
    with process(*command, "--num_workers", "1", "--telemetry", "False", log=folder / "litellm.log", **env) as running:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/health/liveliness", running)
        yield Peer("litellm", f"{url}/v1", (LITELLM_KEY,), running)


def litellm_version() -> str | None:
    """Give the version that is installed."""
    found = sorted(LITELLM.glob("lib/python*/site-packages/litellm-*.dist-info"))
    return found[0].name.removeprefix("litellm-").removesuffix(".dist-info") if found else None


def _install_litellm() -> bool:
    if (LITELLM / "bin/litellm").exists():
        return True
    uv = os.environ.get("UV", "uv")
    try:
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(LITELLM)], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", str(LITELLM / "bin/python"), LITELLM_PACKAGE], check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _first_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    line = running.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"{running.args!r} did not start")
    return line


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])


def _wait_for_port(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the pass-through did not start")


def _wait_for(url: str, running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{running.args!r} did not start")
