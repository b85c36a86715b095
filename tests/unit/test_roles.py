"""Roles: a caller is what the Hub says of the token, and a token that the Hub no longer knows ends soon."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from grader import roles
from grader.roles import Caller, Forbidden, HubIdentity
from hub_config.portal import told
from hub_config.portal.shared import Shared
from hub_config.portal.told import Told

LEARNER = Caller("ann", groups=frozenset({"nbgrader-a"}))
TEACHER = Caller("eve", groups=frozenset({"formgrade-a", "formgrade-b", "institution-inst"}))
GRADER = Caller("grader", kind="service")
FALSE_GRADER = Caller("grader", kind="user")
OTHER_SERVICE = Caller("robot", kind="service", groups=frozenset({"nbgrader-a", "formgrade-a", "institution-inst"}))


@pytest.mark.parametrize(
    ("caller", "learner", "instructor", "office"),
    [
        (LEARNER, True, False, False),
        (TEACHER, False, True, True),
        (GRADER, False, True, False),
        (FALSE_GRADER, False, False, False),  # a person who calls themselves as the service
        (OTHER_SERVICE, False, False, False),  # groups are of people
        (Caller("zoe", groups=frozenset({"nbgrader-ab", "xnbgrader-a", "nbgrader-", "formgrade-A"})), False, False, False),
        (Caller("nobody"), False, False, False),
    ],
)  # fmt: skip
def test_who_is_what_in_a_course(caller: Caller, learner: bool, instructor: bool, office: bool) -> None:
    assert (caller.is_learner("a"), caller.is_instructor("a"), caller.is_office("inst")) == (
        learner,
        instructor,
        office,
    )
    rules: list[tuple[Callable[[str], None], bool]] = [
        (caller.must_be_learner, learner),
        (caller.must_be_instructor, instructor),
        (caller.must_belong, learner or instructor),
    ]
    for rule, allowed in rules:
        if allowed:
            rule("a")
        else:
            with pytest.raises(Forbidden) as refused:
                rule("a")
            assert "a 과정" in refused.value.text.ko


def test_the_courses_of_a_caller() -> None:
    assert TEACHER.courses("formgrade") == ["a", "b"]
    assert TEACHER.courses("nbgrader") == []
    assert TEACHER.institutions() == ["inst"]


class PlayedHub:
    """Answers as the Hub does, and counts the questions."""

    def __init__(self, status: int = 200, model: Any = None) -> None:
        self.status, self.model, self.asked = status, model, list[str]()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers["Authorization"])
        self.may_answer.wait(20)
        assert request.url.path == "/hub/api/user"
        return httpx.Response(self.status, json=self.model)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def identity(hub: PlayedHub, **more: Any) -> HubIdentity:
    return HubIdentity("http://hub.test/hub/api", transport=httpx.MockTransport(hub), **more)


def test_a_known_token_is_its_owner_and_asked_once() -> None:
    hub = PlayedHub(model={"name": "ann", "kind": "user", "groups": ["nbgrader-a"], "admin": True})
    known = identity(hub)
    assert [known.caller("t-1"), known.caller("t-1")] == [LEARNER, LEARNER]
    assert hub.asked == ["Bearer t-1"]
    known.caller("t-2")
    assert hub.asked == ["Bearer t-1", "Bearer t-2"]


def test_recalling_asks_nobody() -> None:
    hub = PlayedHub(model={"name": "ann", "groups": ["nbgrader-a"]})
    known = identity(hub)
    with pytest.raises(LookupError):
        known.recall("t")
    assert hub.asked == []
    known.caller("t")
    assert known.recall("t") == LEARNER
    assert known.recall("a\r\nb") is None
    assert hub.asked == ["Bearer t"]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_unknown_token_is_nobody(status: int) -> None:
    assert identity(PlayedHub(status)).caller("t") is None


def test_a_hub_that_breaks_is_an_error_and_not_an_answer() -> None:
    hub = PlayedHub(500)
    known = identity(hub)
    with pytest.raises(httpx.HTTPStatusError):
        known.caller("t")
    hub.status, hub.model = 200, {"name": "grader", "kind": "service"}
    assert known.caller("t") == GRADER


class Clock:
    """Stands until it is told."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (roles, told):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def hub() -> PlayedHub:
    return PlayedHub(model={"name": "ann", "groups": ["nbgrader-a"]})


