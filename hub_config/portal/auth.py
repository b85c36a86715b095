"""Signing in and out, the way home, and the language. The rule: the Hub signs people in; the portal has no passwords."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from hub_config.portal import i18n
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.security import STATE_SECONDS, cookie_options, local_path, new_id
from hub_config.portal.site import SESSION_COOKIE, Anybody, PageError, Posted, SignedIn
from labs.texts import LANGUAGES

router = APIRouter(route_class=PageRoute, include_in_schema=False)
STATE_COOKIE = "practicum-portal-login"
OPEN_FORMS_SECONDS = 24 * 3600
LANGUAGE_SECONDS = 365 * 24 * 3600


@router.get("/health")
def health() -> PlainTextResponse:
    """Say that the portal runs."""
    return PlainTextResponse("ok\n")


@router.get("/login")
def login(visit: Anybody, next: str = "") -> RedirectResponse:
    """Send the browser to the Hub's login."""
    settings, seals = visit.site.settings, visit.site.seals
    # One nonce for all tabs of a browser, so that two pages opened at once both come back.
    nonce = visit.request.cookies.get(STATE_COOKIE) or new_id()
    state = seals.state(nonce, local_path(next, settings.prefix, settings.prefix))
    answer = RedirectResponse(visit.site.hub.authorize_url(state), 303)
    options = cookie_options(visit.request, settings.prefix, settings.public_url)
    answer.set_cookie(STATE_COOKIE, nonce, max_age=STATE_SECONDS, **options)
    return answer


@router.get("/oauth_callback")
def oauth_callback(visit: Anybody, code: str = "", state: str = "") -> RedirectResponse:
    """Take the Hub's answer to a login that this browser began."""
    settings, seals = visit.site.settings, visit.site.seals
    next_path = seals.next_of(visit.request.cookies.get(STATE_COOKIE, ""), state)
    if next_path is None:
        raise PageError(
            400, N_("This login was not begun in this browser, or it took too long. Start again from the home page.")
        )
    token = visit.site.hub.token_for(code) if code else None
    if token is None:
        raise PageError(403, N_("The Hub did not confirm the login. Start again from the home page."))
    caller = visit.site.identity.caller(token)
    session = seals.renewed(visit.request.cookies.get(SESSION_COOKIE, ""), token, caller.name if caller else "")
    answer = RedirectResponse(next_path, 303)
    options = cookie_options(visit.request, settings.prefix, settings.public_url)
    # It signs in for the session's hours; what is older only says whose forms may stand open here.
    answer.set_cookie(
        SESSION_COOKIE, seals.seal(session), max_age=settings.session_hours * 3600 + OPEN_FORMS_SECONDS, **options
    )
    return answer


@router.post("/logout")
def logout(visit: Posted) -> RedirectResponse:
    """Forget the session here and at the Hub."""
    answer = RedirectResponse(f"{visit.site.settings.base_path}hub/logout", 303)
    answer.delete_cookie(SESSION_COOKIE, path=visit.site.settings.prefix)
    return answer


@router.get("/lang/{lang}")
def choose_language(visit: Anybody, lang: str, next: str = "") -> RedirectResponse:
    """Remember the language and go back to the page."""
    settings = visit.site.settings
    back = local_path(next, settings.prefix, "") or local_path(next, f"{settings.base_path}hub/", settings.prefix)
    answer = RedirectResponse(back, 303)
    if lang in LANGUAGES:
        # The Hub's own pages read it too.
        options = cookie_options(visit.request, settings.base_path, settings.public_url)
        answer.set_cookie(i18n.COOKIE, lang, max_age=LANGUAGE_SECONDS, **options)
    return answer


@router.get("/")
def home(visit: SignedIn) -> Response:
    """Go to the caller's first place; say so where they have none."""
    found = visit.places
    if not found:
        raise PageError(403, N_("Your account has no role in a course yet."))
    return RedirectResponse(found[0].url, 303)
