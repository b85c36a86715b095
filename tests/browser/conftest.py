"""A real Practicum for the browser: started as `make up` starts it, on ports and in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
START_SECONDS = 300


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
    """A port such that the inner services' ports are free too."""
    for base in range(18000, 30000, 100):
        try:
            for offset in (0, 1, 10, 20, 30, 81):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports")


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
        "smollm2-135m",
        "--port",
        str(port),
        "--data",
        str(data),
    ]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, text=True, env=env)
    deadline = time.monotonic() + START_SECONDS
    while "Ctrl-C" not in log.read_text("utf-8"):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"Practicum did not start:\n{log.read_text('utf-8')}")
        time.sleep(0.2)
    return Installation(f"http://127.0.0.1:{port}", data, process, log)


@pytest.fixture(scope="session")
def practicum(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One Practicum for all browser tests."""
    installation = start(tmp_path_factory.mktemp("practicum") / "var", free_base_port())
    yield installation
    if installation.process.poll() is None:
        installation.stop()
    if os.environ.get("PRACTICUM_KEEP"):
        shutil.copytree(installation.data / "logs", os.environ["PRACTICUM_KEEP"], dirs_exist_ok=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, as the machine has it."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is missing: tests/browser/install_chromium.sh"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()
