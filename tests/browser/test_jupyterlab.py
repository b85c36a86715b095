"""JupyterLab in a browser, with the configuration that people's servers get: what is there, in which language, and the warning."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from real_hub import make_run, real_hub

from hub_config.jupyterlab import write_configurations

TABS = "[...document.querySelectorAll('.jp-SideBar .lm-TabBar-tab')].map(tab => tab.dataset.id)"
MENUS = ".lm-MenuBar-itemLabel"


class Portal:
    """Warns a server until it is used again."""

    def __init__(self) -> None:
        self.begun = datetime.now(UTC)
        self.asked: list[datetime] = []
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/servers/idle"
                assert self.headers["Authorization"] == "Bearer token-of-ann"
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(portal.answer(datetime.fromisoformat(asked["since"]))).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def warn(self) -> None:
        """From now on only what is used later keeps the server."""
        self.begun = datetime.now(UTC)

    def answer(self, since: datetime) -> dict[str, Any]:
        self.asked.append(since)
        ends_at = None if since > self.begun else (self.begun + timedelta(minutes=10)).isoformat()
        return {"ends_at": ends_at, "is_over": False, "ask_again_seconds": 0.5}


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    yield portal
    portal.server.shutdown()
    portal.server.server_close()


@pytest.fixture
def lab(request: pytest.FixtureRequest, portal: Portal, tmp_path: Path) -> Iterator[str]:
    """The address of a server with the configuration of a role and a language."""
    role, lang = request.param
    write_configurations(tmp_path / "jupyter")
    (tmp_path / "home").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "run"),
        "JUPYTER_CONFIG_PATH": str(tmp_path / "jupyter" / f"{role}-{lang}"), "PRACTICUM_LANG": lang,
        "PRACTICUM_RECORDS_URL": portal.url, "JUPYTERHUB_API_URL": portal.url, "JUPYTERHUB_API_TOKEN": "token-of-ann",
        "JUPYTERHUB_USER": "ann",
    }  # fmt: skip
    argv = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0",
            "--IdentityProvider.token=t", f"--ServerApp.root_dir={tmp_path / 'home'}"]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(argv, env=env, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 150
            while not _answers(f"{url}/api"):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield f"{url}/lab?token=t"
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def opened(browser: Browser, url: str) -> tuple[Page, list[str]]:
    """The page when it is done, and what it complained of."""
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: message.type == "error" and said.append(message.text))
    page.on("request", lambda request: url.split("/lab")[0] in request.url or said.append(f"outside: {request.url}"))
    page.goto(url)
    page.wait_for_selector(".jp-LauncherCard", timeout=120_000)
    page.wait_for_timeout(2000)
    return page, [line for line in said if "404" not in line]


@pytest.mark.browser
@pytest.mark.long
@pytest.mark.parametrize(
    "lab", [("learner", "ko"), ("instructor", "ko"), ("learner", "en")], indirect=True, ids="-".join
)
def test_what_is_there(lab: str, browser: Browser, request: pytest.FixtureRequest) -> None:
    page, said = opened(browser, lab)
    role, lang = request.node.callspec.params["lab"]
    assert said == []
    tabs = page.evaluate(TABS)
    assert "filebrowser" in tabs
    assert not {"jp-debugger-sidebar", "extensionmanager.main-view"} & set(tabs)
    assert ("jp-property-inspector" in tabs) == (role == "instructor")
    assert page.locator("html").get_attribute("lang") == {"ko": "ko-KR", "en": "en"}[lang]
    assert page.locator(MENUS).first.inner_text() == {"ko": "파일", "en": "File"}[lang]
    page.locator(MENUS, has_text="Nbgrader").click()
    items = page.locator(".lm-Menu-itemLabel").all_inner_texts()
    assert any("Formgrader" in item for item in items) == (role == "instructor")
    assert any("Assignment List" in item for item in items)
    assert page.locator(".Toastify__toast").count() == 0, "no news"


@pytest.mark.browser
@pytest.mark.long
@pytest.mark.parametrize("lab", [("learner", "ko")], indirect=True, ids="-".join)
def test_the_warning_and_keeping_the_server(lab: str, browser: Browser, portal: Portal) -> None:
    page, _said = opened(browser, lab)
    toast = page.locator(".Toastify__toast")
    assert toast.count() == 0
    portal.warn()
    expect(toast).to_contain_text("실습 서버를 한동안 쓰지 않아", timeout=40_000)
    when = (portal.begun + timedelta(minutes=10)).astimezone()
    expect(toast).to_contain_text(f"{when:%H:%M}에 끕니다")
    toast.get_by_role("button", name="서버 계속 쓰기").click()
    expect(toast).to_have_count(0, timeout=10_000)
    # A page that is open and asks by itself is no use.
    page.wait_for_timeout(1500)
    used = portal.asked[-1]
    page.wait_for_timeout(15_000)
    assert portal.asked[-1] == used > portal.begun
    # Somebody who is there is.
    portal.warn()
    expect(toast).to_have_count(1, timeout=40_000)
    page.mouse.wheel(0, 10)
    expect(toast).to_have_count(0, timeout=30_000)


@pytest.mark.browser
@pytest.mark.long
def test_behind_the_hub_the_page_tells_that_somebody_is_there(browser: Browser, tmp_path: Path) -> None:
    """By the cookies of a login, which the plain server of the other tests does not have."""
    with real_hub(tmp_path / "var") as hub:
        make_run(hub.engine, "course-a", learners=["ann"], now=False)
        page = browser.new_page()
        page.goto(f"{hub.site.url}/hub/login")
        page.fill("#username_input", "ann")
        page.fill("#password_input", "practicum-demo")
        page.click("#login_submit")
        page.wait_for_load_state()
        page.goto(f"{hub.site.url}/hub/spawn/ann")
        page.wait_for_selector(".jp-LauncherCard", timeout=200_000)
        with page.expect_response(lambda answer: answer.url.endswith("/user/ann/practicum/idle")) as asked:
            pass
        assert asked.value.status == 200
        with page.expect_response(
            lambda answer: answer.request.method == "POST" and "practicum/idle" in answer.url
        ) as told:
            page.mouse.wheel(0, 10)
        assert told.value.status == 204
