"""What JupyterHub asks of a spawner, through a real Hub and proxy: servers that start well, slowly, badly and never.

JupyterHub's own tests of spawners have the same cases; those that need no Hub are in test_server_isolation.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from class_hub import ClassHub, class_hub

SINGLEUSER = "from hub_config.singleuser import main; main()"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest_asyncio.fixture(params=["bubblewrap", "quick"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[ClassHub]:
    async with class_hub(request.param) as running:
        yield running


async def state(hub: ClassHub, user: str) -> Any:
    """What the Hub knows of somebody's server when it is done with it: ready or not there."""
    deadline = time.monotonic() + 120
    while True:
        known = (await hub.client.get(f"/hub/api/users/{user}")).json()
        server = known["servers"].get("")
        if known["pending"] is None and (server is None or server["ready"]):
            return server
        assert time.monotonic() < deadline, known
        await asyncio.sleep(0.1)


async def nothing_is_left(hub: ClassHub) -> None:
    deadline = time.monotonic() + 20
    while hub.servers():
        assert time.monotonic() < deadline, hub.servers()
        await asyncio.sleep(0.1)


async def works(hub: ClassHub, user: str) -> None:
    """Whoever had bad luck can begin again; the server answers them, and ends without a trace."""
    await hub.start(user)
    assert (await state(hub, user))["ready"]
    await hub.stop(user)
    assert await state(hub, user) is None
    assert (await hub.client.get(f"/user/{user}/api/status")).status_code in (404, 424, 503)
    await nothing_is_left(hub)


@pytest.mark.timeout(400)
async def test_starts_of_every_kind_end_well_or_leave_nothing(hub: ClassHub) -> None:
    await works(hub, "ann")

    slow = await hub.ask_for("ann", cmd=python(f"import time; time.sleep(4); {SINGLEUSER}"))
    assert slow.status_code in (201, 202)
    assert (await state(hub, "ann"))["ready"]
    await hub.stop("ann")

    bad: dict[str, dict[str, Any]] = {
        "fails": {"cmd": python("raise SystemExit(3)")},
        "is no program": {"cmd": ["/no/such/program"]},
        "never answers, and does not listen": {"cmd": python(STUBBORN), "http_timeout": 2, "term_timeout": 1},
        "an environment that no process can have": {"environment": {"PRACTICUM_BAD": "a\0b"}},
    }  # fmt: skip
    for what, options in bad.items():
        answer = await hub.ask_for("ann", **options)
        assert answer.status_code in (202, 500), what
        assert await state(hub, "ann") is None, what
        await nothing_is_left(hub)
    await works(hub, "ann")


@pytest.mark.timeout(200)
async def test_a_server_that_dies_leaves_nothing_and_can_be_started_again(hub: ClassHub) -> None:
    await hub.start("bob")
    os.kill(hub.servers()[-1], signal.SIGKILL)
    await nothing_is_left(hub)
    await works(hub, "bob")
