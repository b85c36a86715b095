"""The office imports: uploading, mapping, a preview, applying; and what somebody else, a forged form or a hostile file gets."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
import stat
import time as clock
from datetime import date, time, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from import_files import Rows, csv_file, xlsx_file
from test_portal_world import COURSE, FIRST, NOW, ORIGIN, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from grader.imports.limits import MAX_FILE_BYTES
from grader.records import enrolments
from grader.records.db import reading, writing
from grader.records.imports import APPLIED
from grader.records.models import ClosedDay, Person
from grader.records.official import OFFICIAL
from hub_config.portal import kept_files
from hub_config.portal.kept_files import KeptFiles
from hub_config.portal.security import Session

PLACE = f"office/hanbit/{COURSE}/import"
ROSTER: Rows = [("훈련생번호", "이름", "훈련상태", "퇴소일"), ("T1", "김미나", "훈련중", ""), ("T9", "새사람", "", "")]
ATTENDANCE: Rows = [("훈련일", "이름", "출결상태", "입실", "퇴실"), ("20260706", "김미나", "지각", "0940", "1800")]


@pytest.fixture
def office(world: World) -> TestClient:
    return world.browser("office", "en")


def send(
    world: World, browser: TestClient, data: bytes, kind: str = "roster", name: str = "명단.csv", login: str = "office",
    origin: str = ORIGIN, place: str = PLACE,
) -> httpx.Response:  # fmt: skip
    """Upload a file as the page does."""
    csrf = world.site.seals.csrf(Session(f"token-{login}", f"session-{login}"))
    return browser.post(
        f"{PREFIX}{place}/{kind}", data={"csrf": csrf}, files={"file": (name, data)}, headers={"origin": origin}
    )


def preview(
    world: World, browser: TestClient, data: bytes, kind: str = "roster", name: str = "명단.csv"
) -> httpx.Response:
    return browser.get(send(world, browser, data, kind, name).headers["location"])


def press(world: World, browser: TestClient, page: httpx.Response, button: str, **form: str) -> httpx.Response:
    """Send one of a preview's forms, with what it carries."""
    carried = dict(re.findall(r'name="(plan|name)" value="([^"]*)"', page.text))
    path = str(page.request.url.path).removeprefix(PREFIX)
    return world.post(browser, f"{path}/{button}", "office", **{**carried, **form})


def kept(world: World) -> list[Path]:
    return [path for path in world.settings.imports_folder.rglob("*") if path.is_file()]


def test_a_roster_is_uploaded_looked_at_and_applied(world: World, office: TestClient) -> None:
    page = preview(world, office, csv_file(ROSTER, "cp949"))
    assert page.status_code == 200
    for told in ("명단.csv", "2 rows", "hanbit-t9", "Apply 2 changes", "2 learners of this course are not in the file"):
        assert told in page.text
    assert world.events(enrolments.OPENED) == 0, "a preview records nothing"
    done = press(world, office, page, "apply")
    assert done.status_code == 303
    said = office.get(done.headers["location"]).text
    assert "Applied: 2 changes." in said
    assert (world.events(enrolments.OPENED), world.events(APPLIED)) == (1, 1)
    with reading(world.engine) as session:
        assert session.get_one(Person, "mina").outside_id == "T1"
    assert "새사람" in office.get(f"{PREFIX}office/hanbit/{COURSE}").text
    again = preview(world, office, csv_file(ROSTER, "cp949"))
    assert "There is nothing to apply" in again.text
    assert "/apply" not in again.text


def test_a_timetable_with_a_closed_day_is_applied(world: World, office: TestClient) -> None:
    rows: list[tuple[object, ...]] = [("훈련일", "시작", "종료", "휴강사유")]
    rows += [(FIRST + timedelta(days=n), time(9), time(18), None) for n in range(4)]
    rows += [(FIRST + timedelta(days=4), None, None, f"태풍 {SCRIPT}")]
    page = preview(world, office, xlsx_file(rows), "timetable", "시간표.xlsx")
    assert SCRIPT not in page.text
    assert press(world, office, page, "apply").status_code == 303
    with reading(world.engine) as session:
        assert session.get_one(ClosedDay, (COURSE, FIRST + timedelta(days=4))).reason.startswith("태풍")


def test_every_bad_row_is_explained_and_nothing_can_be_applied(world: World, office: TestClient) -> None:
    page = preview(
        world, office, csv_file([*ROSTER, ("T4", f"=cmd {SCRIPT}", "", ""), ("T5", "가", "중도탈락", "7/8")])
    )
    assert "/apply" not in page.text
    assert SCRIPT not in page.text
    assert "=cmd &lt;script&gt;" in page.text
    assert "does not begin with = + - @" in page.text
    assert "The last day that counts, such as 2026-07-06" in page.text
    answer = press(world, office, page, "apply", plan="0" * 64)
    assert answer.status_code == 422
    assert "nothing was applied" in answer.text
    assert world.events(APPLIED) == 0


