"""`python -m hub_config.portal [NUMBER]`: a process of the portal and the records service, with the settings of this Practicum.

The processes are alike, but that the first also does what is done once for all of them.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from functools import partial
from types import FrameType

import uvicorn
from fastapi import FastAPI

from grader.api import Records, add_errors_and_limits, make_router
from grader.records.blobs import BlobStore
from grader.records.db import open_database
from grader.roles import HubIdentity
from hub_config import assets
from hub_config.ai_limits import Installation
from hub_config.heads import head_export
from hub_config.health.gather import gather
from hub_config.portal.app import create_app
from hub_config.portal.config import PortalSettings
from hub_config.portal.kept_files import KeptFiles
from hub_config.portal.listeners import Listeners
from hub_config.portal.refusals import refusal_text
from hub_config.portal.shared import Shared
from hub_config.portal.told import Told
from hub_config.services import hand_over
from hub_config.settings import Settings, load_settings
from hub_config.settings_shown import shown
from hub_config.supervisor import LISTEN_FD

#: The collector looks at what two thousand new objects have become, and each fifth time at ten thousand: some milliseconds. At a hundred
#: thousand it is a sixth of a second, in which all pages of a process stand still. Everything that is new it walks seldom: the keeper takes
#: out what stays.
COLLECT_AFTER = (2_000, 5, 400)
#: A page's thread gives way to the others after half a millisecond. With Python's own five, a page that asks the records twenty times
#: beside one that renders could wait a tenth of a second for its turns.
SWITCH_SECONDS = 0.0005
#: A connection ends with its answer, so each request finds a process that is free: the proxy would keep it and go on with the
#: process that answered before, which has most to do. It is said in the answer, so that nobody sends on it any more.
HEADERS = [("connection", "close")]


def portal_settings(settings: Settings) -> PortalSettings:
    """The portal's settings, from the product's."""
    command = (sys.executable, "-m", "hub_config.cli")
    return PortalSettings(
        public_url=settings.public_url,
        address=settings.public_url or settings.base_url,
        hub_api_url=settings.hub_api_url,
        hub_url=f"http://127.0.0.1:{settings.port}",
        api_token=settings.secret("portal-token"),
        secret=settings.secret("class-codes").encode(),
        htmx_file=assets.node_modules() / "htmx.org" / "dist" / "htmx.min.js",
        fonts_folder=assets.node_modules() / "pretendard" / "dist" / "web" / "variable",
        paper_fonts_folder=assets.fonts(),
        keys_folder=settings.data / "secrets" / "issuers",
        courses_folder=settings.data / "courses",
        looks_folder=settings.data / "records",
        gateway_url=settings.gateway_url,
        grade_command=(*command, "grade", "--json"),
        feedback_command=(*command, "feedback", "--json"),
        similar_command=(*command, "similar", "--json"),
        release_command=(*command, "release", "--json"),
        prepare_command=(*command, "prepare", "--json"),
        shown_settings=shown(settings),
        idle_server_minutes=settings.idle_server_minutes,
        idle_formgrader_minutes=settings.idle_formgrader_minutes,
        idle_warning_minutes=settings.idle_warning_minutes,
    )


def build(settings: Settings, process: int = 1) -> FastAPI:
    """Put the pages and the records service together."""
    engine = open_database(settings.records_database)
    told = portal_settings(settings)
    KeptFiles(told.imports_folder, told.now).purge()
    # One that died may have recorded limits that the gateway does not have.
    hand_over(settings.data, load_settings)
    blobs = BlobStore(settings.data / "records" / "blobs")
    shared = Shared(settings.portal_shared, process)
    identity = HubIdentity(settings.hub_api_url, shared=Told(shared))
    router = make_router(Records(engine, blobs, identity))
    app = create_app(
        told, engine, blobs, identity, router, heads=head_export(settings),
        health=lambda watch: gather(settings, engine=engine, standing=watch.known),
        ai=Installation(load_settings, partial(hand_over, settings.data, load_settings), settings.receipts_path),
        shared=shared,
    )  # fmt: skip
    add_errors_and_limits(app, max_upload_bytes=settings.max_upload_mb * 1_000_000, refusal_text=refusal_text)
    return app


class Server(uvicorn.Server):
    """Ends the streams of pages at a signal: uvicorn waits for its connections, and they go on for minutes."""

    def __init__(self, config: uvicorn.Config, listeners: Listeners) -> None:
        super().__init__(config)
        self._listeners = listeners

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._listeners.close()
        super().handle_exit(sig, frame)


def collect_little() -> None:
    """Have the collector of cyclic garbage walk a little at a time, and nothing that stands since the start."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def config_of(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """How an application is served behind the proxy."""
    return uvicorn.Config(app, host=host, port=port, log_level="warning", access_log=False, headers=HEADERS)


def handed_sockets() -> list[socket.socket] | None:
    """The open socket that the supervisor has handed over, for this process alone; None where there is none."""
    handed = os.environ.pop(LISTEN_FD, None)
    if handed is None:
        return None
    listening = socket.socket(fileno=int(handed))
    listening.set_inheritable(False)
    return [listening]


def main() -> None:
    """Serve until a signal."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    settings = load_settings()
    app = build(settings, int(sys.argv[1]) if sys.argv[1:] else 1)
    collect_little()
    sys.setswitchinterval(SWITCH_SECONDS)
    server = Server(config_of(app, settings.inner_host, settings.portal_port), app.state.portal.listeners)
    server.run(handed_sockets())


if __name__ == "__main__":
    main()
