"""The office decides: freezing and opening, who left, exemptions; each by a named person, with a reason."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules

import pytest
from fastapi.testclient import TestClient
from test_portal_world import COURSE, FIRST, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from grader import records
from grader.records import decisions, enrolments, exemptions, frozen
from grader.records.db import writing
from grader.records.models import Person
from grader.records.state import find_course
from hub_config.portal import people
from hub_config.portal.office import KINDS

PLACE = f"office/hanbit/{COURSE}"
#: Monday 13 July, when the course is over.
OVER = datetime(2026, 7, 13, 1, 0, tzinfo=UTC)


@pytest.fixture
def office(world: World) -> TestClient:
    world.now = OVER
    return world.browser("office", "en")


def enter(world: World, office: TestClient, act: str, login: str = "mina", **form: str) -> str:
    """Send one of the page's forms; gives the page that follows."""
    answer = world.post(office, f"{PLACE}/people/{login}/{act}", "office", **form)
    if answer.status_code == 303:
        answer = office.get(answer.headers["location"])
    return answer.text


def finished(world: World) -> None:
    """Mina did everything; the others nothing."""
    world.release()
    world.release("captions")
    for lab in ("rough-cut", "captions"):
        world.grade(world.submit(lab=lab))
    for offset in range(5):
        world.attended("mina", FIRST + timedelta(days=offset))


def test_the_office_freezes_the_decisions_of_a_run_that_is_over(world: World, office: TestClient) -> None:
    finished(world)
    assert "3 decisions are still computed anew" in office.get(PREFIX + PLACE).text
    done = world.post(office, f"{PLACE}/freeze", "office")
    page = office.get(done.headers["location"]).text
    assert "The decisions are frozen." in page
    assert page.count("Frozen by office") == 3
    assert "Freeze now" not in page
    assert world.events(frozen.FROZEN) == 3


#: What is recorded of nobody: it stands on no learner's page.
OF_NOBODY = {
    "ai.anchor", "ai.limit", "announcement.made", "announcement.withdrawn", "journal.head", "journal.key", "programme.rules_set",
    "review.blind",
}  # fmt: skip


def test_each_kind_of_record_about_a_learner_is_told_in_words(world: World, office: TestClient) -> None:
    modules = [import_module(f"grader.records.{module.name}") for module in iter_modules(records.__path__)]
    names = [value for module in modules for name, value in vars(module).items() if name.lstrip("_").isupper()]
    kinds = {value for value in names if isinstance(value, str) and re.fullmatch(r"[a-z]+\.[a-z_]+", value)}
    assert kinds - OF_NOBODY <= set(KINDS), "a kind of record without words"
    assert {"review.saved", "attendance.checked_in"} <= kinds, "they are looked for where they stand"
    finished(world)
    page = office.get(f"{PREFIX}{PLACE}/people/mina").text.partition('id="events-title"')[2]
    assert "<span>Handed in</span> <span>Rough cut</span>" in page, "the lab by its title"
    assert '<span>Attendance corrected</span> <span class="num">Mon 6 Jul</span>' in page


def test_who_did_something_is_told_by_name(world: World, office: TestClient) -> None:
    finished(world)
    with writing(world.engine) as session:
        session.add(Person(login="office", name=f"한사무{SCRIPT}"))
    world.post(office, f"{PLACE}/freeze", "office")
    page = office.get(f"{PREFIX}{PLACE}/people/mina").text
    assert "Frozen by 한사무&lt;script&gt;" in page
    assert "by 한사무&lt;" in page[page.index("Records about this learner") :]
    assert SCRIPT not in page


def test_what_cannot_be_frozen_says_what_is_missing(world: World, office: TestClient) -> None:
    world.release()
    world.grade(world.submit(), final=False)
    answer = world.post(office, f"{PLACE}/freeze", "office")
    assert answer.status_code == 400
    assert "1 grades of required labs are not final yet" in answer.text
    world.now = OVER - timedelta(days=4)
    assert "it ends on 2026-07-10" in world.post(office, f"{PLACE}/freeze", "office").text
    assert world.events(frozen.FROZEN) == 0


def test_a_frozen_decision_stands_and_says_that_records_came_since(world: World, office: TestClient) -> None:
    finished(world)
    world.grade(world.submit(), 10)
    world.post(office, f"{PLACE}/freeze", "office")
    world.grade(world.submit())
    page = office.get(f"{PREFIX}{PLACE}/people/mina").text
    assert "would decide otherwise: Completed" in page
    assert "Open it again before anything here is changed" in page
    assert "Record that the learner left" not in page
    said = enter(world, office, "reopen", reason="채점 정정")
    assert "The decision is open again." in said
    assert "would decide otherwise" not in said
    assert "채점 정정" in said
    world.post(office, f"{PLACE}/freeze", "office")
    assert "Frozen by office" in office.get(f"{PREFIX}{PLACE}/people/mina").text


