"""People of the pilot at the real front door: each signs in at the Hub as a browser does, and asks with what it gave them."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable, Mapping

import httpx

from hub_config.portal.security import Seals
from hub_config.portal.site import SESSION_COOKIE

PREFIX, PASSWORD = "/services/portal/", "practicum-demo"
#: So many sign in at once: the Hub has one processor.
AT_ONCE = 4
#: Made once: it takes as long as a page.
UNUSED_TLS = ssl.create_default_context()


def browser(url: str) -> httpx.AsyncClient:
    """Somebody's browser."""
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(
        base_url=url, follow_redirects=True, timeout=120, trust_env=False, verify=UNUSED_TLS, limits=limits
    )


async def sign_in(client: httpx.AsyncClient, login: str) -> str:
    """Go to the portal, and through the Hub's login back to it; gives the session's cookie."""
    page = await client.get(PREFIX)
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    assert xsrf, f"{login}: no login at {page.url}"
    form = {"username": login, "password": PASSWORD, "_xsrf": xsrf[1]}
    back = await client.post(page.url, data=form)
    cookie = client.cookies.get(SESSION_COOKIE, path=PREFIX)
    assert back.status_code == 200, f"{login}: {back.status_code} at {back.url}"
    assert cookie, f"{login}: no session"
    return cookie


async def cookies_of(url: str, logins: Iterable[str]) -> dict[str, str]:
    """Sign everybody in, and give their sessions' cookies."""
    turn, found = asyncio.Semaphore(AT_ONCE), {}

    async def one(login: str) -> None:
        async with turn, browser(url) as client:
            found[login] = await sign_in(client, login)

    await asyncio.gather(*map(one, logins))
    return found


class Forms:
    """Sends the portal's forms as people who are signed in."""

    def __init__(self, url: str, seals: Seals, cookies: Mapping[str, str]) -> None:
        self._url, self._seals, self._cookies = url, seals, cookies
        self._client = httpx.Client(base_url=url + PREFIX, timeout=120, trust_env=False, verify=UNUSED_TLS)

    def body(self, login: str, **form: str) -> tuple[dict[str, str], dict[str, str]]:
        """A form of somebody's session, and the headers that a browser sends with it."""
        session = self._seals.unseal(self._cookies[login], 24 * 3600)
        assert session is not None
        headers = {"cookie": f"{SESSION_COOKIE}={self._cookies[login]}", "origin": self._url}
        return {"csrf": self._seals.csrf(session), **form}, headers

    def post(self, login: str, path: str, files: dict[str, tuple[str, bytes]] | None = None, **form: str) -> str:
        """Send a form; gives where it leads."""
        data, headers = self.body(login, **form)
        answer = self._client.post(path, data=data, headers=headers, files=files)
        if answer.status_code != 303:
            raise SystemExit(f"{path} as {login}: {answer.status_code} {answer.text[-1500:]}")
        return answer.headers["location"]

    def page(self, login: str, path: str) -> str:
        """A page as somebody sees it."""
        _, headers = self.body(login)
        answer = self._client.get(path, headers=headers)
        if answer.status_code != 200:
            raise SystemExit(f"{path} as {login}: {answer.status_code} {answer.text[-1500:]}")
        return answer.text
