"""Cookies, forms and headers. The rule: a browser holds nothing that a script can read or somebody else can forge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, InvalidToken
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATE_SECONDS = 600
CONTENT_POLICY = "; ".join(
    ("default-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "object-src 'none'")
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True)
class Session:
    """A signed-in browser: its Hub token, a random id that its forms are bound to, and whose it is."""

    token: str
    id: str
    who: str = ""


class Seals:
    """Makes and reads what the portal gives a browser, each kind by a key of its own."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._fernet = Fernet(base64.urlsafe_b64encode(self._key("session cookie")))

    def seal(self, session: Session) -> str:
        """Encrypt a session for its cookie."""
        return self._fernet.encrypt(json.dumps([session.token, session.id, session.who]).encode()).decode()

    def unseal(self, cookie: str, max_age_seconds: int | None) -> Session | None:
        """Read a session cookie; None where it is old or not ours, and without an age, where it is not ours."""
        try:
            token, session_id, who = json.loads(self._fernet.decrypt(cookie.encode(), ttl=max_age_seconds))
        except (InvalidToken, ValueError):
            return None
        return Session(token, session_id, who)

    def renewed(self, cookie: str, token: str, who: str) -> Session:
        """A session after a login: forms that the same person has open in this browser hold on, nobody else's do."""
        before = self.unseal(cookie, None)
        same = before is not None and before.who == who != ""
        return Session(token, before.id if before and same else new_id(), who)

    def csrf(self, session: Session) -> str:
        """The token that every form of a session carries."""
        return hmac.new(self._key("form"), session.id.encode(), hashlib.sha256).hexdigest()

    def csrf_holds(self, session: Session, given: str) -> bool:
        """Whether a form came from a page of this session."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode("utf-8", "replace"))

    def state(self, nonce: str, next_path: str) -> str:
        """The OAuth state: where to go after the login, bound to the browser's nonce."""
        body = base64.urlsafe_b64encode(next_path.encode()).decode()
        return f"{body}.{self._state_mark(nonce, body)}"

    def next_of(self, nonce: str, state: str) -> str | None:
        """Where to go after the login; None for a state that this browser did not ask for."""
        body, _, mark = state.partition(".")
        if not nonce or not hmac.compare_digest(
            self._state_mark(nonce, body).encode(), mark.encode("utf-8", "replace")
        ):
            return None
        return base64.urlsafe_b64decode(body).decode()

    def pseudonym(self, kind: str, day: date, value: str) -> str:
        """A short name for a network or a device on one day: without the key nobody gets back, and days cannot be joined."""
        told = f"{day.isoformat()}\n{value}".encode("utf-8", "replace")
        return hmac.new(self._key(f"seen {kind}"), told, hashlib.sha256).hexdigest()[:16] if value else ""

    def _state_mark(self, nonce: str, body: str) -> str:
        return hmac.new(self._key("login"), f"{nonce}\n{body}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def _key(self, purpose: str) -> bytes:
        return hmac.digest(self._secret, f"practicum portal: {purpose}".encode(), hashlib.sha256)


def new_id() -> str:
    """A random name for a session or a login."""
    return secrets.token_urlsafe(24)


def same_origin(request: Request, public_url: str | None) -> bool:
    """Whether the browser says that a request came from a page of this address; no word counts as no."""
    said = request.headers.get("origin") or request.headers.get("referer") or ""
    try:
        found = urlsplit(said)
        if public_url is not None:
            ours = urlsplit(public_url)
            return (found.scheme, found.netloc) == (ours.scheme, ours.netloc)
        return found.scheme in ("http", "https") and found.netloc == request.headers.get("host")
    except ValueError:
        return False


def network_of(request: Request) -> str:
    """The network that a request came from, as uvicorn has it from our own proxy: a whole /64 of IPv6 is one."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ip_network((address.packed[:8] + bytes(8), 64)))
    return str(address)


def origin_of(request: Request, public_url: str | None) -> str:
    """Scheme and host under which this browser sees us."""
    if public_url is not None:
        return public_url.rstrip("/")
    scheme = "https" if is_https(request, public_url) else "http"
    return f"{scheme}://{request.headers.get('host', '')}"


def is_https(request: Request, public_url: str | None) -> bool:
    """Whether the browser speaks HTTPS, so that cookies may insist on it."""
    if public_url is not None:
        return public_url.startswith("https:")
    forwarded = request.headers.get("x-forwarded-proto", request.url.scheme)
    return forwarded.split(",")[0].strip() == "https"


def local_path(path: str | None, base: str, default: str) -> str:
    """Give a path of this address to go on to; the default where it would lead anywhere else."""
    if not path or not path.isprintable() or "\\" in path or path.startswith("//") or not path.startswith(base):
        return default
    return path


class SecurityHeaders:
    """Puts the headers on every answer; what names a caching rule of its own keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message))
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


def _add_headers(headers: MutableHeaders) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")


def cookie_options(request: Request, prefix: str, public_url: str | None) -> dict[str, Any]:
    """How every cookie of the portal is set."""
    return {"path": prefix, "httponly": True, "samesite": "lax", "secure": is_https(request, public_url)}
