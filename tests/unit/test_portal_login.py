"""Signing in through the Hub and out again, and forms that others try to send."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from played_gateway import gateway
from test_portal_world import COURSE, ORIGIN, PREFIX, World, seeded_records, world

from grader.records import announcements, attend
from grader.records.db import reading
from hub_config.portal.security import Seals, Session, local_path
from hub_config.portal.site import SESSION_COOKIE

LEARN = f"{PREFIX}learn/{COURSE}"


def hub(token: str = "token-mina") -> object:
    """A Hub that gives a token for the code 'good'."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/hub/api/oauth2/token":
            form = parse_qs(request.content.decode())
            right = form["code"] == ["good"] and form["client_secret"] == ["service-token"]
            return httpx.Response(200, json={"access_token": token}) if right else httpx.Response(400)
        return gateway()(request)

    return answer


def begin(world: World, next_path: str = LEARN) -> tuple[object, str]:
    browser = world.browser()
    sent = browser.get(f"{PREFIX}login", params={"next": next_path})
    return browser, parse_qs(urlsplit(sent.headers["location"]).query)["state"][0]


def test_the_login_goes_to_the_hub_and_comes_back(world: World) -> None:
    world.answer = hub()
    browser = world.browser()
    away = browser.get(LEARN)
    login = browser.get(away.headers["location"])
    target = urlsplit(login.headers["location"])
    query = parse_qs(target.query)
    assert target.path == "/hub/api/oauth2/authorize"
    assert query["client_id"] == ["service-portal"]
    assert query["redirect_uri"] == [f"{PREFIX}oauth_callback"]
    back = browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": query["state"][0]})
    assert back.status_code == 303
    assert back.headers["location"] == LEARN
    cookie = next(c for c in back.headers.get_list("set-cookie") if c.startswith(f"{SESSION_COOKIE}="))
    for wanted in ("HttpOnly", "SameSite=lax", f"Path={PREFIX}"):
        assert wanted in cookie
    assert "token-mina" not in cookie
    assert browser.get(LEARN).status_code == 200


def test_two_tabs_may_log_in_at_once(world: World) -> None:
    world.answer = hub()
    browser, first = begin(world)
    browser.get(f"{PREFIX}login", params={"next": PREFIX})
    assert browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": first}).status_code == 303


@pytest.mark.parametrize("change", ["no cookie", "other state", "bad code", "no code"])
def test_a_login_that_was_not_begun_here_is_refused(world: World, change: str) -> None:
    world.answer = hub()
    browser, state = begin(world)
    if change == "no cookie":
        browser = world.browser()
    if change == "other state":
        state = state[:-3] + "abc"
    code = {"bad code": "stolen", "no code": ""}.get(change, "good")
    answer = browser.get(f"{PREFIX}oauth_callback", params={"code": code, "state": state})
    assert answer.status_code in (400, 403)
    assert SESSION_COOKIE + "=" not in str(answer.headers.get_list("set-cookie"))


def test_the_login_never_leads_to_another_address(world: World) -> None:
    world.answer = hub()
    browser, state = begin(world, "//evil.example/")
    back = browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state})
    assert back.headers["location"] == PREFIX


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/\\evil.example", "https://evil.example/", "/a\r\nb: c", "", None]
)
def test_a_path_that_leads_away_is_not_followed(path: str | None) -> None:
    assert local_path(path, "/", "/home") == "/home"
    assert local_path("/learn/a?b=c", "/", "/home") == "/learn/a?b=c"


@pytest.mark.parametrize("cookie", ["", "rubbish", "gAAAAABrubbish", "ⓧ"])
def test_a_cookie_that_is_not_ours_is_nobody(world: World, cookie: str) -> None:
    headers = {"cookie": f"{SESSION_COOKIE}={cookie}".encode()}
    assert world.browser().get(LEARN, headers=headers).status_code == 303


def test_a_cookie_sealed_with_another_secret_or_too_old_is_nobody() -> None:
    ours, theirs, session = Seals(b"ours"), Seals(b"theirs"), Session("token-mina", "id")
    assert ours.unseal(ours.seal(session), 60) == session
    assert ours.unseal(theirs.seal(session), 60) is None
    assert ours.unseal(ours.seal(session), -1) is None


