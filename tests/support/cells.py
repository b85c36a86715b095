"""A first cell in somebody's server, run as a notebook runs it."""

from __future__ import annotations

import json
import time
import uuid

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

#: A video lab's imports.
CELL = "import moviepy, numpy, PIL.Image, ipywidgets; from labs.session import open_lab; print('done')"


async def first_cell(client: httpx.AsyncClient, user: str) -> float:
    """Start a kernel and run a lab's imports; the seconds until they are done. The client comes with a token."""
    begun = time.monotonic()
    kernel = (await client.post(f"/user/{user}/api/kernels", json={})).raise_for_status().json()["id"]
    url = client.base_url.copy_with(scheme="ws", path=f"/user/{user}/api/kernels/{kernel}/channels")
    socket = await websocket_connect(HTTPRequest(str(url), headers={"Authorization": client.headers["Authorization"]}))
    message = {"header": {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex,
                          "version": "5.3"}, "parent_header": {}, "metadata": {}, "channel": "shell",
               "content": {"code": CELL, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}}  # fmt: skip
    await socket.write_message(json.dumps(message))
    while text := await socket.read_message():
        said = json.loads(text)
        if said.get("msg_type") == "error":
            raise RuntimeError(said["content"]["traceback"])
        if said.get("msg_type") == "stream" and "done" in said["content"]["text"]:
            seconds = time.monotonic() - begun
            socket.close()
            while await socket.read_message() is not None:
                pass  # until it is closed on both sides: the proxy would hold its own
            return seconds
    raise RuntimeError("the server hung up")