def test_a_column_that_nobody_knows_is_mapped_by_hand_and_remembered(world: World, office: TestClient) -> None:
    rows: Rows = [("성함", "번호표", "비고"), ("김미나", "T1", "x")]
    page = preview(world, office, csv_file(rows))
    assert page.status_code == 422
    assert "needed columns are missing: name. Unknown columns: &#39;성함&#39;" in page.text
    path = page.request.url.path.removeprefix(PREFIX)
    csrf = world.site.seals.csrf(Session("token-office", "session-office"))
    form = {"csrf": csrf, "name": "명단.csv", "column": ["name", "outside_id", "-"]}
    done = office.post(f"{PREFIX}{path}/columns", data=form, headers={"origin": ORIGIN})
    assert "Apply 1 change" in office.get(done.headers["location"]).text
    assert "Apply 1 change" in preview(world, office, csv_file([*rows, ("이준", "", "")])).text, "the next file too"
    twice = office.post(
        f"{PREFIX}{path}/columns", data={**form, "column": ["name", "name", "-"]}, headers={"origin": ORIGIN}
    )
    assert twice.status_code == 422
    assert "more than one column is mapped to &#39;name&#39;" in twice.text


def test_what_was_looked_at_on_an_older_state_is_shown_again(world: World, office: TestClient) -> None:
    page = preview(world, office, csv_file(ATTENDANCE), "attendance")
    other = preview(world, office, csv_file([ATTENDANCE[0], ("20260706", "김미나", "결석", "", "")]), "attendance")
    assert press(world, office, other, "apply").status_code == 303
    answer = press(world, office, page, "apply")
    assert answer.status_code == 422
    assert "records changed since the preview" in answer.text
    assert world.events(OFFICIAL) == 1
    assert press(world, office, office.get(page.request.url.path), "apply").status_code == 303
    assert world.events(OFFICIAL) == 2


def test_a_file_that_cannot_be_read_is_not_kept_and_says_why(world: World, office: TestClient) -> None:
    for data, told in (
        (b"", "the file is empty"),
        (csv_file([("이름", "주민번호"), ("김", "900101-1234567")]), "resident registration number"),
        (b"PK\x03\x04" + b"x" * 100, "cannot be read as XLSX"),
    ):
        answer = send(world, office, data)
        assert answer.status_code == 422
        assert told in answer.text
        assert "900101" not in answer.text
    assert kept(world) == []


@pytest.mark.parametrize(
    "name", [f"../../{SCRIPT}.csv", "..\\..\\x.csv", "김\u202e하늘.csv", "가" * 300 + ".csv", "C:\\a\\b.csv"]
)
def test_a_files_name_is_text_and_never_a_path(world: World, office: TestClient, name: str) -> None:
    answer = send(world, office, csv_file(ROSTER), name=name)
    assert answer.status_code == 303
    page = office.get(answer.headers["location"])
    assert page.status_code == 200
    assert SCRIPT not in page.text
    assert "\u202e" not in page.text
    assert [re.fullmatch(r"[0-9a-f]{64}", path.name) is not None for path in kept(world)] == [True]


def test_a_kept_file_is_its_owners_only_and_gone_when_applied_or_after_an_hour(
    world: World, office: TestClient
) -> None:
    page = preview(world, office, csv_file(ROSTER))
    (file,) = kept(world)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    press(world, office, page, "apply")
    assert kept(world) == []
    gone = office.get(page.request.url.path)
    assert gone.status_code == 400
    assert "upload it again" in gone.text
    page = preview(world, office, csv_file(ATTENDANCE), "attendance")
    world.now = NOW + timedelta(minutes=61)
    assert "upload it again" in office.get(page.request.url.path).text
    assert kept(world) == []


def test_files_that_wait_are_few_and_are_swept_without_a_visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [NOW]
    monkeypatch.setattr(kept_files, "SWEEP_SECONDS", 0.05)
    files = KeptFiles(tmp_path / "imports", lambda: at[0])
    names = []
    for number in range(kept_files.MOST + 5):
        at[0] += timedelta(seconds=1)
        names.append(files.put("course", str(number).encode()))
    there = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert there == set(names[5:]), "a newer one takes the place of the oldest"
    at[0] += timedelta(hours=2)
    deadline = clock.monotonic() + 10
    while any(path.is_file() for path in tmp_path.rglob("*")) and clock.monotonic() < deadline:
        clock.sleep(0.02)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_of_one_course_is_not_read_in_another(world: World, office: TestClient) -> None:
    page = preview(world, office, csv_file(ROSTER))
    path = page.request.url.path
    assert office.get(path.replace(f"hanbit/{COURSE}", f"hanbit/{OTHER}")).status_code in (400, 404)
    assert office.get(path.replace("hanbit", "far")).status_code == 403
    for wrong in ("..%2F..%2Fsecrets", "0" * 64, "x", "%00"):
        assert office.get(f"{PREFIX}{PLACE}/roster/{wrong}").status_code in (400, 404)
    assert office.get(f"{PREFIX}{PLACE}/secrets/{'0' * 64}").status_code == 404


