"""Who of a class needs an instructor: what is said of whom, from what, and what forged self-checks reach."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from played_gateway import gateway, spend
from sqlalchemy import select
from test_portal_world import COURSE, FIRST, NOW, PREFIX, World, seeded_records, world

from grader.records import journal, self_checks, sightings
from grader.records.db import reading, writing
from grader.records.models import Event
from grader.records.personal import about

CLASS = f"class/{COURSE}"
BADGES = {
    "no_activity": "작업 흔적 없음",
    "checks_failing": "자가 점검 실패",
    "budget_gone": "AI 예산 소진",
    "absent": "미입실",
}


class Played:
    """A gateway on which some called AI today, and some were refused for the budget."""

    def __init__(self, users: tuple[str, ...] = (), refused: dict[str, int] | None = None, minutes: int = 30) -> None:
        self.users, self.refused, self.minutes, self.otherwise = users, refused or {}, minutes, gateway(calls=0)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/spend":
            return self.otherwise(request)
        lines = [self.line(name, "ok", self.minutes, calls=1) for name in self.users]
        if request.url.params.get("by") == "outcome":
            lines += [self.line(name, "budget_exceeded", minutes, calls=0) for name, minutes in self.refused.items()]
        return httpx.Response(200, json={"data": lines})

    def line(self, name: str, outcome: str, minutes: int, calls: int) -> dict[str, Any]:
        at = (NOW + timedelta(minutes=minutes)).isoformat()
        return {**spend("learner", name, calls), "outcome": outcome, "last_at": at}


def check_in(world: World, *logins: str) -> None:
    for login in logins:
        world.post(world.browser(login), f"learn/{COURSE}/check", login, code=world.code())


def failing(world: World, login: str = "mina", times: int = 3, criterion: str = "plays") -> None:
    with writing(world.engine) as session:
        for _ in range(times):
            self_checks.note(session, COURSE, login, "rough-cut", criterion, passed=False, now=world.now)


def rows(world: World, query: str = "", lang: str = "ko") -> dict[str, str]:
    """The roster's rows by login, in their order."""
    page = world.browser("teacher", lang).get(f"{PREFIX}{CLASS}{query}").text
    body = page.partition("<tbody")[2].partition("</tbody>")[0]
    found = {}
    for row in body.split('<tr role="row">')[1:]:
        login = row[row.index('<span class="quiet">') + len('<span class="quiet">') :]
        found[login[: login.index("<")]] = row
    return found


def test_who_left_no_trace_is_told_after_a_while_and_only_then(world: World) -> None:
    world.answer = Played()
    world.release()
    check_in(world, "mina", "jun", "eve")
    world.now += timedelta(minutes=44)
    assert BADGES["no_activity"] not in "".join(rows(world).values()), "introductions take a while"
    world.submit("jun")
    world.now += timedelta(minutes=1)
    with writing(world.engine) as session:
        sightings.see(session, COURSE, "eve", sightings.OPENED, world.now)
    found = rows(world)
    assert "45분 동안" in found["mina"]
    assert BADGES["no_activity"] in found["mina"]
    assert BADGES["no_activity"] not in found["jun"] + found["eve"]
    world.answer = Played(users=("mina",))
    assert BADGES["no_activity"] not in rows(world)["mina"], "AI was called"
    world.answer = lambda request: httpx.Response(503)
    assert BADGES["no_activity"] not in rows(world)["mina"], "nobody can say whether AI was called"


def test_no_lab_to_do_is_no_missing_activity(world: World) -> None:
    world.answer = Played()
    check_in(world, "mina")
    world.now += timedelta(hours=2)
    assert BADGES["no_activity"] not in rows(world)["mina"]


def test_what_a_learners_own_process_says_hides_nothing(world: World) -> None:
    world.answer = Played()
    world.release()
    check_in(world, "mina")
    world.now += timedelta(hours=1)
    failing(world, times=1)
    assert "말만 훈련생 서버에서 왔습니다" in rows(world)["mina"]
    assert BADGES["no_activity"] in rows(world)["mina"]


def test_self_checks_that_fail_are_told_until_one_passes_or_the_lab_is_in(world: World) -> None:
    world.answer = Played()
    world.release()
    failing(world, times=2)
    assert BADGES["checks_failing"] not in rows(world)["mina"]
    failing(world, times=1)
    found = rows(world)["mina"]
    assert BADGES["checks_failing"] in found
    assert "인터뷰 1차 편집: 자가 점검 &#39;재생&#39;을(를) 3번 잇달아" in found
    assert (
        "self-check &#34;Plays&#34; failed 3 times in a row (10:00, as the learner&#39;s server says)"
        in rows(world, lang="en")["mina"]
    )
    with writing(world.engine) as session:
        self_checks.note(session, COURSE, "mina", "rough-cut", "plays", passed=True, now=world.now)
    assert BADGES["checks_failing"] not in rows(world)["mina"]
    failing(world)
    world.submit("mina")
    assert BADGES["checks_failing"] not in rows(world)["mina"], "what is in is graded by its files"