@pytest.fixture
def known(hub: PlayedHub, clock: Clock) -> HubIdentity:
    """Who has asked for a learner's token already."""
    known = identity(hub, keep_seconds=30)
    assert known.caller("t") == LEARNER
    return known


def test_a_revoked_token_ends_when_its_answer_is_old(known: HubIdentity, hub: PlayedHub, clock: Clock) -> None:
    hub.status = 403
    clock.now += 14.9
    assert known.caller("t") == LEARNER
    assert len(hub.asked) == 1
    clock.now += 15.2
    assert known.caller("t") is None
    assert len(hub.asked) == 2


def test_who_goes_on_is_asked_for_again_before_anybody_waits(known: HubIdentity, hub: PlayedHub, clock: Clock) -> None:
    hub.may_answer.clear()
    clock.now += 16
    assert [known.caller("t"), known.caller("t")] == [LEARNER, LEARNER], "given although the Hub does not answer"
    hub.status = 403
    hub.may_answer.set()
    wait_until(lambda: not known._asked_again)
    assert known.caller("t") is None, "a token that was revoked ends with the first answer that says so"
    assert len(hub.asked) == 2


def test_a_hub_that_breaks_meanwhile_changes_nothing(known: HubIdentity, hub: PlayedHub, clock: Clock) -> None:
    hub.status = 500
    clock.now += 16
    for _ in range(2):
        assert known.caller("t") == LEARNER
        wait_until(lambda: not known._asked_again)
    clock.now += 15
    with pytest.raises(httpx.HTTPStatusError):
        known.caller("t")


@pytest.fixture
def other(known: HubIdentity, hub: PlayedHub, clock: Clock) -> HubIdentity:
    """Another process's, told of the same answers."""
    shared = Told(Shared())
    known._shared = shared
    return identity(hub, keep_seconds=30, shared=shared)


def test_what_one_process_was_told_the_other_does_not_ask(
    known: HubIdentity, other: HubIdentity, hub: PlayedHub, clock: Clock
) -> None:
    clock.now += 31
    assert [known.caller("t"), other.caller("t")] == [LEARNER, LEARNER]
    assert len(hub.asked) == 2, "once before, and once for both"
    hub.status = 403
    clock.now += 29
    assert known.caller("t") == LEARNER
    wait_until(lambda: not known._asked_again)
    assert len(hub.asked) == 3
    clock.now += 2
    assert other.caller("t") is None, "that it was revoked is told too"
    assert len(hub.asked) == 3


def test_an_answer_of_another_process_ends_when_it_would_end_there(
    known: HubIdentity, other: HubIdentity, hub: PlayedHub, clock: Clock
) -> None:
    clock.now += 31
    known.caller("t")
    clock.now += 29
    hub.may_answer.clear()
    hub.status = 403
    assert other.caller("t") == LEARNER
    clock.now += 2
    hub.may_answer.set()
    assert other.caller("t") is None, "thirty seconds after the Hub was asked, not after this process heard of it"


def test_a_token_is_named_to_the_others_and_not_told(hub: PlayedHub, tmp_path: Path) -> None:
    identity(hub, shared=Told(Shared(tmp_path / "portal.db"))).caller("a-token-of-the-hub")
    assert b"ann" in (tmp_path / "portal.db").read_bytes()
    assert b"a-token" not in (tmp_path / "portal.db").read_bytes()
    assert (tmp_path / "portal.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("token", ["", "토큰", "é", "a\r\nX-Evil: 1", "a\x00", "a\nb", "\udcff"])
def test_a_token_that_is_none_is_never_sent(token: str) -> None:
    hub = PlayedHub(model={"name": "ann"})
    assert identity(hub).caller(token) is None
    assert hub.asked == []


def test_the_answers_kept_are_bounded() -> None:
    hub = PlayedHub(403)
    known = identity(hub)
    known._known = {str(number): (time.monotonic() + 60, None) for number in range(10_001)}
    known.caller("t")
    assert len(known._known) == 1
