"""What the portal tells a server that asks whether it may be put away, and its learner."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from test_portal_world import COURSE, NOW, PEOPLE, PREFIX, World, seeded_records, world

from grader.roles import FORMGRADER, Caller

#: The class of that day ends at 18:00 in Seoul.
EVENING = datetime(2026, 7, 8, 9, 0, tzinfo=UTC)
LEARN = f"{PREFIX}learn/{COURSE}"
LIMITS = {"idle_server_minutes": 90, "idle_formgrader_minutes": 30, "idle_warning_minutes": 10}


@pytest.fixture
def evening(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """After class, with everybody's servers idle since its end."""
    monkeypatch.setitem(PEOPLE, "formgrader", Caller(f"{FORMGRADER}{COURSE}", groups=PEOPLE["teacher"].groups))
    world.start(**LIMITS)
    world.now = EVENING
    return world


def ask(world: World, login: str = "mina", since: datetime = EVENING) -> httpx.Response:
    headers = {"Authorization": f"Bearer token-{login}"}
    return world.browser().post(f"{PREFIX}api/v1/servers/idle", json={"since": since.isoformat()}, headers=headers)


def later(world: World, minutes: float) -> None:
    world.now = EVENING + timedelta(minutes=minutes)


def test_an_idle_server_is_warned_and_then_put_away(evening: World) -> None:
    assert ask(evening).json() == {"ends_at": None, "is_over": False, "ask_again_seconds": 300}
    later(evening, 78)
    assert ask(evening).json()["ask_again_seconds"] == 120
    later(evening, 80)
    told = ask(evening).json()
    assert datetime.fromisoformat(told["ends_at"]) == EVENING + timedelta(minutes=90)
    assert (told["is_over"], told["ask_again_seconds"]) == (False, 10)
    later(evening, 89.95)
    assert ask(evening).json()["ask_again_seconds"] == pytest.approx(3)
    later(evening, 90)
    assert ask(evening).json()["is_over"]


def test_in_class_nothing_is_put_away(evening: World) -> None:
    evening.now = NOW
    assert ask(evening, since=NOW - timedelta(days=1)).json() == {
        "ends_at": None, "is_over": False, "ask_again_seconds": 300,
    }  # fmt: skip


def test_an_instructors_own_server_stays_in_class_and_the_formgrader_need_not(evening: World) -> None:
    evening.now = NOW
    idle = NOW - timedelta(minutes=25)
    assert ask(evening, "teacher", idle).json()["ends_at"] is None
    assert ask(evening, "formgrader", idle).json()["ends_at"] is not None


def test_the_learner_sees_the_warning_and_keeps_the_server(evening: World) -> None:
    ask(evening)
    browser = evening.browser("mina")
    assert "서버 계속 쓰기" not in browser.get(LEARN).text
    later(evening, 85)
    ask(evening)
    for path in (LEARN, f"{LEARN}/server"):
        said = browser.get(path).text
        assert "19:35에 끕니다" in said
        assert "서버 계속 쓰기" in said
    assert "서버 계속 쓰기" not in evening.browser("jun").get(f"{LEARN}/server").text
    kept = evening.post(browser, f"learn/{COURSE}/server/keep", "mina")
    assert (kept.status_code, kept.headers["location"]) == (303, LEARN)
    assert "서버 계속 쓰기" not in browser.get(LEARN).text
    later(evening, 95)
    assert ask(evening).json()["ends_at"] is None
    later(evening, 85 + 80)
    assert datetime.fromisoformat(ask(evening).json()["ends_at"]) == EVENING + timedelta(minutes=85 + 90)


def test_who_uses_the_server_again_sees_no_warning(evening: World) -> None:
    later(evening, 85)
    ask(evening)
    ask(evening, since=evening.now)
    assert "서버 계속 쓰기" not in evening.browser("mina").get(LEARN).text


def test_a_warning_whose_server_is_gone_ends_by_itself(evening: World) -> None:
    later(evening, 85)
    ask(evening)
    later(evening, 96)
    assert "서버 계속 쓰기" not in evening.browser("mina").get(LEARN).text


@pytest.mark.parametrize("since", [datetime.max.replace(tzinfo=UTC), datetime(1, 1, 3, tzinfo=UTC)])
def test_a_time_that_cannot_be_harms_nobody(evening: World, since: datetime) -> None:
    assert ask(evening, since=since).status_code == 200
    assert ask(evening, "jun").json()["ends_at"] is None


def test_only_a_persons_server_is_answered(evening: World) -> None:
    for login in ("nobody", "service"):
        assert ask(evening, login).status_code == 401
    assert evening.browser("mina").post(f"{PREFIX}api/v1/servers/idle", json={}).status_code in (401, 422)


def test_without_a_limit_servers_stay(evening: World) -> None:
    evening.start(**LIMITS | {"idle_server_minutes": None})
    later(evening, 100_000)
    assert ask(evening).json()["ends_at"] is None
