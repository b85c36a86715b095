"""A server whose Hub is away: it waits for it, and lets nobody in meanwhile."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from jupyterhub.singleuser import extension
from tornado.web import HTTPError

from hub_config import hub_away, singleuser
from hub_config.hub_away import PatientHubOAuth


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def oauth(port: int) -> PatientHubOAuth:
    return PatientHubOAuth(api_url=f"http://127.0.0.1:{port}/hub/api", api_token="mine", cache_max_age=0)


async def hub(port: int, status: str, user: dict[str, str]) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(user).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", port)


async def test_a_server_waits_for_the_hub_and_takes_its_word(port: int) -> None:
    asking = asyncio.create_task(oauth(port).user_for_token("theirs", sync=False))
    await asyncio.sleep(0.5)
    assert not asking.done()
    async with await hub(port, "200 OK", {"name": "ann", "kind": "user"}):
        assert (await asyncio.wait_for(asking, 10))["name"] == "ann"


async def test_who_the_hub_does_not_know_stays_out_after_the_wait(port: int) -> None:
    asking = asyncio.create_task(oauth(port).user_for_token("theirs", sync=False))
    await asyncio.sleep(0.3)
    async with await hub(port, "403 Forbidden", {}):
        assert not await asyncio.wait_for(asking, 10)


async def test_a_hub_that_stays_away_is_an_error_and_another_fault_is_one_at_once(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await hub(port, "503 Service Unavailable", {}):
        with pytest.raises(HTTPError, match="502"):
            await asyncio.wait_for(oauth(port).user_for_token("theirs", sync=False), 10)
    monkeypatch.setattr(hub_away, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(HTTPError, match="Failed to connect"):
        await oauth(port).user_for_token("theirs", sync=False)


def test_the_server_that_people_get_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "HubOAuth", extension.HubOAuth)
    monkeypatch.setattr("jupyterhub.singleuser.main", lambda: None)
    singleuser.main()
    provider = extension.JupyterHubIdentityProvider()
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "mine")
    monkeypatch.setenv("JUPYTERHUB_CLIENT_ID", "jupyterhub-user-ann")
    assert type(provider.hub_auth) is PatientHubOAuth
