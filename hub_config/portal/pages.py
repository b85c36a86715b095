"""How a page fails. The rule: every refusal is a page that says in the reader's language what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

import httpx
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from grader.imports.limits import MAX_FILE_BYTES
from grader.records.state import UnknownCourse
from grader.records.work import UnknownWork
from grader.roles import Forbidden
from hub_config.portal import looking
from hub_config.portal.failures import failure
from hub_config.portal.i18n import N_
from hub_config.portal.site import SESSION_COOKIE, NotSignedIn, PageError, Site, Visit, visitor
from labs.texts import UserError

MAX_FORM_BYTES = 64_000


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def refuse_large(self, request: Request) -> None:
        """Refuse a form before it is read."""
        if not _is_within(request, MAX_FORM_BYTES):
            raise PageError(413, N_("The form is too large."))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler that FastAPI makes."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                self.refuse_large(request)
                response = await handler(request)
                if request.method == "GET" and response.status_code == 200:
                    await run_in_threadpool(looking.note, request, _address(request, self.path))
            except (NotSignedIn, PageError, UserError, httpx.HTTPError, RequestValidationError) as error:
                return await run_in_threadpool(answer, request, error)
            return response

        return handle


def _address(request: Request, path: str) -> str:
    """A route's address below the portal's own."""
    site: Site = request.app.state.portal
    return f"/{path.lstrip('/')}".removeprefix(site.settings.prefix.rstrip("/")).lstrip("/")


class UploadRoute(PageRoute):
    """A route that takes a file; it is read only from a browser that is signed in, and within a limit of its own."""

    def refuse_large(self, request: Request) -> None:
        """Refuse a file before it is read."""
        site: Site = request.app.state.portal
        if site.seals.unseal(request.cookies.get(SESSION_COOKIE, ""), site.settings.session_hours * 3600) is None:
            raise NotSignedIn
        if not _is_within(request, MAX_FILE_BYTES + MAX_FORM_BYTES):
            most = MAX_FILE_BYTES // 1_000_000
            raise UserError(
                f"파일이 너무 큽니다. {most} MB까지 올릴 수 있습니다.",
                f"the file is too large; at most {most} MB are taken",
            )


def _is_within(request: Request, most: int) -> bool:
    announced = request.headers.get("content-length", "")
    return request.method != "POST" or (announced.isdigit() and int(announced) <= most)


def answer(request: Request, error: Exception) -> Response:
    """Turn an error into its page, or into the way to the login."""
    if isinstance(error, NotSignedIn):
        return _to_login(request)
    visit = _visit_of(request)
    status, text = _status(error), ""
    if isinstance(error, PageError):
        text = visit.t(error.message)
    elif isinstance(error, UserError):
        text = error.text.in_(visit.words.lang)
    return error_page(visit, status, text)


def error_page(visit: Visit, status: int, text: str = "") -> Response:
    """The page of a refusal."""
    title, advice = failure(status)
    return visit.page("error.html", status, title=visit.t(title), text=text, advice=visit.t(advice))


def answer_http(request: Request, error: Exception) -> Response:
    """The page of an address that no route has."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    try:
        return error_page(visitor(request), status)
    except httpx.HTTPError:
        return error_page(_visit_of(request), status)


def _visit_of(request: Request) -> Visit:
    known = getattr(request.state, "visit", None)
    site: Site = request.app.state.portal
    return known if isinstance(known, Visit) else Visit(request, site)


def _status(error: Exception) -> int:
    if isinstance(error, PageError):
        return error.status
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, UnknownCourse | UnknownWork):
        return 404
    return 503 if isinstance(error, httpx.HTTPError) else 400


def _to_login(request: Request) -> Response:
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    site: Site = request.app.state.portal
    prefix = site.settings.prefix
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    next_path = here if request.method == "GET" else prefix
    return RedirectResponse(f"{prefix}login?{urlencode({'next': next_path})}", 303)