@pytest.mark.parametrize("login", ["mina", "teacher", "stranger"])
def test_only_the_office_of_the_institution_imports(world: World, office: TestClient, login: str) -> None:
    page = preview(world, office, csv_file(ROSTER))
    browser = world.browser(login)
    assert send(world, browser, csv_file(ROSTER), login=login).status_code == 403
    path = page.request.url.path.removeprefix(PREFIX)
    assert browser.get(PREFIX + path).status_code == 403
    for act in ("apply", "columns"):
        assert world.post(browser, f"{path}/{act}", login, column="name").status_code == 403
    assert world.browser().get(PREFIX + path).status_code == 303
    assert world.events(APPLIED) == 0


def test_the_office_of_another_institution_does_not_import_here(world: World, office: TestClient) -> None:
    elsewhere = send(world, office, csv_file(ROSTER), place=f"office/hanbit/{OTHER}/import")
    assert elsewhere.status_code == 404
    assert send(world, office, csv_file(ROSTER), place=f"office/far/{OTHER}/import").status_code == 403
    assert kept(world) == []


def test_a_forged_upload_and_a_forged_apply_are_refused(world: World, office: TestClient) -> None:
    assert send(world, office, csv_file(ROSTER), origin="https://evil.example").status_code == 403
    assert send(world, office, csv_file(ROSTER), login="teacher").status_code == 403, "another session's form"
    page = preview(world, office, csv_file(ROSTER))
    answer = office.post(f"{page.request.url.path}/apply", data={"plan": "x"}, headers={"origin": ORIGIN})
    assert answer.status_code == 403
    assert world.events(APPLIED) == 0


def test_a_large_file_is_refused_before_it_is_read_and_from_nobody_at_all(world: World, office: TestClient) -> None:
    large = b"a" * (MAX_FILE_BYTES + 100_000)
    answer = send(world, office, large)
    assert answer.status_code == 400
    assert "at most 10 MB" in answer.text
    assert send(world, world.browser(), large).headers["location"].startswith(f"{PREFIX}login")

    def endless() -> object:
        yield b"x"
        raise AssertionError("it was read")

    answer = world.browser().post(f"{PREFIX}{PLACE}/roster", content=endless())  # type: ignore[arg-type]
    assert answer.status_code == 303
    # Other forms keep the small limit.
    assert world.post(office, f"{PLACE}/roster/{'0' * 64}/apply", "office", plan="x" * 70_000).status_code == 413


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize("kind", ["roster", "timetable", "attendance"])
def test_a_template_can_be_uploaded_as_it_is(world: World, office: TestClient, kind: str, form: str) -> None:
    given = office.get(f"{PREFIX}office/hanbit/{COURSE}/template/{kind}.{form}")
    assert given.headers["content-disposition"] == f'attachment; filename="{kind}.{form}"'
    page = preview(world, office, given.content, kind, f"{kind}.{form}")
    assert page.status_code == 200
    assert "Which column is which</summary>" in page.text, "every column is known"
    assert office.get(f"{PREFIX}office/hanbit/{COURSE}/template/{kind}.exe").status_code == 404


def test_long_lists_are_cut_and_shown_on_request(world: World, office: TestClient) -> None:
    page = preview(world, office, csv_file([("훈련생번호", "이름"), *((f"N{n}", f"이름{n}") for n in range(150))]))
    assert "Show all 150 changes" in page.text
    assert "이름149" not in page.text
    assert "이름149" in office.get(f"{page.request.url.path}?show=all&name=x").text
    wrong = preview(world, office, csv_file([("훈련생번호", "이름"), *((f"N{n}", f"={n}") for n in range(150))]))
    assert "Show all 150 problems" in wrong.text
    assert office.get(f"{wrong.request.url.path}?show=all").text.count("<code>=") == 150


def test_differences_show_both_sides_and_lead_to_the_learner(world: World, office: TestClient) -> None:
    address = f"{PREFIX}office/hanbit/{COURSE}/differences"
    assert "No official attendance has been imported yet." in office.get(address).text
    world.attended("mina", date(2026, 7, 6))
    page = preview(world, office, csv_file(ATTENDANCE), "attendance")
    press(world, office, page, "apply")
    told = office.get(address).text
    for part in (
        "1 day differs",
        "김미나",
        "Present for 540 of 540 minutes",
        "지각 09:40~18:00",
        "the official attendance decides",
    ):
        assert part in told
    back = csv_file([ATTENDANCE[0], ("20260706", "김미나", "출석", "0900", "1800")])
    press(world, office, preview(world, office, back, "attendance"), "apply")
    assert "There is no difference." in office.get(address).text
