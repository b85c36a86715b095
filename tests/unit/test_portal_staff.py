"""People and roles: given and ended with a reason, of the own institution only, and never anything wider."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from test_portal_world import COURSE, ORIGIN, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import enrolments, journal, staff
from grader.records.db import reading, writing
from grader.records.models import Person, StaffRole
from hub_config.auth import DemoAuthenticator, groups_of

PAGE = "office/hanbit/staff/roles"
GIVEN = {"login": "newt", "name": "오하나", "role": "instructor", "run": COURSE, "reason": "7월 위촉"}


@pytest.fixture(autouse=True)
def members(world: World) -> None:
    with writing(world.engine) as session:
        session.add_all([Person(login="office", name="한지원"), Person(login="far-teacher", name="먼선생")])
        session.flush()
        session.add_all([StaffRole(login="office", group="institution-hanbit"),
                         StaffRole(login="far-teacher", group=f"formgrade-{OTHER}")])  # fmt: skip


def give(world: World, by: str = "office", to: str = PAGE, **changed: str) -> httpx.Response:
    browser = world.browser(by, "en")
    form = {"csrf": world.site.seals.csrf(world.session), **GIVEN, **changed}
    return browser.post(PREFIX + to, data=form, headers={"origin": ORIGIN})


def end(world: World, **changed: str) -> httpx.Response:
    return give(world, to=f"{PAGE}/end", **changed)


def groups(world: World, login: str) -> list[str] | None:
    with reading(world.engine) as session:
        return groups_of(session, login)


def test_an_instructor_is_named_and_the_role_ends_with_author_and_reason(world: World) -> None:
    assert give(world).status_code == 303
    assert groups(world, "newt") == [f"formgrade-{COURSE}"]
    page = world.browser("office", "en").get(PREFIX + PAGE).text
    assert "오하나" in page
    assert "7월 위촉" in page
    assert end(world, reason="과정 변경").status_code == 303
    assert groups(world, "newt") == []
    with reading(world.engine) as session:
        found = [event for kind in (staff.GIVEN, staff.ENDED) for event in journal.events(session, COURSE, kind=kind)]
        assert [(event.actor, event.subject, event.payload["reason"]) for event in found] == [
            ("office", "newt", "7월 위촉"), ("office", "newt", "과정 변경"),
        ]  # fmt: skip
        assert "오하나" not in str([event.payload for event in found]), "no name enters the journal"
        assert journal.verify(session) is None


def test_the_hub_follows_without_a_new_login(world: World) -> None:
    hub = DemoAuthenticator(records_database=str(world.engine.url), user_password="practicum-demo")
    ask = lambda: asyncio.run(hub.refresh_user(SimpleNamespace(name="newt"), None))["groups"]  # noqa: E731
    assert ask() == []
    give(world)
    assert ask() == [f"formgrade-{COURSE}"]
    end(world)
    assert ask() == []


def test_a_learner_is_enrolled_by_an_event_and_the_office_role_has_no_run(world: World) -> None:
    assert give(world, role="learner", login="late-one").headers["location"].endswith("?done=enrolled")
    assert groups(world, "late-one") == [f"nbgrader-{COURSE}"]
    assert world.events(enrolments.OPENED) == 1
    assert "enrolled already" in give(world, role="learner", login="late-one").text
    assert give(world, role="office", run="").status_code == 303
    assert groups(world, "newt") == ["institution-hanbit"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"role": "programme"}, "choose instructor or office"),
        ({"role": "programme-p"}, "choose instructor or office"),
        ({"role": ""}, "choose instructor or office"),
        ({"run": OTHER}, "a course run of this institution"),
        ({"run": ""}, "a course run of this institution"),
        ({"run": f"{COURSE}\nprogramme-p"}, "a course run of this institution"),
        ({"role": "learner", "run": OTHER}, "a course run of this institution"),
        ({"reason": "  "}, "write the reason"),
        ({"login": "New One"}, "login:"),
        ({"login": "../etc"}, "login:"),
        ({"login": "a" * 61}, "login:"),
        ({"name": ""}, "name:"),
        ({"name": "abc\u202e"}, "name:"),
        ({"login": "far-teacher", "name": "다른이름"}, "under another name"),
    ],
)
def test_what_cannot_be_given_is_refused_and_nothing_is_recorded(
    world: World, changed: dict[str, str], said: str
) -> None:
    with reading(world.engine) as session:
        before = (session.query(StaffRole).count(), session.query(Person).count())
    answer = give(world, **changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert "먼선생" not in answer.text, "whose login it is stays untold"
    with reading(world.engine) as session:
        assert (session.query(StaffRole).count(), session.query(Person).count()) == before


def test_roles_of_another_institution_can_neither_be_seen_given_nor_ended(world: World) -> None:
    assert "far-teacher" not in world.browser("office").get(PREFIX + PAGE).text
    assert end(world, login="far-teacher", run=OTHER).status_code == 422
    assert groups(world, "far-teacher") == [f"formgrade-{OTHER}"]
    assert give(world, to="office/far/staff/roles").status_code == 403
    assert give(world, to="office/far/staff/roles/end").status_code == 403


def test_nobody_but_the_office_changes_roles_and_only_from_its_own_page(world: World) -> None:
    for login in ("mina", "teacher", "stranger"):
        assert give(world, login).status_code == 403, login
        assert give(world, login, f"{PAGE}/end").status_code == 403, login
    assert (
        world.browser("office").post(PREFIX + PAGE, data=GIVEN, headers={"origin": "http://evil.test"}).status_code
        == 403
    )
    assert groups(world, "newt") is None


def test_the_last_of_the_office_stays_and_another_may_follow(world: World) -> None:
    assert "last member of the office" in end(world, login="office", role="office", run="").text
    give(world, role="office", run="")
    assert end(world, login="office", role="office", run="").status_code == 303
    assert groups(world, "office") == []


def test_hostile_names_are_shown_as_text(world: World) -> None:
    assert give(world, name=SCRIPT, reason=SCRIPT).status_code == 303
    assert SCRIPT not in world.browser("office").get(PREFIX + PAGE).text
