"""Opening a lab: a Hub that is played starts servers slowly, few at a time, not at all, or is away."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import urlencode

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session
from test_portal_world import COURSE, PEOPLE, PREFIX, World, seeded_records, world

from grader.records.db import writing
from grader.records.models import Enrolment, Person
from grader.roles import Caller
from hub_config.portal.opening import LONG_SECONDS, MOST_STARTS

OPEN = f"{PREFIX}learn/{COURSE}/open/rough-cut"
NOTEBOOK = "/user/{}/lab/tree/rough-cut/rough-cut.ipynb"
REFRESH = re.compile(r'<noscript><meta http-equiv="refresh" content="3; url=([^"]+)"></noscript>')


class PlayedHub:
    """Starts a server in `spawn_seconds`, at most `limit` at a time and else 429; the servers fetch as nbgrader does."""

    def __init__(self, *, spawn_seconds: float = 0.0, limit: int = 100) -> None:
        self.spawn_seconds, self.limit = spawn_seconds, limit
        self.begun: dict[str, float] = {}
        self.up: set[str] = set()
        self.fetched: set[str] = set()
        self.starts: list[str] = []
        self.refused = 0
        self.fetches: list[str] = []
        self.pending = ""
        self.fails = self.away = self.silent = self.brings_nothing = False
        self.fetch_answers: list[httpx.Response] = []
        self.lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        name = request.headers["authorization"].removeprefix("token token-")
        if path.startswith("/hub/api/"):
            assert path.startswith(f"/hub/api/users/{name}"), "nobody asks for somebody else's server"
            if self.away:
                raise httpx.ConnectError("refused")
            with self.lock:
                return self._start(name) if request.method == "POST" else self._model(name)
        assert path.startswith(f"/user/{name}/")
        return self._server(name, path.removeprefix(f"/user/{name}/"))

    def _settle(self) -> None:
        done = [name for name, begun in self.begun.items() if time.monotonic() - begun >= self.spawn_seconds]
        for name in done:
            del self.begun[name]
            if not self.fails:
                self.up.add(name)

    def _model(self, name: str) -> httpx.Response:
        self._settle()
        pending = self.pending or ("spawn" if name in self.begun else None)
        there = name in self.up or pending
        servers = {"": {"ready": name in self.up, "pending": pending}} if there else {}
        return httpx.Response(200, json={"name": name, "servers": servers})

    def _start(self, name: str) -> httpx.Response:
        self._settle()
        if name in self.up:
            return httpx.Response(400, json={"message": "already running"})
        if len(self.begun) >= self.limit:
            self.refused += 1
            return httpx.Response(429, json={"message": "try again"}, headers={"retry-after": "40"})
        self.starts.append(name)
        self.begun[name] = time.monotonic()
        return httpx.Response(202)

    def _server(self, name: str, path: str) -> httpx.Response:
        if name not in self.up or self.silent:
            return httpx.Response(424, json={"message": "not running"})
        if path == "api/status":
            return httpx.Response(200, json={})
        if path == "assignments/fetch":
            self.fetches.append(name)
            if self.fetch_answers:
                return self.fetch_answers.pop(0)
            if not self.brings_nothing:
                self.fetched.add(name)
            return httpx.Response(200, json={"success": True, "value": []})
        assert path == "api/contents/rough-cut/rough-cut.ipynb"
        return httpx.Response(200 if name in self.fetched else 404, json={})


@pytest.fixture
def hub(world: World) -> PlayedHub:
    world.release()
    world.answer = made = PlayedHub()
    return made


def reload_address(page: httpx.Response) -> str:
    """Where the page goes by itself without a script."""
    found = REFRESH.search(page.text)
    assert found, page.text
    return unescape(found[1])


def wait_out(browser: TestClient, *, seconds: float = 20, pause: float = 0.02) -> httpx.Response:
    """Press Open once, and let the page reload itself until it leads on."""
    until, answer = time.monotonic() + seconds, browser.get(OPEN)
    while answer.status_code == 200 and time.monotonic() < until:
        time.sleep(pause)
        answer = browser.get(reload_address(answer))
    return answer


def test_one_press_starts_the_server_and_ends_in_the_notebook(world: World, hub: PlayedHub) -> None:
    hub.spawn_seconds = 0.2
    browser = world.browser("mina")
    page = browser.get(OPEN)
    assert page.status_code == 200
    assert "실습 서버를 시작하고 있습니다." in page.text
    assert "Your lab server is starting." in world.browser("mina", "en").get(OPEN).text
    assert wait_out(browser).headers["location"] == NOTEBOOK.format("mina")
    assert hub.starts == ["mina"], "looking again starts nothing anew"


def test_the_script_asks_for_a_part_that_says_when_it_is_ready(world: World, hub: PlayedHub) -> None:
    hub.spawn_seconds = 60
    browser = world.browser("mina")
    told = re.search(r'data-part="([^"]+)"', browser.get(OPEN).text)
    assert told
    part = browser.get(unescape(told[1]))
    assert part.status_code == 200
    assert 'data-stage="starting"' in part.text
    assert "<html" not in part.text
    hub.spawn_seconds = 0
    assert 'data-stage="ready"' in browser.get(unescape(told[1])).text
    assert hub.fetches == [], "the part only looks"


def test_a_running_server_is_opened_at_once_and_fetches_once(world: World, hub: PlayedHub) -> None:
    hub.up.add("mina")
    for _ in range(2):
        assert world.browser("mina").get(OPEN).headers["location"] == NOTEBOOK.format("mina")
    assert (hub.fetches, hub.starts) == (["mina"], [])


@pytest.mark.parametrize(("pending", "told"), [("spawn", "시작하고 있습니다"), ("stop", "종료되는 중")])
def test_a_server_on_its_way_is_waited_for_and_not_started(
    world: World, hub: PlayedHub, pending: str, told: str
) -> None:
    hub.pending = pending
    page = world.browser("mina").get(OPEN)
    assert told in page.text
    assert hub.starts == []
    hub.pending = ""
    assert wait_out(world.browser("mina")).headers["location"] == NOTEBOOK.format("mina")


def test_a_server_that_fails_is_started_again_and_then_a_person_is_asked(world: World, hub: PlayedHub) -> None:
    hub.fails = True
    answer = wait_out(world.browser("mina"))
    assert answer.status_code == 409
    assert hub.starts == ["mina"] * MOST_STARTS
    assert "실습 서버가 시작되지 않았습니다." in answer.text
    assert not REFRESH.search(answer.text), "what has failed does not go on by itself"
    assert f'class="button" href="{OPEN}"' in answer.text
    hub.fails = False
    assert wait_out(world.browser("mina")).headers["location"] == NOTEBOOK.format("mina")


def test_a_server_that_fails_once_needs_no_second_press(world: World, hub: PlayedHub) -> None:
    hub.fails, browser = True, world.browser("mina")
    page = browser.get(OPEN)
    hub._settle()
    hub.fails = False
    browser.get(reload_address(page))
    assert wait_out(browser).headers["location"] == NOTEBOOK.format("mina")


def test_a_hub_that_is_away_is_waited_for_and_a_running_server_does_without_it(world: World, hub: PlayedHub) -> None:
    hub.away = True
    page = world.browser("mina").get(OPEN)
    assert "응답하지 않습니다" in page.text
    hub.away = False
    assert wait_out(world.browser("mina")).headers["location"] == NOTEBOOK.format("mina")
    hub.away = True
    assert world.browser("mina").get(OPEN).headers["location"] == NOTEBOOK.format("mina")


def test_a_server_that_does_not_answer_yet_is_waited_for_without_starting_it_anew(world: World, hub: PlayedHub) -> None:
    hub.up.add("mina")
    hub.silent = True
    browser = world.browser("mina")
    page = browser.get(OPEN)
    assert 'data-stage="answering"' in page.text
    hub.silent = False
    assert browser.get(reload_address(page)).headers["location"] == NOTEBOOK.format("mina")
    assert hub.starts == []


def test_a_fetch_that_meets_a_busy_service_is_tried_again_by_itself(world: World, hub: PlayedHub) -> None:
    hub.up.add("mina")
    hub.fetch_answers = [httpx.Response(503), httpx.Response(504)]
    assert wait_out(world.browser("mina")).headers["location"] == NOTEBOOK.format("mina")
    assert len(hub.fetches) == 3


def test_a_fetch_that_brings_nothing_is_told(world: World, hub: PlayedHub) -> None:
    hub.up.add("mina")
    hub.brings_nothing = True
    answer = world.browser("mina").get(OPEN)
    assert answer.status_code == 409
    assert "실습 서버에서 처리하지 못했습니다." in answer.text


def test_a_login_that_may_not_start_servers_is_told_so_and_asks_no_further(world: World, hub: PlayedHub) -> None:
    world.answer = lambda request: httpx.Response(403, json={"message": "no scope"})
    answer = world.browser("mina").get(OPEN)
    assert answer.status_code == 409
    assert "로그아웃했다가 다시 로그인" in answer.text


def test_who_wants_to_hand_in_comes_back_there_when_the_server_is_up(world: World, hub: PlayedHub) -> None:
    hub.spawn_seconds, browser = 60, world.browser("mina")
    page = browser.get(OPEN, params={"to": "hand-in"})
    assert "파일 확인" in page.text
    hub.spawn_seconds = 0
    answer = browser.get(reload_address(page))
    assert answer.headers["location"] == f"{PREFIX}learn/{COURSE}/hand-in/rough-cut"
    assert hub.fetches == ["mina"]


def test_a_long_wait_is_said_to_be_long(world: World, hub: PlayedHub) -> None:
    hub.pending = "spawn"
    browser = world.browser("mina")
    page = browser.get(OPEN)
    assert "평소보다 오래" not in page.text
    world.now = world.now.fromtimestamp(world.now.timestamp() + LONG_SECONDS + 1, world.now.tzinfo)
    assert "평소보다 오래" in browser.get(reload_address(page)).text


def test_only_a_lab_that_is_handed_out_opens(world: World, hub: PlayedHub) -> None:
    for lab in ("captions", "nothing", "..%2f..%2fhub"):
        for end in ("", "/waiting"):
            assert world.browser("mina").get(f"{PREFIX}learn/{COURSE}/open/{lab}{end}").status_code == 404
    assert hub.starts == []


def test_the_address_survives_the_login(world: World, hub: PlayedHub) -> None:
    answer = world.browser().get(OPEN)
    assert answer.headers["location"] == f"{PREFIX}login?{urlencode({'next': OPEN})}"
    assert hub.starts == [], "nobody's server starts for a stranger"


def test_the_portal_without_a_hub_to_ask_brings_the_page_back_by_itself(world: World, hub: PlayedHub) -> None:
    class Away:
        def caller(self, token: str) -> Caller | None:
            raise httpx.ConnectError("refused")

        def recall(self, token: str) -> Caller | None:
            raise LookupError

    world.site.identity = Away()
    answer = world.browser("mina").get(OPEN)
    assert (answer.status_code, answer.headers["refresh"]) == (503, "5")


def enrol(session: Session, names: list[str]) -> None:
    session.add_all(Person(login=name, name=name) for name in names)
    session.flush()
    session.add_all(Enrolment(course_id=COURSE, login=name) for name in names)


def test_thirty_learners_who_press_open_at_once_all_end_in_their_notebook(
    world: World, hub: PlayedHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"learner{number}" for number in range(30)]
    for name in names:
        monkeypatch.setitem(PEOPLE, name, Caller(name, groups=frozenset({f"nbgrader-{COURSE}"})))
    with writing(world.engine) as session:
        enrol(session, names)
    hub.spawn_seconds, hub.limit = 0.3, 4
    browsers = [world.browser(name) for name in names]
    with ThreadPoolExecutor(30) as class_:
        answers = list(class_.map(lambda browser: wait_out(browser, seconds=60, pause=0.1), browsers))
    assert [answer.headers.get("location") for answer in answers] == [NOTEBOOK.format(name) for name in names]
    assert sorted(hub.starts) == sorted(names), "each server is started once"
    assert hub.refused > 0, "the Hub's limit was met"