def test_signing_out_forgets_the_session_and_goes_to_the_hub(world: World) -> None:
    browser = world.browser("mina")
    answer = world.post(browser, "logout", "mina")
    assert answer.headers["location"] == "/hub/logout"
    assert any(c.startswith(f'{SESSION_COOKIE}=""') for c in answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({"origin": ORIGIN}, ""),
        ({"origin": ORIGIN}, "0" * 64),
        ({"origin": ORIGIN}, "한글"),
        ({"origin": "https://evil.example"}, None),
        ({"origin": "null"}, None),
        ({"referer": "http://portal.test.evil.example/"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize(
    ("login", "path"),
    [
        ("mina", f"learn/{COURSE}/check"),
        ("mina", f"learn/{COURSE}/hand-in/rough-cut"),
        ("teacher", f"class/{COURSE}/correct"),
        ("teacher", f"class/{COURSE}/labs/rough-cut/grade"),
        ("teacher", f"class/{COURSE}/labs/rough-cut/feedback"),
        ("mina", "logout"),
    ],
)
def test_a_form_from_elsewhere_is_refused(
    world: World,
    login: str,
    path: str,
    headers: dict[str, str],
    csrf: str | None,
) -> None:
    world.release()
    browser = world.browser(login)
    token = world.site.seals.csrf(world.session) if csrf is None else csrf
    answer = browser.post(PREFIX + path, data={"csrf": token, "code": world.code()}, headers=headers)
    assert answer.status_code == 403
    assert "새로 고친 뒤" in answer.text
    assert world.events(attend.CHECKED_IN) == 0
    assert world.asked == []


def test_a_form_of_another_session_is_refused(world: World) -> None:
    browser = world.browser("mina")
    assert world.post(browser, f"learn/{COURSE}/check", "jun", code=world.code()).status_code == 403


def test_a_form_without_a_session_goes_to_the_login(world: World) -> None:
    answer = world.post(world.browser(), f"learn/{COURSE}/hand-in/rough-cut", "mina")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{PREFIX}login")


def test_the_referer_of_our_own_page_is_enough(world: World) -> None:
    browser = world.browser("mina")
    data = {"csrf": world.site.seals.csrf(world.session), "code": world.code()}
    assert browser.post(f"{LEARN}/check", data=data, headers={"referer": ORIGIN + LEARN}).status_code == 303


def test_a_huge_form_is_refused_before_it_is_read(world: World) -> None:
    answer = world.post(world.browser("teacher"), f"class/{COURSE}/correct", "teacher", reason="x" * 100_000)
    assert answer.status_code == 413


def test_a_fragment_without_a_session_reloads_the_page(world: World) -> None:
    answer = world.browser().get(f"{PREFIX}class/{COURSE}/code/live", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Refresh"] == "true"


def test_cookies_insist_on_https_where_the_address_has_it(world: World) -> None:
    world.start(public_url="https://lab.example.kr")
    cookie = world.browser().get(f"{PREFIX}login").headers["set-cookie"]
    assert "Secure" in cookie
    refused = world.post(world.browser("mina"), f"learn/{COURSE}/check", "mina", code=world.code())
    assert refused.status_code == 403, "the origin is judged by the public address"


def ended(world: World, login: str) -> TestClient:
    """A browser whose login was somebody's and has ended: the Hub no longer knows its token."""
    browser = world.browser()
    old = Session("token-that-ended", f"session-{login}", login)
    browser.cookies.set(SESSION_COOKIE, world.site.seals.seal(old), path=PREFIX)
    return browser


def fields_of(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


TOLD = 'Bring "headphones" & <b>a pen</b>\ntomorrow.'


def test_a_form_after_the_login_ended_keeps_what_was_typed_and_can_be_sent_again(world: World) -> None:
    world.answer = hub("token-teacher")
    browser, at = ended(world, "teacher"), f"class/{COURSE}/announcements"
    kept = world.post(browser, at, "teacher", text=TOLD)
    assert kept.status_code == 403
    assert f'action="{PREFIX}{at}"' in kept.text
    assert fields_of(kept.text)["text"] == TOLD
    assert "&lt;b&gt;a pen&lt;/b&gt;" in kept.text
    assert "<b>a pen" not in kept.text
    for cookie in kept.headers.get_list("set-cookie"):
        assert "headphones" not in cookie
    assert announced(world) == [], "nothing was taken"

    (login,) = re.findall(r'href="([^"]+login\?[^"]+)"', kept.text)
    state = parse_qs(urlsplit(browser.get(html.unescape(login)).headers["location"]).query)["state"][0]
    assert browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state}).status_code == 303
    sent = browser.post(PREFIX + at, data=fields_of(kept.text), headers={"origin": ORIGIN})
    assert sent.status_code == 303
    assert announced(world) == [TOLD]


def announced(world: World) -> list[str]:
    with reading(world.engine) as session:
        return [one.text for one in announcements.shown(session, COURSE, world.now)]


def test_somebody_else_who_signs_in_then_sends_nothing_of_it(world: World) -> None:
    world.answer = hub("token-both")
    browser, at = ended(world, "teacher"), f"class/{COURSE}/announcements"
    kept = fields_of(world.post(browser, at, "teacher", text=TOLD).text)
    state = parse_qs(urlsplit(browser.get(f"{PREFIX}login").headers["location"]).query)["state"][0]
    browser.get(f"{PREFIX}oauth_callback", params={"code": "good", "state": state})
    refused = browser.post(PREFIX + at, data=kept, headers={"origin": ORIGIN})
    assert refused.status_code == 403
    assert "&lt;b&gt;a pen&lt;/b&gt;" in refused.text, "what was typed is still shown"
    assert "다시 보내기" not in refused.text
    assert announced(world) == []


def test_a_form_from_elsewhere_is_shown_to_nobody(world: World) -> None:
    at = f"{PREFIX}class/{COURSE}/announcements"
    for origin in ("https://elsewhere.example", "null"):
        answer = world.browser().post(at, data={"text": TOLD}, headers={"origin": origin})
        assert answer.status_code == 303
        assert TOLD[:5] not in answer.text
        refused = world.browser("teacher").post(at, data={"text": TOLD}, headers={"origin": origin})
        assert refused.status_code == 403
        assert TOLD[:5] not in refused.text


def test_a_part_of_a_page_that_cannot_be_saved_gives_its_place_to_what_was_typed(world: World) -> None:
    """The review desk saves in the background: htmx shows an answer only where it is a success."""
    sent = {"text": TOLD, "csrf": "x"}
    headers = {"origin": ORIGIN, "hx-request": "true"}
    answer = ended(world, "teacher").post(f"{PREFIX}class/{COURSE}/announcements", data=sent, headers=headers)
    assert answer.status_code == 200
    assert (answer.headers["HX-Retarget"], answer.headers["HX-Reselect"]) == ("main", "main")
    assert fields_of(answer.text) == sent


def test_a_press_of_a_button_alone_comes_back_to_its_page_by_the_login(world: World) -> None:
    page = f"{PREFIX}class/{COURSE}/labs/rough-cut"
    answer = world.browser().post(f"{page}/grade", data={"csrf": "x"}, headers={"referer": ORIGIN + page})
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.headers["location"]).query) == {"next": [page]}
