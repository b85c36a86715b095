"""A kernel knows its lab's AI address before its first cell: a real Jupyter Server with the configuration that learners get."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from hub_config.jupyterlab import write_configurations
from hub_config.kernels import LAB_FILE, ai_environment
from labs import spec

GATEWAY = "http://127.0.0.1:9"
DEFAULT = f"{GATEWAY}/course-a/-/v1"
CODE = "import os; print(os.environ['OPENAI_BASE_URL'], os.environ['OPENAI_API_KEY'])"
LABS = {
    "rough-cut": '{"course": "course-a", "lab": "rough-cut"}',
    "rough-cut/takes": None,
    "course-b/homework-1": None,
    "course-b/homework-1/data": None,
    "course-z/homework-1": None,
    "notes": None,
    "foreign": '{"course": "course-z", "lab": "rough-cut"}',
    "course-b/broken": "{",
    "hostile": '{"course": "course-a", "lab": "../../x"}',
    "deep": "[" * 100_000,
    "list": "[1]",
}
EXPECTED = {
    "rough-cut": "course-a/rough-cut",
    "rough-cut/takes": "course-a/rough-cut",
    "course-b/homework-1": "course-b/homework-1",
    "course-b/homework-1/data": "course-b/homework-1",
    "course-z/homework-1": None,
    "notes": None,
    "foreign": None,
    "course-b/broken": "course-b/broken",
    "hostile": None,
    "deep": None,
    "list": None,
    "": None,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    for folder, named in LABS.items():
        (home / folder).mkdir(parents=True, exist_ok=True)
        if named is not None:
            (home / folder / LAB_FILE).write_text(named)
    return home


@pytest.fixture(scope="module")
def server(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    base = tmp_path_factory.mktemp("jupyter")
    write_configurations(base)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    env = {
        "PATH": os.environ["PATH"], "HOME": str(home), "JUPYTER_CONFIG_PATH": str(base / "learner-ko"),
        "JUPYTER_RUNTIME_DIR": str(base / "run"), "PRACTICUM_GATEWAY_URL": GATEWAY, "PRACTICUM_COURSES": "course-a course-b",
        "JUPYTERHUB_API_TOKEN": "hub-token", "OPENAI_BASE_URL": DEFAULT, "OPENAI_API_KEY": "hub-token",
    }  # fmt: skip
    argv = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={home}"]  # fmt: skip
    with (base / "log").open("wb") as log, subprocess.Popen(argv, env=env, stdout=log, stderr=log) as process:
        headers = {"Authorization": f"token {token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:
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


async def run(client: httpx.Client, kernel: str) -> list[str]:
    """Run the code in a kernel; give the words it printed."""
    address = f"ws://{client.base_url.netloc.decode()}/api/kernels/{kernel}/channels"
    socket = await websocket_connect(HTTPRequest(address, headers={"Authorization": client.headers["Authorization"]}))
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "s",
        "version": "5.3",
    }
    content = {"code": CODE, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
    await socket.write_message(json.dumps(message))
    printed = ""
    while True:
        raw = await socket.read_message()
        assert isinstance(raw, str), "the kernel's socket closed"
        got: dict[str, Any] = json.loads(raw)
        if got["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if got["msg_type"] == "stream":
            printed += got["content"]["text"]
        elif got["msg_type"] == "execute_reply":
            assert got["content"]["status"] == "ok"
        elif got["msg_type"] == "status" and got["content"]["execution_state"] == "idle":
            socket.close()
            while await socket.read_message() is not None:  # until it is closed: the loop ends with the test
                pass
            return printed.split()


@pytest.mark.parametrize("folder", ["rough-cut", "course-b/homework-1", "foreign", "notes"])
async def test_a_kernel_started_in_a_folder_has_its_labs_address(server: httpx.Client, folder: str) -> None:
    kernel = server.post("/api/kernels", json={"name": "python3", "path": folder}).raise_for_status().json()["id"]
    lab = EXPECTED[folder]
    assert await run(server, kernel) == [f"{GATEWAY}/{lab}/v1" if lab else DEFAULT, "hub-token"]
    server.delete(f"/api/kernels/{kernel}").raise_for_status()


async def test_a_notebooks_kernel_keeps_its_address_over_renaming_moving_and_restarting(
    server: httpx.Client, home: Path
) -> None:
    (home / "rough-cut" / "a.ipynb").write_text("{}")
    asked = {"path": "rough-cut/a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = server.post("/api/sessions", json=asked).raise_for_status().json()
    kernel = session["kernel"]["id"]
    assert await run(server, kernel) == [f"{GATEWAY}/course-a/rough-cut/v1", "hub-token"]
    for path, lab in (
        ("rough-cut/b.ipynb", "course-a/rough-cut"),
        ("course-b/homework-1/b.ipynb", "course-b/homework-1"),
    ):
        moved = {"path": path, "name": "b.ipynb"}
        server.patch(f"/api/sessions/{session['id']}", json=moved).raise_for_status()
        server.post(f"/api/kernels/{kernel}/restart").raise_for_status()
        assert await run(server, kernel) == [f"{GATEWAY}/{lab}/v1", "hub-token"]
    server.delete(f"/api/sessions/{session['id']}").raise_for_status()


@pytest.mark.parametrize("folder", EXPECTED)
def test_only_a_lab_of_the_persons_own_course_counts(home: Path, folder: str) -> None:
    env = {"PRACTICUM_GATEWAY_URL": GATEWAY, "PRACTICUM_COURSES": "course-a course-b", "JUPYTERHUB_API_TOKEN": "t"}
    lab = EXPECTED[folder]
    expected = {"OPENAI_BASE_URL": f"{GATEWAY}/{lab}/v1", "OPENAI_API_KEY": "t"} if lab else {}
    assert ai_environment(home / folder, home, env) == expected
    assert ai_environment(home / folder, home, {**env, "PRACTICUM_COURSES": ""}) == {}
    assert ai_environment(home / folder, home, {"PRACTICUM_COURSES": "course-a"}) == {}


def test_the_file_that_names_a_lab_is_the_one_that_is_handed_out() -> None:
    assert LAB_FILE == spec.FILE


def test_a_link_a_pipe_or_a_folder_is_no_lab_json(tmp_path: Path) -> None:
    env = {"PRACTICUM_GATEWAY_URL": GATEWAY, "PRACTICUM_COURSES": "course-a"}
    (tmp_path / "real.json").write_text(LABS["rough-cut"] or "")
    for name in ("link", "pipe", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / "lab.json").symlink_to(tmp_path / "real.json")
    os.mkfifo(tmp_path / "pipe" / "lab.json")
    (tmp_path / "folder" / "lab.json").mkdir()
    for name in ("link", "pipe", "folder", "../outside"):
        assert ai_environment(tmp_path / name, tmp_path, env) == {}
