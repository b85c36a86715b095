"""The self-check before handing in: a real Jupyter Server with the configuration that learners get runs the visible criteria."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hub_config.jupyterlab import write_configurations
from labs.build import build_lab
from labs.catalog import find_lab
from labs.self_check import SelfCheck

LAB = "book-proposal"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    build_lab(find_lab(LAB), "course-a", "ko", home / LAB)
    (home / "empty").mkdir()
    return home


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    base = tmp_path_factory.mktemp("jupyter")
    write_configurations(base)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "JUPYTER_CONFIG_PATH": str(base / "learner-ko"),
           "JUPYTER_RUNTIME_DIR": str(base / "run")}  # fmt: skip
    argv = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home}"]  # fmt: skip
    with (base / "log").open("wb") as log, subprocess.Popen(argv, env=env, stdout=log, stderr=log) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            client.headers["Authorization"] = f"token {token}"
            deadline = time.monotonic() + 40
            while True:
                try:
                    client.get("/api").raise_for_status()
                    break
                except httpx.HTTPError:
                    assert process.poll() is None, (base / "log").read_text()
                    assert time.monotonic() < deadline, (base / "log").read_text()
                    time.sleep(0.1)
            yield client
        process.terminate()


def check(server: httpx.Client, lab: str) -> httpx.Response:
    return server.post("/practicum/self-check", params={"lab": lab})


def test_the_visible_criteria_run_and_nothing_of_the_hidden_ones_is_said(server: httpx.Client, home: Path) -> None:
    answer = check(server, LAB)
    assert answer.status_code == 200, answer.text
    found = SelfCheck.model_validate_json(answer.content)
    criteria = find_lab(LAB).lab.criteria
    assert [one.id for one in found.results] == [c.id for c in criteria if c.check and c.visible]
    assert all(one.findings for one in found.results if one.points < one.max_points)
    assert sum(one.points for one in found.results) < sum(one.max_points for one in found.results)


def test_a_learners_file_that_is_called_as_a_library_does_no_harm(server: httpx.Client, home: Path) -> None:
    for name in ("labs.py", "json.py", "random.py"):
        (home / LAB / name).write_text("raise SystemExit('shadowed')")
    try:
        assert check(server, LAB).status_code == 200
    finally:
        for name in ("labs.py", "json.py", "random.py"):
            (home / LAB / name).unlink()


def test_only_a_lab_of_the_home_is_checked_and_only_for_its_owner(server: httpx.Client) -> None:
    for lab in ("", ".", "..", "../home", "/etc", "nothing", f"{LAB}/../{LAB}"):
        assert check(server, lab).status_code == 404, lab
    without = check(server, "empty")
    assert without.status_code == 422
    assert "lab.json" in without.json()["message"]
    stranger = httpx.post(f"{server.base_url}/practicum/self-check", params={"lab": LAB})
    assert stranger.status_code == 403


def test_one_check_runs_at_a_time_and_the_server_goes_on_answering(server: httpx.Client) -> None:
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(check(server, LAB))) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    server.get("/api").raise_for_status()
    answered_seconds = time.monotonic() - begun
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert answered_seconds < 2
