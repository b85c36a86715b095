"""`python -m hub_config.portal`: the portal and the records service, with the settings of this Practicum."""

from __future__ import annotations

import gc
import logging
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
from hub_config.services import hand_over
from hub_config.settings import Settings, load_settings
from hub_config.settings_shown import shown

#: A course run of thirty learners and 120 days is folded from about 7 000 events, some tens of thousands of objects.
COLLECT_AFTER = (100_000, 20, 50)
#: The proxy keeps its connections and sends on them again. One that is closed just then is an error to somebody, so they stay
#: open for an hour, as the Hub keeps its own.
IDLE_CONNECTION_SECONDS = 3600


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


def build(settings: Settings) -> FastAPI:
    """Put the pages and the records service together."""
    engine = open_database(settings.records_database)
    told = portal_settings(settings)
    KeptFiles(told.imports_folder, told.now).purge()
    hand_over(
        settings.data, load_settings
    )  # a portal that died may have recorded limits that the gateway does not have
    blobs = BlobStore(settings.data / "records" / "blobs")
    identity = HubIdentity(settings.hub_api_url)
    router = make_router(Records(engine, blobs, identity))
    app = create_app(
        told, engine, blobs, identity, router, heads=head_export(settings),
        health=lambda watch: gather(settings, engine=engine, standing=watch.known),
        ai=Installation(load_settings, partial(hand_over, settings.data, load_settings)),
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


def collect_seldom() -> None:
    """Look for cycles of garbage less often: kept states are millions of small objects, and each look at them stops all pages."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def config_of(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """How an application is served behind the proxy."""
    return uvicorn.Config(
        app, host=host, port=port, log_level="warning", access_log=False, timeout_keep_alive=IDLE_CONNECTION_SECONDS
    )


def main() -> None:
    """Serve until a signal."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    settings = load_settings()
    app = build(settings)
    collect_seldom()
    Server(config_of(app, settings.inner_host, settings.portal_port), app.state.portal.listeners).run()


if __name__ == "__main__":
    main()
