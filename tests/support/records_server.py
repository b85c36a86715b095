"""A records service on loopback, over a real database and blob store, with people of its own in the Hub's place."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine

from grader.api import Records, add_errors_and_limits, make_router
from grader.records.blobs import BlobStore
from grader.roles import Caller, HubIdentity
from hub_config.portal.refusals import refusal_text

PEOPLE = {
    "token-ann": Caller("ann", groups=frozenset({f"nbgrader-{COURSE}"})),
    "token-bob": Caller("bob", groups=frozenset({f"nbgrader-{COURSE}"})),
    "token-eve": Caller("eve", groups=frozenset({f"formgrade-{COURSE}"})),
    "token-ida": Caller("ida", groups=frozenset({"institution-inst"})),
    "token-zoe": Caller("zoe", groups=frozenset({"nbgrader-other"})),
    "token-grader": Caller("grader", kind="service"),
}
MAX_UPLOAD = 5_000_000


class KnownPeople(HubIdentity):
    """Knows the tokens above, and no other."""

    def __init__(self) -> None:
        pass

    def caller(self, token: str) -> Caller | None:
        return PEOPLE.get(token)

    recall = caller


def make_app(engine: Engine, blobs: Path, prefix: str = "/api/v1", now: datetime = MONDAY_TEN) -> FastAPI:
    """The service as the product mounts it."""
    app = FastAPI()
    records = Records(engine, BlobStore(blobs), KnownPeople(), now=lambda: now)
    app.include_router(make_router(records), prefix=prefix)
    add_errors_and_limits(app, max_upload_bytes=MAX_UPLOAD, refusal_text=refusal_text)
    return app


@contextmanager
def serving(app: FastAPI, port: int = 0, prefix: str = "/api/v1") -> Iterator[str]:
    """Serve on a loopback port, by default a free one; gives the API's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}{prefix}"
    finally:
        server.should_exit = True
        thread.join()