@pytest.mark.parametrize(
    ("answered", "refused", "told"), [((), 20, True), (("mina",), 20, False), (("mina",), 40, True)]
)
def test_a_spent_budget_is_told_while_the_newest_call_was_refused(
    world: World, answered: tuple[str, ...], refused: int, told: bool
) -> None:
    world.answer = Played(users=("jun", *answered), refused={"mina": refused})
    found = rows(world)["mina"]
    assert (BADGES["budget_gone"] in found) is told
    assert (f"10:{refused}의 AI 호출" in found) is told


def test_yesterdays_calls_count_and_are_not_todays(world: World) -> None:
    yesterday = -24 * 60
    world.answer = Played(users=("mina",), refused={"jun": yesterday}, minutes=yesterday)
    world.release()
    check_in(world, "mina", "jun")
    world.now += timedelta(hours=1)
    found = rows(world)
    assert BADGES["no_activity"] in found["mina"]
    assert ">1<" in found["mina"], "the calls of all days"
    assert BADGES["budget_gone"] not in found["jun"]


def test_who_is_not_here_is_told_once_the_day_has_begun_and_not_of_who_is_excused(world: World) -> None:
    world.answer = Played()
    world.now = NOW.replace(hour=0, minute=5)  # 09:05, within the grace
    assert BADGES["absent"] not in "".join(rows(world).values())
    world.now = NOW
    check_in(world, "jun")
    form = {"learner": "eve", "day": "2026-07-08", "excuse_kind": "illness", "evidence": "1", "reason": "병원"}
    world.post(world.browser("teacher"), f"{CLASS}/correct", "teacher", **form)
    found = rows(world, "?show=absent")
    assert set(found) == {"mina"}
    assert "아직 입실하지 않았습니다." in found["mina"]


def test_the_filters_are_addresses_and_the_order_is_by_need(world: World) -> None:
    world.answer = Played(users=("jun",), refused={"jun": 40})
    world.release()
    check_in(world, "jun", "mina")
    failing(world)
    for day in (FIRST, FIRST + timedelta(days=1)):
        world.attended("mina", day)
        world.attended("jun", day)
    # eve was not there on two of five days: completion is out of reach.
    assert list(rows(world)) == ["eve", "jun", "mina"]
    assert list(rows(world, "?sort=name")) == ["mina", "eve", "jun"]
    assert set(rows(world, "?show=absent")) == {"eve"}
    assert set(rows(world, "?show=help")) == {"eve", "jun", "mina"}
    page = world.browser("teacher").get(f"{PREFIX}{CLASS}?show=help&sort=name").text
    assert f'href="{PREFIX}{CLASS}?show=help&amp;sort=need"' in page
    assert world.browser("teacher").get(f"{PREFIX}{CLASS}?show=rich").status_code == 400


def test_a_learners_page_says_it_to_their_instructor_alone(world: World) -> None:
    world.answer = Played()
    world.release()
    failing(world)
    page = {who: world.browser(who).get(f"{PREFIX}{CLASS}/learners/mina").text for who in ("teacher", "office")}
    assert BADGES["checks_failing"] in page["teacher"]
    assert f'href="{PREFIX}{CLASS}/labs/rough-cut"' in page["teacher"]
    assert BADGES["checks_failing"] not in page["office"]
    assert "receipts" not in page["office"], "AI calls are the instructors'"
    own = world.browser("mina").get(f"{PREFIX}learn/{COURSE}/attendance").text
    assert BADGES["checks_failing"] not in own
    assert f'href="{PREFIX}{CLASS}/learners/mina"' in rows(world)["mina"], "one click from the roster"


def test_nothing_of_it_is_an_event_and_it_is_forgotten_and_told_to_its_learner(world: World) -> None:
    with reading(world.engine) as session:
        before = len(session.scalars(select(Event)).all())
    failing(world, times=50)
    with reading(world.engine) as session:
        assert len(session.scalars(select(Event)).all()) == before
        (row,) = self_checks.of_course(session, COURSE)
        assert (row.tries, row.failed_in_a_row) == (50, 50)
        (told,) = about(session, "mina", world.now).told["self_checks"]
        assert (told["lab"], told["criterion"], told["tries"]) == ("rough-cut", "plays", 50)
        assert about(session, "jun", world.now).told["self_checks"] == []
    with writing(world.engine) as session:
        self_checks.forget(session, world.now + timedelta(days=31))
        assert self_checks.of_course(session, COURSE) == []
