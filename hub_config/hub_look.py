"""The Hub's own pages in the portal's look. The rule: words, styles and policy are the portal's, so nothing is said or drawn twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context

from hub_config.portal import i18n
from hub_config.portal.failures import failure
from hub_config.portal.i18n import COOKIE, Words
from hub_config.portal.security import CONTENT_POLICY, HEADERS

PAGES = Path(__file__).with_name("hub_pages")
#: Where the portal keeps its styles: the Hub gives them out too, so that its pages stand when the portal does not.
STATIC = Path(i18n.__file__).with_name("static")
SHEETS = ("tokens.css", "base.css", "parts.css", "tables.css", "hub.css")
#: The same policy for a page that the proxy hands on without its headers; there a browser refuses to read who may frame it.
PAGE_POLICY = "; ".join(part for part in CONTENT_POLICY.split("; ") if not part.startswith("frame-ancestors"))


def tornado_settings() -> dict[str, Any]:
    """The headers of every answer of the Hub, and the folder of what its pages load."""
    return {"headers": {**HEADERS, "cache-control": "no-store"}, "static_path": str(STATIC)}


def template_vars() -> dict[str, Any]:
    """What the templates call; the Hub calls each value with the signed-in person first."""
    given: dict[str, Any] = {
        "_": _text, "lang": _lang, "tongues": _tongues, "here": _here, "failure": failure
    }  # fmt: skip
    return {**{name: _as_it_is(value) for name, value in given.items()}, "sheets": SHEETS, "policy": PAGE_POLICY}


def chosen(cookie: str, accepted: str) -> str | None:
    """The language that a browser chose on the portal, else the first of ours that it asks for."""
    asked = [cookie, *(part.strip()[:2].lower() for part in accepted.split(","))]
    return next((lang for lang in asked if lang in i18n.load()), None)


def _as_it_is(value: Any) -> Callable[[Any], Any]:
    return lambda _user: value


def _request(context: Context) -> Any:
    # JupyterHub gives a template no request, but a method of the handler that has it.
    return context["static_url"].__self__.request


def _choice(context: Context) -> str | None:
    request = _request(context)
    cookie = request.cookies.get(COOKIE)
    return chosen(cookie.value if cookie else "", request.headers.get("accept-language", ""))


@pass_context
def _lang(context: Context) -> str:
    return _choice(context) or "ko"


@pass_context
def _tongues(context: Context) -> list[Words]:
    """The page's language; both where nobody said one, as when the proxy fetches the page of an error."""
    known, lang = i18n.load(), _choice(context)
    return [known[lang]] if lang else [known["ko"], known["en"]]


@pass_context
def _text(context: Context, message: str, **values: Any) -> str:
    return i18n.load()[_choice(context) or "ko"].fill(message, **values)


@pass_context
def _here(context: Context) -> str:
    return str(_request(context).uri)
