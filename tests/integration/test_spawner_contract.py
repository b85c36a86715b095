"""What JupyterHub may expect of a spawner, through a real Hub and proxy, for servers forked from the template and in bubblewrap.

The cases are those of JupyterHub's own tests of spawners: start, poll, stop, a stubborn process, slow and failing starts, a bad
environment, hooks, and a Hub that dies and comes back.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from spawn_hub import Hub, hub

from hub_config.supervisor import descendants

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module")]

#: A server that tells what it was given, and ends when it is asked to.
SERVES = """
import http.server, json, os, signal, sys, urllib.parse
class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.endswith("/end"):
            os._exit(3)
        said = json.dumps([os.getpid(), sys.argv[1:], dict(os.environ)]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
    def log_message(self, *_):
        pass
at = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.HTTPServer((at.hostname, at.port), Answers).serve_forever()
"""
COMMANDS = {
    **{user: ["-c", SERVES, "--odd=값 1", "*"] for user in ("plain", "other", "ends", "away")},
    "slow": ["-c", "import time; time.sleep(3)\n" + SERVES],
    "stubborn": ["-c", SERVES.replace("at =", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nat =", 1)],
    "fails": ["-c", "raise SystemExit('no such lab')"],
    "missing": ["-m", "no_such_module"],
    "nul": ["-c", SERVES],
}  # fmt: skip
ENVIRONMENTS = {
    "plain": {"PRACTICUM_ODD": "a\nb='\"$(id)` 한글"},
    "nul": {"PRACTICUM_ODD": "a\0b"},
}
#: A server that cannot start is told of long before `http_timeout` (180 s) is over, on a busy machine too.
SOON = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["quick", "bubblewrap"])
async def held(request: pytest.FixtureRequest) -> AsyncIterator[Hub]:
    async with hub(
        request.param, commands=COMMANDS, environments=ENVIRONMENTS, poll_interval=1, term_timeout=3
    ) as running:
        yield running


async def server(held: Hub, user: str) -> dict[str, Any]:
    """What the Hub says of somebody's server; empty where there is none."""
    answer = await held.client.get(f"/hub/api/users/{user}")
    found: dict[str, Any] = answer.raise_for_status().json()["servers"].get("", {})
    return found


async def told(held: Hub, user: str) -> list[Any]:
    answer = await held.client.get(f"/user/{user}/")
    found: list[Any] = answer.raise_for_status().json()
    return found


async def gone(held: Hub, user: str) -> None:
    """Wait until the Hub knows of no server."""
    begun = time.monotonic()
    while await server(held, user):
        assert time.monotonic() < begun + SOON, await server(held, user)
        await asyncio.sleep(0.1)


async def processes(held: Hub, user: str) -> set[Path]:
    """The sandbox of somebody's server and all that runs in it."""
    sandbox = (await server(held, user))["state"]["pid"]
    return {Path("/proc", str(pid)) for pid in (sandbox, *descendants(sandbox))}


async def none_of(left: set[Path]) -> None:
    """Wait until nothing of them is left."""
    begun = time.monotonic()
    while any(process.exists() for process in left):
        assert time.monotonic() < begun + SOON
        await asyncio.sleep(0.1)


async def test_a_server_starts_is_ready_and_stops(held: Hub) -> None:
    await held.start("plain")
    assert (await server(held, "plain"))["ready"]
    await held.stop("plain")
    assert await server(held, "plain") == {}
    assert (await held.client.get("/user/plain/api/status", follow_redirects=True)).status_code == 424
    hooks = [line for line in (held.data / "hooks.txt").read_text().splitlines() if line.startswith("plain ")]
    assert hooks == ["plain before", "plain after"]
    # And once more: its port and its token are new.
    await held.start("plain")
    await held.stop("plain")


async def test_what_the_hub_gives_arrives(held: Hub) -> None:
    await held.start("plain")
    _pid, argv, env = await told(held, "plain")
    await held.stop("plain")
    assert argv == ["--odd=값 1", "*"]
    assert env["PRACTICUM_ODD"] == ENVIRONMENTS["plain"]["PRACTICUM_ODD"]
    assert env["JUPYTERHUB_USER"] == "plain"
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/user/plain/"
    assert env["JUPYTERHUB_API_URL"].startswith("http://127.0.0.1:")
    assert len(env["JUPYTERHUB_API_TOKEN"]) == 32


async def test_two_presses_start_one_server(held: Hub) -> None:
    said = await asyncio.gather(held.ask("plain"), held.ask("plain"))
    assert sorted(said) in ([202, 400], [202, 202], [201, 400], [201, 202])
    await held.comes_up("plain")
    assert (held.data / "hooks.txt").read_text().splitlines()[-1] == "plain before"
    await held.stop("plain")


async def test_a_slow_start_is_pending_and_then_ready(held: Hub) -> None:
    assert await held.ask("slow") in (201, 202)
    assert (await server(held, "slow")).get("pending") in ("spawn", None)
    await held.comes_up("slow")
    assert (await server(held, "slow"))["pending"] is None
    await held.stop("slow")


@pytest.mark.parametrize(
    ("user", "why"), [("fails", "no such lab"), ("missing", "no_such_module"), ("nul", "null byte")]
)
async def test_a_start_that_fails_is_told_at_once(held: Hub, user: str, why: str) -> None:
    await held.ask(user)
    await gone(held, user)
    logs = [held.data / "hub.log", held.data / "logs" / f"server-{user}.log"]
    assert any(why in log.read_text("utf-8") for log in logs if log.exists())


async def test_a_stubborn_server_is_ended(held: Hub) -> None:
    await held.start("stubborn")
    left = await processes(held, "stubborn")
    await held.stop("stubborn")
    await none_of(left)


async def test_a_server_that_ends_by_itself_is_noticed(held: Hub) -> None:
    await held.start("ends")
    left = await processes(held, "ends")
    await held.client.get("/user/ends/end")
    await gone(held, "ends")
    await none_of(left)
    await held.start("ends")
    await held.stop("ends")


async def test_a_hub_that_died_finds_the_servers_again(held: Hub) -> None:
    await asyncio.gather(*map(held.start, ("plain", "other", "away")))
    left = {user: await processes(held, user) for user in ("plain", "other", "away")}
    before = [(await told(held, user))[2]["JUPYTERHUB_API_TOKEN"] for user in ("plain", "other")]
    held.process.kill()
    held.process.wait()
    for process in left["away"]:
        with suppress(ProcessLookupError):
            os.kill(int(process.name), signal.SIGKILL)
    await held.begin()
    await gone(held, "away")
    assert [(await told(held, user))[2]["JUPYTERHUB_API_TOKEN"] for user in ("plain", "other")] == before
    assert all([(await server(held, user))["ready"] for user in ("plain", "other")])
    await held.client.get("/user/other/end")
    await gone(held, "other")
    await held.stop("plain")
    await none_of(set().union(*left.values()))
