"""The portal as an application. The rule: one prefix, headers on every answer, and no page without a route of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache

import httpx
from fastapi import APIRouter, FastAPI
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import FileResponse
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from grader.records.blobs import BlobStore
from grader.records.watch import Watch
from hub_config.ai_limits import Installation
from hub_config.heads import HeadExport
from hub_config.health.gather import Health
from hub_config.portal import (
    ai_limits,
    ai_of_class,
    ai_of_learner,
    ai_of_office,
    allowance_mine,
    announcements,
    assignments,
    auth,
    authors,
    board,
    certificate_mine,
    certificates,
    corrections,
    days,
    deadlines,
    desk,
    desk_ai,
    desk_save,
    desk_served,
    differences,
    door,
    flow,
    idle,
    imports,
    instructor,
    labs_of_class,
    learner,
    live,
    logs,
    office,
    opening,
    operator,
    people,
    privacy,
    programme,
    reports,
    run_make,
    server,
    signs,
    similar,
    staff,
    state,
    topics,
    verify,
)
from hub_config.portal.config import PortalSettings
from hub_config.portal.gateway import Gateway
from hub_config.portal.hub import Hub
from hub_config.portal.keeper import Keeper
from hub_config.portal.pages import answer_http
from hub_config.portal.security import Seals, SecurityHeaders
from hub_config.portal.shared import Shared
from hub_config.portal.site import HERE, Identity, Site
from hub_config.portal.static_files import Assets, packed

ROUTERS = (
    auth.router,
    learner.router,
    door.router,
    days.router,
    opening.router,
    server.router,
    idle.router,
    instructor.router,
    board.router,
    corrections.router,
    signs.router,
    announcements.router,
    flow.router,
    labs_of_class.router,
    desk.router,
    desk_save.router,
    desk_served.router,
    desk_ai.router,
    deadlines.router,
    assignments.router,
    authors.router,
    authors.served,
    live.router,
    logs.router,
    similar.router,
    people.router,
    privacy.router,
    imports.router,
    imports.uploads,
    differences.router,
    run_make.router,
    staff.router,
    state.router,
    office.router,
    certificates.router,
    certificate_mine.router,
    allowance_mine.router,
    verify.router,
    reports.router,
    programme.router,
    operator.router,
    ai_of_learner.router,
    ai_of_class.router,
    topics.router,
    ai_of_office.router,
    ai_limits.router,
)
API = "api/v1"


def create_app(
    settings: PortalSettings,
    engine: Engine,
    blobs: BlobStore,
    identity: Identity,
    api_router: APIRouter | None = None,
    *,
    transport: httpx.BaseTransport | None = None,
    heads: HeadExport | None = None,
    health: Callable[[Watch], Health] | None = None,
    ai: Installation | None = None,
    shared: Shared | None = None,
) -> FastAPI:
    """Build the portal; `api_router` goes under the prefix at api/v1, `transport` stands in for the network in tests.

    With `heads` the journal's signed head is exported each day, and a whole walk of the journal holds it against them.
    `health` gathers what the operator's page shows; `ai` is what AI limits stand on. Of several processes each has what is
    `shared`, and the first does what is done once for all of them.
    """
    shared = shared or Shared()
    hub, gateway = Hub(settings, transport), Gateway(settings.gateway_url, transport)
    watch = Watch(engine, settings.now, heads.heads if heads else None)
    seals = Seals(settings.secret.get_secret_value())
    site = Site(settings, engine, blobs, identity, hub, gateway, seals, watch, shared=shared)
    site.ai = ai
    site.health = None if health is None else lambda: health(watch)
    app = FastAPI(
        title="Practicum", version=API.removeprefix("api/"), docs_url=None, redoc_url=None, lifespan=_lifespan,
        openapi_url=f"{settings.prefix}{API}/openapi.json",
    )  # fmt: skip
    app.state.portal = site
    app.state.keeper = Keeper(watch, engine, heads if shared.process == 1 else None, settings.now)
    app.router.routes.extend(_pages(settings.prefix.rstrip("/")))
    app.include_router(idle.asked, prefix=f"{settings.prefix}{API}")
    if api_router is not None:
        app.include_router(api_router, prefix=f"{settings.prefix}{API}")
    _serve_assets(app, settings)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _broken)
    app.add_middleware(SecurityHeaders)
    return app


@cache
def _pages(prefix: str) -> list[BaseRoute]:
    """The routes of all pages: put together once for all applications of a process, since it takes longer than a page."""
    together = APIRouter()
    for router in ROUTERS:
        together.include_router(router, prefix=prefix)
    return together.routes


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.keeper.start()
    app.state.portal.looks.start()
    yield
    app.state.keeper.stop()
    app.state.portal.looks.stop()
    app.state.portal.runs.stop()
    app.state.portal.rollup.stop()


def _serve_assets(app: FastAPI, settings: PortalSettings) -> None:
    @app.get(f"{settings.prefix}assets/htmx.js", include_in_schema=False)
    async def htmx(request: Request) -> Response:
        return packed(FileResponse(settings.htmx_file, media_type="text/javascript"), request.headers)

    app.mount(f"{settings.prefix}assets/fonts", Assets(directory=settings.fonts_folder), "fonts")
    app.mount(f"{settings.prefix}static", Assets(directory=HERE / "static"), "static")


async def _http_error(request: Request, error: Exception) -> Response:
    """A page for people, JSON for callers of the API."""
    api = f"{request.app.state.portal.settings.prefix}{API}/"
    if isinstance(error, HTTPException) and request.url.path.startswith(api):
        return await http_exception_handler(request, error)
    return await run_in_threadpool(answer_http, request, error)


async def _broken(request: Request, error: Exception) -> Response:
    return await run_in_threadpool(answer_http, request, error)
