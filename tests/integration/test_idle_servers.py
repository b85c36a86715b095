"""Idle servers are put away by a real Hub: after a warning, not in class, not while a kernel runs, not where they are kept."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from real_hub import RealHub, make_run, real_hub, until
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

LIMITS = {"idle_server_minutes": 1, "idle_formgrader_minutes": 1, "idle_warning_minutes": 0.5}


def warned(hub: RealHub, login: str) -> datetime | None:
    """When somebody's JupyterLab says that the server is put away."""
    answer = hub.ask(login, "GET", f"/user/{login}/practicum/idle")
    told = answer.json().get("ends_at") if answer.status_code == 200 else None
    return told and datetime.fromisoformat(told)


def keep_busy(hub: RealHub, login: str) -> None:
    """Run a cell that goes on for minutes, and leave."""
    token = f"token {hub.token(login)}"
    kernel = hub.ask(login, "POST", f"/user/{login}/api/kernels", json={}).json()["id"]
    url = f"{hub.site.url.replace('http', 'ws')}/user/{login}/api/kernels/{kernel}/channels"
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "s",
        "version": "5.3",
    }
    content = {"code": "import time; time.sleep(600)", "silent": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "channel": "shell", "content": content}

    async def run() -> None:
        channel = await websocket_connect(HTTPRequest(url, headers={"Authorization": token}))
        await channel.write_message(json.dumps(message))
        while json.loads(await channel.read_message() or "{}").get("content", {}).get("execution_state") != "busy":
            pass
        channel.close()

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_idle_server_is_put_away_after_its_warning(tmp_path: Path) -> None:
    with real_hub(tmp_path / "var", **LIMITS) as hub:
        make_run(hub.engine, "evening", learners=["mina", "busy", "keeps"], now=False)
        make_run(hub.engine, "in-class", learners=["jun"], now=True)
        with ThreadPoolExecutor() as pool:
            list(pool.map(hub.start, ("jun", "busy", "keeps", "mina")))
        keep_busy(hub, "busy")
        # Looking as an open page does is no use; a press of the button is.
        until(lambda: warned(hub, "mina") is not None, 120)
        ends_at, kept = warned(hub, "mina"), 0
        assert ends_at is not None
        deadline = time.monotonic() + 120
        while hub.runs("mina"):
            assert time.monotonic() < deadline
            if warned(hub, "keeps"):
                assert hub.ask("keeps", "POST", "/user/keeps/practicum/idle").status_code == 204
                assert warned(hub, "keeps") is None
                kept += 1
            assert warned(hub, "jun") is None
            time.sleep(0.5)
        assert datetime.now(UTC) >= ends_at
        assert kept
        assert [hub.runs(login) for login in ("jun", "busy", "keeps")] == [True, True, True]
        assert "is put away" in (tmp_path / "var/logs/server-mina.log").read_text()
        # Who comes back starts it again.
        until(lambda: hub.is_off("mina"), 60)
        hub.start("mina")
