"""The portal served on a loopback port, for a browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from hub_config.assets import node_modules


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """A thread gets no signals."""


@contextmanager
def served(world: Any) -> Iterator[str]:
    """Start a played world's portal with its real fonts and scripts; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    world.start(
        address=address,
        htmx_file=node_modules() / "htmx.org" / "dist" / "htmx.min.js",
        fonts_folder=node_modules() / "pretendard" / "dist" / "web" / "variable",
    )
    server = _Server(uvicorn.Config(world.app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join()
