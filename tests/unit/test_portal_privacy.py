"""Every look at somebody's record is written down, and everybody can have what is held about them."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from datetime import timedelta

import pytest
from played_gateway import gateway
from sqlalchemy import select
from test_portal_ai import call_of
from test_portal_pages import WHO_MAY, full
from test_portal_world import COURSE, FIRST, NOW, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import looks
from grader.records.db import reading, writing
from grader.records.models import Look
from hub_config.portal import privacy
from hub_config.portal.looking import NOBODYS

DATA = f"{PREFIX}learn/{COURSE}/data"


def seen(world: World) -> list[tuple[str, str, str]]:
    """Who looked, at what, whose."""
    world.site.looks.take_in()
    with reading(world.engine) as session:
        return [(look.who, look.what, look.subject) for look in session.scalars(select(Look).order_by(Look.id))]


@pytest.mark.parametrize("path", [path for path, allowed in WHO_MAY if allowed & {"teacher", "office"}])
def test_every_page_of_a_course_is_a_look_but_the_named_ones(full: tuple[World, str], path: str) -> None:
    made, receipt = full
    login = "teacher" if "teacher" in dict(WHO_MAY)[path] else "office"
    answer = made.browser(login).get(PREFIX + path.replace("RECEIPT", receipt))
    assert answer.status_code == 200
    found = seen(made)
    nobodys = {
        "office/hanbit",
        *(f"class/{COURSE}/{end}" for end in ("code", "code/live", "code/arrivals", "assignments", "announcements")),
    }
    nobodys |= {
        "office/hanbit/runs/new",
        "office/hanbit/ai/limits",
        "office/hanbit/ai/limits/lab",
        f"office/hanbit/{COURSE}/labs",
        f"office/hanbit/{COURSE}/import",
        f"office/hanbit/{COURSE}/template/roster.csv",
    }
    is_nobodys = path.split("?")[0] in nobodys or path.endswith(("/run", "/run/events", ".svg")) or "/ai/switch" in path
    assert len(found) == (0 if is_nobodys else 1), path
    if "RECEIPT" in path or "mina" in path:
        assert found[0][2] == "mina"


def test_own_pages_are_no_looks_and_refused_ones_neither(full: tuple[World, str]) -> None:
    made, receipt = full
    for path in (f"learn/{COURSE}", f"learn/{COURSE}/receipts/{receipt}", f"learn/{COURSE}/data", f"class/{COURSE}"):
        made.browser("mina").get(PREFIX + path)
    assert seen(made) == []


def test_the_same_page_again_within_a_minute_is_one_look(world: World) -> None:
    teacher = world.browser("teacher")
    for seconds in (0, 20, 59, 61):
        world.now = NOW + timedelta(seconds=seconds)
        teacher.get(f"{PREFIX}class/{COURSE}")
    assert len(seen(world)) == 2
    # A clock that was set back hides nothing.
    world.now = NOW - timedelta(hours=1)
    teacher.get(f"{PREFIX}class/{COURSE}")
    assert len(seen(world)) == 3


def test_a_learner_sees_who_looked_at_their_record(full: tuple[World, str]) -> None:
    made, receipt = full
    made.browser("teacher").get(f"{PREFIX}learn/{COURSE}/receipts/{receipt}")
    made.browser("office").get(f"{PREFIX}office/hanbit/{COURSE}")
    page = made.browser("mina").get(DATA).text
    for told in ("teacher", "제출 접수증", "office", "수료 판정"):
        assert told in page
    assert "제출 접수증" not in made.browser("jun").get(DATA).text, "a look at somebody else's receipt"
    listed = made.browser("office").get(f"{PREFIX}office/hanbit/journal/looks").text
    assert "testclient" in listed
    assert '김미나 <span class="quiet">mina</span>' in listed, "by name, with the login"


def test_looks_are_gone_back_through_and_an_office_finds_those_of_one_person(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "PAGE_LOOKS", 2)
    with writing(world.engine) as session:
        for number in range(5):
            subject = "mina" if number % 2 else "jun"
            looks.note(
                session,
                who="teacher",
                address="10.0.0.1",
                what=f"page-{number}",
                course=COURSE,
                subject=subject,
                now=NOW,
            )
    office, at = world.browser("office"), f"{PREFIX}office/hanbit/journal/looks"

    def told(address: str, who: str = "office") -> tuple[list[str], list[str]]:
        page = world.browser(who).get(address).text
        return re.findall(r"page-\d", page), [html.unescape(link) for link in re.findall(rf'href="({at}[^"]+)"', page)]

    first, links = told(at)
    assert first == ["page-4", "page-3"]
    second, links = told(links[0])
    assert second == ["page-2", "page-1"]
    assert told(links[-1])[0] == ["page-0"]
    for said in ("김미나", "mina"):
        assert told(f"{at}?person={said}")[0] == ["page-3", "page-1"]
    first, links = told(f"{at}?person=teacher")
    older = next(link for link in links if "before=" in link)
    assert (first, told(older)[0]) == (["page-4", "page-3"], ["page-2", "page-1"]), "older ones of that person"
    assert told(f"{at}?person={SCRIPT}")[0] == []
    assert SCRIPT not in office.get(f"{at}?person={SCRIPT}").text
    assert office.get(f"{at}?before=x").status_code == 400
    monkeypatch.setattr(privacy, "PAGE_LOOKS", 1)
    at = DATA
    first, links = told(DATA, "mina")
    assert (first, told(links[-1], "mina")[0]) == (["page-3"], ["page-1"]), (
        "a learner goes back through the looks at theirs"
    )
    assert "영상 편집 과정" in world.browser("mina").get(DATA).text.partition("page-3")[2], "the course by its title"


def test_the_file_holds_everything_about_oneself_and_nothing_of_others(full: tuple[World, str]) -> None:
    made, receipt = full
    made.submit("jun", name="jun.mp4")
    made.browser("teacher").get(f"{PREFIX}class/{COURSE}")
    answer = made.browser("mina").get(f"{DATA}/all.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        told = json.loads(archive.read("records.json"))
        assert archive.read(f"submissions/rough-cut/{receipt}/final.mp4").startswith(b"mina")
        assert f"ai/{COURSE}.csv" in names
    assert told["person"] == {"login": "mina", "name": "김미나", "outside_id": None}
    assert {record["kind"] for record in told["records"]} >= {
        "submission.received", "grade.recorded", "feedback.released", "attendance.corrected",
    }  # fmt: skip
    assert told["courses"][0]["outcome"] == "in_progress"
    assert [look["who"] for look in told["looks"]] == ["teacher"]
    assert "jun" not in json.dumps(told)
    assert not [name for name in names if "jun" in name]


def test_the_office_answers_a_request_with_what_the_institution_holds(full: tuple[World, str]) -> None:
    made, _ = full
    answer = made.browser("office").get(f"{PREFIX}office/hanbit/{COURSE}/people/mina/all.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        told = json.loads(archive.read("records.json"))
        assert not [name for name in archive.namelist() if name.startswith("ai/")]
    assert {record["about"] for record in told["records"]} == {"mina"}
    assert seen(made)[-1] == ("office", "office/{institution}/{course}/people/{login}/all.zip", "mina")


def test_looks_are_forgotten_when_their_time_is_over(world: World) -> None:
    with writing(world.engine) as session:
        for days in (0, 800):
            looks.note(session, who="teacher", address="::1", what="class/{course}", course=COURSE, subject="mina",
                       now=NOW - timedelta(days=days))  # fmt: skip
    limit = NOW - timedelta(days=730)
    with writing(world.engine) as session:
        assert looks.older_than(session, limit) == 1
        looks.forget(session, limit)
    assert len(seen(world)) == 1


def test_the_pages_without_anybodys_record_are_routes_that_there_are(world: World) -> None:
    from hub_config.portal.app import ROUTERS

    paths = {route.path.lstrip("/") for router in ROUTERS for route in router.routes}
    assert paths >= NOBODYS