def test_leaving_is_recorded_and_taken_back(world: World, office: TestClient) -> None:
    page = enter(world, office, "leave", how="early_employment", on="2026-07-09", reason=f"취업 {SCRIPT}")
    assert "The end of the enrolment is recorded." in page
    assert 'Early employment · <span class="num">2026-07-09' in page
    assert SCRIPT not in page
    assert "Early employment" in office.get(PREFIX + PLACE).text
    assert "is taken back" in enter(world, office, "return", reason="취업 취소")
    assert (world.events(enrolments.ENDED), world.events(enrolments.END_WITHDRAWN)) == (1, 1)


@pytest.mark.parametrize(
    ("act", "form", "said"),
    [
        ("leave", {"how": "dropout", "on": "soon", "reason": "r"}, "choose the last day that counts"),
        ("leave", {"how": "dropout", "on": "2026-08-01", "reason": "r"}, "within the course run"),
        ("leave", {"how": "", "on": "2026-07-09", "reason": "r"}, "choose how the enrolment ended"),
        ("leave", {"how": "dropout", "on": "2026-07-09", "reason": "  "}, "write the reason"),
        ("return", {"reason": "r"}, "has not left"),
        ("exempt", {"lab": "rough-cut", "reason": ""}, "write the reason"),
        ("exempt", {"lab": "../x", "reason": "r"}, "does not belong to"),
        ("reopen", {"reason": "r"}, "is not frozen"),
    ],
)
def test_a_refused_entry_is_shown_as_it_was_typed(
    world: World, office: TestClient, act: str, form: dict[str, str], said: str
) -> None:
    answer = world.post(office, f"{PLACE}/people/mina/{act}", "office", **form)
    assert answer.status_code == 422
    assert said in answer.text
    assert world.events(enrolments.ENDED) == world.events(exemptions.EXEMPTED) == 0


def test_an_exemption_is_recorded_and_taken_back(world: World, office: TestClient) -> None:
    page = enter(world, office, "exempt", lab="rough-cut", reason="장비 고장")
    assert "The exemption is recorded." in page
    assert "장비 고장" in page
    assert "is taken back" in enter(world, office, "require", lab="rough-cut", reason="다시 제출하기로 함")
    assert (world.events(exemptions.EXEMPTED), world.events(exemptions.EXEMPTION_WITHDRAWN)) == (1, 1)


def test_only_the_office_of_the_institution_decides(world: World) -> None:
    world.now = OVER
    for login in ("mina", "teacher", "stranger"):
        browser = world.browser(login)
        assert browser.get(f"{PREFIX}{PLACE}/people/mina").status_code == 403
        for path in (f"{PLACE}/freeze", f"{PLACE}/people/mina/leave", f"{PLACE}/people/mina/reopen"):
            assert world.post(browser, path, login, how="dropout", on="2026-07-09", reason="r").status_code == 403
    office = world.browser("office")
    for path in (f"office/hanbit/{OTHER}/people/mina", f"{PLACE}/people/nobody"):
        assert office.get(PREFIX + path).status_code == 404
    assert world.post(office, f"office/hanbit/{OTHER}/freeze", "office").status_code == 404
    assert world.post(office, f"{PLACE}/people/mina/erase", "office").status_code == 404
    # Without the page's own token nothing is entered.
    assert office.post(f"{PREFIX}{PLACE}/freeze", data={}, headers={"origin": "http://evil"}).status_code == 403
    assert world.events(frozen.FROZEN) == world.events(enrolments.ENDED) == 0
    assert decisions.FROZEN == frozen.FROZEN


def test_the_allowance_is_an_estimate_with_its_numbers_and_what_stands_against_it(
    world: World, office: TestClient
) -> None:
    finished(world)
    with writing(world.engine) as session:
        find_course(session, COURSE).hours = 140
    page = office.get(f"{PREFIX}{PLACE}/people/mina").text
    assert "This is an estimate. The employment centre decides what is paid." in page
    assert "50,000 won" in page
    assert "0 won" in office.get(f"{PREFIX}{PLACE}/people/jun").text
    page = enter(world, office, "flag", flag="survey_missing", unit="2026-07-06", reason="설문 확인")
    assert "What stands against the allowance is recorded." in page
    assert "The survey of the unit period is missing: 설문 확인" in page
    assert "50,000 won" not in page
    page = enter(world, office, "clear", flag="survey_missing", unit="2026-07-06", reason="제출함")
    assert "50,000 won" in page
    for wrong in ({"flag": "rich", "unit": ""}, {"flag": "survey_missing", "unit": "2026-07-07"}):
        answer = world.post(office, f"{PLACE}/people/mina/flag", "office", reason="r", **wrong)
        assert answer.status_code == 422
        assert "for which unit period" in answer.text


def test_the_newest_events_stand_on_the_page_and_all_are_one_link_away(
    world: World, office: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(world)
    here = f"{PREFIX}{PLACE}/people/mina"

    def listed(page: str) -> list[str]:
        shown = page[page.index('id="events-title"') :]
        return re.findall("<li>(.*?)</li>", shown[: shown.index("</ol>")])

    every = office.get(here).text
    assert "?records=all" not in every
    monkeypatch.setattr(people, "SHOWN", 2)
    page = office.get(here).text
    assert listed(page) == listed(every)[:2]
    assert f'href="{here}?records=all#events-title">Show all {len(listed(every))} records<' in page
    assert listed(office.get(f"{here}?records=all").text) == listed(every)
