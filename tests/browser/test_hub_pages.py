"""The Hub's own pages in the really running product, looked at as the portal's are: wide and narrow, light and dark, in both languages.

Two of them are never shown here, because the portal is trusted and nobody is offered options: they are rendered as the Hub would.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from http.cookies import SimpleCookie
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from jinja2 import Environment, FileSystemLoader
from playwright.sync_api import Browser, BrowserContext, Page, Route
from running import Installation, token_of
from test_page_walk import SETTLED, VIEWS, WATCH, Walker

from hub_config import hub_look
from hub_config.portal.i18n import COOKIE
from hub_config.portal.security import HEADERS
from hub_config.supervisor import descendants

pytestmark = pytest.mark.browser
PASSWORD = "practicum-demo"
WHO = {"ko": "doyun", "en": "robin"}
NAMES = {"Practicum"}
ON = 'class="badge good"'


class HubWalker(Walker):
    """Looks at a page of the Hub, where JupyterHub's own English may stand besides what the catalogue has."""

    def found(self, where: str, what: object) -> None:
        # That a page was refused is what is looked at here.
        if not (where == "console" and "Failed to load resource" in str(what)):
            super().found(where, what)

    def look(self) -> None:
        super().look()
        said = self.page.evaluate(SETTLED)["said"]
        foreign = [t for t in said if re.search("[A-Za-z]{3}", t) and not re.search("[가-힣]", t) and t not in NAMES]
        self.found("English", self.lang == "ko" and foreign)

    def stands(self, name: str) -> None:
        """Look at a page that another way led to."""
        self.name = name
        self.look()
        self.page.set_viewport_size({"width": VIEWS[0].width, "height": 900})


@pytest.fixture(params=["ko", pytest.param("en", marks=pytest.mark.long)])
def walker(request: pytest.FixtureRequest, practicum: Installation, browser: Browser) -> Iterator[HubWalker]:
    lang: str = request.param
    context = browser.new_context(
        color_scheme="light", reduced_motion="reduce", viewport={"width": VIEWS[0].width, "height": 900}, locale="fr"
    )
    context.add_init_script(WATCH)
    context.add_cookies([{"name": COOKIE, "value": lang, "url": practicum.url}])
    yield HubWalker(context.new_page(), lang, practicum.url)
    context.close()


def sign_in(page: Page, url: str, login: str, password: str = PASSWORD) -> None:
    page.goto(f"{url}/hub/login")
    page.fill("#username_input", login)
    page.fill("#password_input", password)
    page.click("#login_submit")
    page.wait_for_load_state("load")


def until(context: BrowserContext, url: str, part: str) -> None:
    """Wait until a page holds what it should."""
    deadline = time.monotonic() + 120
    while part not in context.request.get(url).text():
        assert time.monotonic() < deadline, f"{url} does not come to {part}"
        time.sleep(0.5)


