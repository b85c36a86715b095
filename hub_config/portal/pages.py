"""How a page fails. The rule: every refusal is a page that says in the reader's language what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import iscoroutinefunction
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
from hub_config.portal.security import same_origin
from hub_config.portal.site import SESSION_COOKIE, FormOutOfDate, NotSignedIn, PageError, Site, Visit, visitor
from labs.texts import UserError

MAX_FORM_BYTES = 64_000


def noted(endpoint: Callable[..., Any], path: str) -> Callable[..., Any]:
    """The same page, and that somebody looked at it is written down before it is shown: in its own thread, where it has one."""

    def note(values: dict[str, Any], response: Response) -> Response:
        visit = next((value for value in values.values() if isinstance(value, Visit)), None)
        if visit is not None and visit.request.method == "GET" and response.status_code == 200:
            looking.note(visit, _address(visit.site, path))
        return response

    @wraps(endpoint)
    def in_its_thread(**values: Any) -> Response:
        return note(values, endpoint(**values))

    @wraps(endpoint)
    async def in_the_loop(**values: Any) -> Response:
        return await run_in_threadpool(note, values, await endpoint(**values))

    return in_the_loop if iscoroutinefunction(endpoint) else in_its_thread


class PageRoute(APIRoute):
    """A route whose errors are pages."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, noted(endpoint, path), **more)

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
                return await handler(request)
            except (NotSignedIn, PageError, UserError, httpx.HTTPError, RequestValidationError) as error:
                return await run_in_threadpool(answer, request, error, await _typed(request, error))

        return handle


def _address(site: Site, path: str) -> str:
    """A route's address below the portal's own."""
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


async def _typed(request: Request, error: Exception) -> list[tuple[str, str]]:
    """What somebody typed into a form of ours that cannot be taken as it came; empty where it holds nothing but buttons."""
    site: Site = request.app.state.portal
    taken = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if not isinstance(error, NotSignedIn | FormOutOfDate) or request.method != "POST" or not taken:
        return []
    if not same_origin(request, site.settings.public_url):
        return []
    fields = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
    return fields if any(name != "csrf" and value.strip() for name, value in fields) else []


def _kept(request: Request, fields: list[tuple[str, str]], *, again: bool) -> Response:
    """The page that still shows what was typed; after a login of the same person it can be sent again from there."""
    visit, site = _visit_of(request), request.app.state.portal
    login = f"{site.settings.prefix}login?{urlencode({'next': visit.here})}" if again else ""
    page = visit.page("kept.html", 403, fields=fields, login=login)
    if "hx-request" in request.headers:
        # A part of a page was asked for; this is shown in the place of all of it, which htmx does with a success only.
        page.status_code = 200
        page.headers.update({"HX-Retarget": "main", "HX-Reselect": "main", "HX-Reswap": "outerHTML"})
    return page


def answer(request: Request, error: Exception, typed: list[tuple[str, str]]) -> Response:
    """Turn an error into its page, or into the way to the login."""
    if typed:
        return _kept(request, typed, again=isinstance(error, NotSignedIn))
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
    return RedirectResponse(f"{site.settings.prefix}login?{urlencode({'next': _visit_of(request).here})}", 303)
