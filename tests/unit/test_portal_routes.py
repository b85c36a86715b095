"""Each route for each role, from one table; forms from elsewhere; and that nothing can be framed.

A route without a line in `tests/support/portal_routes.py` fails here.
"""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter
from portal_full import fill
from portal_routes import DESK, GETS, POSTS, ROLES, TABLE, Line, address, routes
from sqlalchemy import func, select
from test_portal_world import ORIGIN, PEOPLE, PREFIX, SCRIPT, World, seeded_records

from grader.records.db import reading
from grader.records.models import Event
from hub_config.portal.app import ROUTERS

#: A stream that never ends is asked for by `tests/unit/test_portal_live.py`.
ENDLESS = "class/{course}/labs/{lab}/run/events"
ELSEWHERE = "https://elsewhere.example"


@dataclass
class Full:
    """The world with something on every page, and what stands in the addresses."""

    world: World
    filled: dict[str, str]

    def ask(self, role: str | None, method: str, path: str, line: Line, **changed: str) -> httpx.Response:
        browser, at = self.world.browser(role), address(path, line, self.filled)
        if method == "GET":
            return browser.get(at)
        csrf = self.world.site.seals.csrf(self.world.session) if role else ""
        form = {"csrf": changed.get("csrf", csrf), **line.form}
        return browser.post(at, data=form, headers={"origin": changed.get("origin", ORIGIN)})

    def events(self) -> int:
        with reading(self.world.engine) as session:
            return session.scalar(select(func.count(Event.seq))) or 0


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, seeded_records: Path) -> Iterator[Full]:
    """One world for all: what is asked here changes nothing that another question rests on."""
    folder, known = tmp_path_factory.mktemp("full"), dict(PEOPLE)
    PEOPLE.update(ROLES)
    world = World(folder, Path(shutil.copy(seeded_records, folder / "records.sqlite")))
    world.start()
    # Every page is asked for many times within a second here.
    world.site.public_limiter.allows = lambda _: True  # type: ignore[method-assign]
    yield Full(world, fill(world))
    PEOPLE.clear()
    PEOPLE.update(known)
    world.engine.dispose()


def test_every_route_has_a_line() -> None:
    there = set(routes())
    lines = {(method, path) for method, table in TABLE.items() for path in table}
    assert not there - lines, f"add to tests/support/portal_routes.py: {sorted(there - lines)}"
    assert not lines - there, f"no such route any more: {sorted(lines - there)}"


def test_a_new_route_would_be_missed() -> None:
    router = APIRouter()
    router.get("/class/{course}/something-new")(lambda: "")
    assert set(routes((*ROUTERS, router))) - set(routes()) == {("GET", "class/{course}/something-new")}


@pytest.mark.parametrize("path", [path for path in GETS if path != ENDLESS])
def test_who_may_read(full: Full, path: str) -> None:
    line = GETS[path]
    for role in (*ROLES, None):
        answer = full.ask(role, "GET", path, line)
        wanted = _wanted(role, line)
        assert answer.status_code == wanted, (role, answer.text[-400:])
        if wanted == 303 and role not in line.who:
            assert answer.headers["location"].startswith(f"{PREFIX}login")
        if wanted == 403:
            assert "김미나" not in answer.text
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert SCRIPT not in answer.text, "a script that somebody stored is text"


def _wanted(role: str | None, line: Line) -> int:
    if role in line.who:
        return line.gives
    if role is None or ROLES[role].kind == "service":
        return 303
    return 404 if role in line.missing_for else 403


def test_who_is_two_things_may_what_each_of_them_may() -> None:
    for path, line in [*GETS.items(), *POSTS.items()]:
        assert ("both" in line.who) is bool({"teacher", "office"} & line.who), path


@pytest.mark.parametrize("path", POSTS)
def test_who_may_not_write(full: Full, path: str) -> None:
    line, before = POSTS[path], full.events()
    for role in (*ROLES, None):
        if role in line.who:
            continue
        answer = full.ask(role, "POST", path, line)
        # What somebody typed who is not signed in is shown to them once more.
        shown = _wanted(role, line) == 303 and any(value.strip() for value in line.form.values())
        assert answer.status_code == (403 if shown else _wanted(role, line)), (role, answer.text[-400:])
    assert full.events() == before, "what is refused is not recorded"


@pytest.mark.parametrize("path", POSTS)
def test_a_form_from_elsewhere_is_refused_on_every_route(full: Full, path: str) -> None:
    line, before = POSTS[path], full.events()
    role = max(line.who)
    for changed in ({"csrf": ""}, {"csrf": "0" * 64}, {"origin": ELSEWHERE}, {"origin": "null"}):
        assert full.ask(role, "POST", path, line, **changed).status_code == 403, changed
    assert full.events() == before


@pytest.mark.parametrize("path", [path for path in POSTS if path != f"{DESK}/criteria/{{criterion}}"])
def test_a_form_of_ours_is_taken_or_refused_for_what_it_says(full: Full, path: str) -> None:
    """Else the refusals above could come from something else than where the form is from."""
    line = POSTS[path]
    for role in sorted(line.who):
        answer = full.ask(role, "POST", path, line)
        assert answer.status_code in (200, 303, 400, 404, 409, 422, 503), (role, answer.text[-400:])