def tell_server(site: Installation, login: str, number: signal.Signals) -> None:
    """Send a signal to every process of somebody's server."""
    with closing(sqlite3.connect(f"file:{site.data / 'hub' / 'jupyterhub.sqlite'}?mode=ro", uri=True)) as hub:
        query = "SELECT spawners.state FROM spawners JOIN users ON users.id = spawners.user_id WHERE users.name = ?"
        ((state,),) = hub.execute(query, (login,))
    first: int = json.loads(state)["pid"]
    for pid in (first, *descendants(first)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def off(site: Installation, login: str) -> None:
    """End the server that another test may have left to somebody."""
    headers = {"Authorization": f"Bearer {token_of(site, login)}"}
    server = f"{site.url}/hub/api/users/{login}"
    deadline = time.monotonic() + 60
    httpx.delete(f"{server}/server", headers=headers, timeout=60)
    while httpx.get(server, headers=headers).json()["servers"]:
        assert time.monotonic() < deadline, f"{login}'s server does not end"
        time.sleep(0.2)


@contextmanager
def broken_home(site: Installation, login: str) -> Iterator[None]:
    """No server can be started for somebody whose home is a file."""
    home, aside = site.data / "homes" / login, site.data / "homes" / f".{login}"
    if home.exists():
        home.rename(aside)
    home.touch()
    yield
    home.unlink()
    if aside.exists():
        aside.rename(home)


def is_asked(route: Route) -> bool:
    """Whether it is a question that the page's own script asks."""
    return route.request.resource_type in ("fetch", "eventsource", "xhr")


def hang(route: Route) -> None:
    """Let such a question wait for as long as the page is looked at."""
    if not is_asked(route):
        route.continue_()


@pytest.mark.timeout(600)
def test_each_page_of_the_hub(practicum: Installation, walker: HubWalker) -> None:
    page, login = walker.page, WHO[walker.lang]
    off(practicum, login)
    walker.go("hub-login", "/hub/login", 200)
    sign_in(page, practicum.url, login, "wrong")
    assert page.locator("#problem").is_visible()
    assert page.input_value("#username_input") == login
    walker.stands("hub-login-refused")
    sign_in(page, practicum.url, login)
    walker.go("hub-home-off", "/hub/home", 200)
    walker.go("hub-token", "/hub/token", 200)
    walker.go("hub-not-running", f"/user/{login}/lab", 424)
    walker.go("hub-404", "/hub/nothing", 404)
    with broken_home(practicum, login):
        page.context.request.get(f"{practicum.url}/hub/spawn/{login}")
        until(page.context, f"{practicum.url}/hub/spawn-pending/{login}", 'id="start"')
        walker.go("hub-failed", f"/hub/spawn-pending/{login}", 500)
    # Hold the page's own questions back, or it would lead on while it is looked at.
    page.route("**/*", hang)
    walker.go("hub-starting", f"/hub/spawn/{login}", 200)
    assert "/hub/spawn-pending/" in page.url
    page.unroute("**/*")
    until(page.context, f"{practicum.url}/hub/home", ON)
    page.goto("about:blank")  # the page before leads on by itself now
    walker.go("hub-home-on", "/hub/home", 200)
    tell_server(practicum, login, signal.SIGSTOP)  # it does not hear that it should end
    page.locator("[data-stop]").click()
    page.wait_for_load_state("load")
    page.route("**/*", hang)
    walker.go("hub-stopping", f"/hub/spawn-pending/{login}", 200)
    assert page.locator("#stopping").is_visible()
    tell_server(practicum, login, signal.SIGCONT)
    assert not walker.wrong, f"{len(walker.wrong)} findings:\n" + "\n".join(walker.wrong)


def rendered(name: str, lang: str, **values: Any) -> str:
    """A page as the Hub renders it."""

    class Handler:
        request = SimpleNamespace(cookies=SimpleCookie({COOKIE: lang}), headers={}, uri="/hub/made")

        def static_url(self, path: str) -> str:
            return f"/hub/static/{path}"

    given = {key: value(None) if callable(value) else value for key, value in hub_look.template_vars().items()}
    pages = Environment(loader=FileSystemLoader(hub_look.PAGES), autoescape=True)
    common = {"prefix": "/", "base_url": "/hub/", "xsrf": "x", "xsrf_token": "x", "login_url": "/hub/login"}
    return pages.get_template(name).render(**given, **common, static_url=Handler().static_url, **values)


def test_the_pages_that_are_never_shown_here(practicum: Installation, walker: HubWalker) -> None:
    scopes = [{"scope": "", "description": "Identify the owner of the requesting entity.", "filter": ""}]
    client = {"description": "JupyterHub service elsewhere", "redirect_uri": "https://tools.example/oauth_callback"}
    made = {
        "oauth.html": {"oauth_client": client, "scope_descriptions": scopes, "allowed_scopes": ["inherit"]},
        "logout.html": {},
        "spawn.html": {"spawner_options_form": "", "error_message": "no room", "url": "/hub/spawn"},
    }
    for name, values in made.items():
        body = rendered(name, walker.lang, **values)
        answer = partial(Route.fulfill, body=body, content_type="text/html; charset=utf-8", headers=HEADERS)
        walker.page.route("**/hub/made", lambda route, _, answer=answer: answer(route), times=1)
        walker.go(f"hub-{name.removesuffix('.html')}", "/hub/made", 200)
    assert not walker.wrong, f"{len(walker.wrong)} findings:\n" + "\n".join(walker.wrong)


@pytest.mark.parametrize("walker", ["ko"], indirect=True)
def test_a_server_that_died_is_told_in_both_languages(practicum: Installation, walker: HubWalker) -> None:
    """The proxy fetches the page of an error by itself: nobody told it a language, and it hands on no headers."""
    page, login = walker.page, WHO[walker.lang]
    off(practicum, login)
    sign_in(page, practicum.url, login)
    page.context.request.get(f"{practicum.url}/hub/spawn/{login}")
    until(page.context, f"{practicum.url}/hub/home", ON)
    tell_server(practicum, login, signal.SIGKILL)
    answer = page.goto(f"{practicum.url}/user/{login}/lab")
    assert answer is not None
    assert answer.status == 503
    assert "content-security-policy" not in answer.headers
    assert [h.inner_text() for h in page.locator("h1, h2").all()] == [
        "지금은 이용할 수 없습니다",
        "Not available right now",
    ]
    walker.stands("hub-503")
    assert not walker.wrong, f"{len(walker.wrong)} findings:\n" + "\n".join(walker.wrong)
    assert page.evaluate("""() => new Promise(done => {
      document.addEventListener('securitypolicyviolation', e => done(e.violatedDirective));
      document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}));
    })""").startswith("script-src")  # fmt: skip


@pytest.mark.parametrize("walker", ["ko"], indirect=True)
def test_a_token_is_made_works_and_is_ended(practicum: Installation, walker: HubWalker) -> None:
    page, login = walker.page, WHO[walker.lang]

    def status(token: str, path: str = "/user") -> int:
        headers = {"Authorization": f"token {token}"}
        return httpx.get(f"{practicum.url}/hub/api{path}", headers=headers, timeout=30).status_code

    def make(note: str, scopes: str) -> str:
        page.fill("#note", note)
        page.fill("#scopes", scopes)
        page.select_option("#expires", "3600")
        page.click("#make button")
        page.locator("#made").wait_for()
        return page.inner_text("#token")

    sign_in(page, practicum.url, login)
    page.goto(f"{practicum.url}/hub/token")
    name = "<b>성적표</b> & 시험"
    token = make(name, "read:users:name!user, read:users:groups!user")
    assert status(token) == 200
    assert status(token, f"/users/{login}/tokens") in (403, 404), "it permits what was asked for"
    page.reload()
    assert token not in page.content(), "it is shown once"
    row = page.locator("tr", has=page.get_by_text(name, exact=True))
    assert row.count() == 1
    row.locator("summary").click()
    assert "read:users:name" in row.inner_text()
    failed, button = page.locator("#failed"), row.locator("[data-revoke]")
    page.route("**/hub/api/**", lambda route: route.fulfill(status=500))
    button.click()
    failed.wait_for()
    assert status(token) == 200
    page.unroute("**/hub/api/**")
    button.click()
    row.wait_for(state="detached")
    assert failed.is_hidden()
    assert status(token) == 403
    page.fill("#note", "x")
    page.fill("#scopes", "no:such:scope")
    page.click("#make button")
    failed.wait_for()


def test_the_headers_of_the_hub_are_those_of_the_portal(practicum: Installation, browser: Browser) -> None:
    context = browser.new_context()
    for path in ("/hub/login", "/hub/nothing", "/hub/api/"):
        headers = context.request.get(practicum.url + path).headers
        assert {name: headers.get(name) for name in HEADERS} == HEADERS, path
        assert headers["cache-control"] == "no-store"
    context.close()
