"""Labs for authors: who may look, what a hostile pack can do to the page, and that a look is a command of its own."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import update
from test_portal_world import COURSE, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from grader.authors.report import LabReport, Tried, state_of
from grader.records.db import writing
from grader.records.models import CourseLab
from labs import catalog
from labs.catalog import find_lab, work_on
from labs.checks import CriterionResult, failed
from labs.findings import wrong
from labs.scaffold import new_lab
from labs.texts import Text

LAB = "authors/video_content/rough-cut"
KEY = "the answer of the key"
HOSTILE = f"<!doctype html><p>as given</p>{SCRIPT}"
ADDRESSES = ["", "/run", "/run/events", "/page/ko", "/page/en", "/files/ko/0", "/files/ko/1"]


def keep(world: World, lab_id: str = "rough-cut") -> Path:
    """What a look would have kept."""
    lab = find_lab(lab_id)
    folder = world.settings.previews_folder / lab.pack / lab.id
    for lang in ("ko", "en"):
        (folder / lang / "files").mkdir(parents=True)
        (folder / lang / "page.html").write_text(HOSTILE, "utf-8")
        (folder / lang / "files" / "a.html").write_text(SCRIPT, "utf-8")
        (folder / lang / "files" / "brief.md").write_text(SCRIPT, "utf-8")
        (folder / lang / "files" / "z.png").symlink_to("/etc/passwd")
    results = tuple(
        CriterionResult(id=c.id, points=0, max_points=c.points, findings=failed(Text(ko=KEY, en=KEY + SCRIPT)).findings)
        for c in lab.lab.criteria
        if c.check
    )
    report = LabReport(
        pack=lab.pack, lab=lab.id, state="x", findings=(wrong(f"{SCRIPT}.md", 3, "고치세요", f"Mend it {SCRIPT}"),),
        tried=(Tried(name="good", lang="en", results=results, broken=Text(ko="잃음", en="loses")),),
    )  # fmt: skip
    (folder / "report.json").write_text(report.model_dump_json(), "utf-8")
    return folder


@pytest.mark.parametrize("login", ["mina", "stranger", "service"])
def test_a_learner_gets_none_of_the_addresses(world: World, login: str) -> None:
    keep(world)
    browser = world.browser(login)
    for address in ["authors", *(LAB + more for more in ADDRESSES)]:
        answer = browser.get(PREFIX + address)
        assert answer.status_code in (303, 403), address
        assert KEY not in answer.text
        assert "as given" not in answer.text
    assert world.post(browser, f"{LAB}/look", login).status_code in (303, 403)
    assert world.site.runs.latest("/video_content", "rough-cut") is None
    assert world.browser().get(f"{PREFIX}{LAB}").headers["location"].startswith(f"{PREFIX}login")


@pytest.mark.parametrize("login", ["teacher", "office"])
def test_instructors_and_offices_see_every_address(world: World, login: str) -> None:
    keep(world)
    for address in ["authors", *(LAB + more for more in ADDRESSES)]:
        assert world.browser(login).get(PREFIX + address).status_code == 200, address


def test_who_teaches_one_course_and_learns_in_another_does_not_see_the_lab_learned(world: World) -> None:
    keep(world)
    with writing(world.engine) as session:
        session.execute(update(CourseLab).where(CourseLab.course_id == OTHER).values(lab_id="landing-wireframe"))
        session.add(
            CourseLab(
                course_id=OTHER,
                lab_id="rough-cut",
                position=9,
                title_ko="편집",
                title_en="Cut",
                minutes=60,
                pass_percent=60,
            )
        )
    for address in ADDRESSES:
        answer = world.browser("both").get(f"{PREFIX}{LAB}{address}")
        assert (answer.status_code, KEY in answer.text) == (403, False), address
    assert world.post(world.browser("both"), f"{LAB}/look", "both").status_code == 403
    listed = world.browser("both", "en").get(f"{PREFIX}authors").text
    assert "You do this lab as a learner." in listed
    assert f"{PREFIX}{LAB}" not in listed
    assert world.browser("both").get(f"{PREFIX}authors/publishing/book-proposal").status_code == 200


def test_what_a_pack_made_is_served_to_run_nothing(world: World) -> None:
    keep(world)
    browser = world.browser("teacher", "en")
    framed = browser.get(f"{PREFIX}{LAB}/page/ko")
    policy = framed.headers["content-security-policy"]
    assert "as given" in framed.text
    assert {"sandbox", "default-src 'none'", "frame-ancestors 'self'", "form-action 'none'"} <= {
        part.strip() for part in policy.split(";")
    }
    assert "allow-" not in policy
    assert "script" not in policy
    files = [browser.get(f"{PREFIX}{LAB}/files/ko/{number}") for number in range(3)]
    assert [one.headers.get("content-type") for one in files[:2]] == [
        "application/octet-stream",
        "text/plain; charset=utf-8",
    ]
    assert "attachment" in files[0].headers["content-disposition"]
    assert all("sandbox" in one.headers["content-security-policy"] for one in files[:2])
    assert files[2].status_code == 404, "a link is no file"
    html = browser.get(f"{PREFIX}{LAB}").text
    assert SCRIPT not in html
    assert 'sandbox title="' in html
    assert "allow-scripts" not in html


@pytest.mark.parametrize(
    "address",
    ["authors/video_content/..%2f..", "authors/../../records", "authors/video_content/%2e%2e", "authors/%2e%2e/rough-cut", "authors/video_content/no-lab",
     "authors/no_pack/rough-cut", f"{LAB}/page/%2e%2e%2fko", f"{LAB}/page/fr", f"{LAB}/files/..%2f/0", f"{LAB}/files/ko/-1", f"{LAB}/files/ko/99"],
)  # fmt: skip
def test_no_part_of_an_address_becomes_a_path(world: World, address: str) -> None:
    keep(world)
    (world.settings.previews_folder / "page.html").write_text(KEY)
    answer = world.browser("teacher").get(PREFIX + address)
    assert answer.status_code in (400, 404), address
    assert KEY not in answer.text


def test_the_page_tells_facts_findings_and_results_in_both_languages(world: World) -> None:
    lab = find_lab("rough-cut").lab
    before = world.browser("teacher", "en").get(f"{PREFIX}{LAB}").text
    assert "Nothing is missing" in before
    assert "have not been tried yet" in before
    keep(world)
    for lang, told in (("ko", ("고치세요", "실습 미리 보기와 점검")), ("en", ("Mend it", "Labs for authors"))):
        html = world.browser("teacher", lang).get(f"{PREFIX}{LAB}").text
        for text in (*told, lab.title.in_(lang), KEY, *(c.title.in_(lang) for c in lab.criteria)):
            assert text in unescape(html), text
    assert f"{PREFIX}authors" in world.browser("teacher").get(f"{PREFIX}class/{COURSE}").text
    assert f"{PREFIX}authors" not in world.browser("mina").get(f"{PREFIX}learn/{COURSE}").text


def test_a_report_that_cannot_be_read_is_none(world: World) -> None:
    folder = keep(world)
    for content in ("", "{", "[" * 100_000, '{"pack": 1}'):
        (folder / "report.json").write_text(content)
        assert "have not been tried yet" in world.browser("teacher", "en").get(f"{PREFIX}{LAB}").text


def test_a_look_is_a_command_told_as_it_goes_and_one_at_a_time(world: World, tmp_path: Path) -> None:
    go = tmp_path / "go"
    body = (
        "import pathlib, sys, time\n"
        f"pathlib.Path({str(tmp_path / 'argv')!r}).write_text(' '.join(sys.argv[1:]))\n"
        'print(\'{"done": 1, "total": 4, "learner": "good ko"}\', flush=True)\n'
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
        'print(\'{"lab": "x", "kind": "wrong"}\\n{"finished": true, "failed": 2}\')\nsys.exit(1)'
    )
    world.start(lab_check_command=(sys.executable, "-c", body))
    browser = world.browser("teacher", "en")
    assert world.post(browser, f"{LAB}/look", "teacher").headers["location"] == f"{PREFIX}{LAB}#run"
    _until(lambda: "good ko" in browser.get(f"{PREFIX}{LAB}/run").text)
    busy = world.post(browser, "authors/publishing/book-proposal/look", "teacher")
    assert busy.headers["location"].endswith("?busy=true")
    assert "being checked already" in browser.get(busy.headers["location"]).text
    go.touch()
    _until(lambda: "came to its end" in browser.get(f"{PREFIX}{LAB}/run").text)
    assert (tmp_path / "argv").read_text() == f"{world.settings.previews_folder} -- rough-cut"
    assert "event: end" in browser.get(f"{PREFIX}{LAB}/run/events").text


def test_a_form_of_somewhere_else_starts_nothing(world: World) -> None:
    answer = world.browser("teacher").post(
        f"{PREFIX}{LAB}/look", data={"csrf": "x"}, headers={"origin": "http://evil.test"}
    )
    assert answer.status_code == 403
    assert world.site.runs.latest("/video_content", "rough-cut") is None


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[None]:
    new_lab("event-notice", tmp_path / "my-lessons", title_ko=SCRIPT, title_en=SCRIPT, minutes=60)
    work_on("my_lessons", tmp_path / "my-lessons" / "my_lessons")
    yield
    catalog._at_work.clear()
    catalog.forget()


def test_a_pack_from_outside_is_listed_and_its_markup_is_text(world: World, mine: None) -> None:
    browser = world.browser("office", "en")
    for address in ("authors", "authors/my_lessons/event-notice"):
        html = browser.get(PREFIX + address).text
        assert SCRIPT not in html
        assert "&lt;script&gt;" in html
    assert "To write" in html


def test_a_broken_pack_is_named(world: World, mine: None) -> None:
    (catalog.pack_folders()["my_lessons"] / "profession.yaml").write_text(f"id: [{SCRIPT}")
    catalog.forget()
    html = world.browser("teacher", "en").get(f"{PREFIX}authors").text
    assert "The pack my_lessons cannot be read:" in html
    assert SCRIPT not in html


def _until(holds: object) -> None:
    for _ in range(200):
        if holds():  # type: ignore[operator]
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_a_lab_that_changed_since_it_was_checked_says_so(world: World) -> None:
    said = "마지막 점검 뒤에 실습이 바뀌었습니다"
    browser = world.browser("teacher")
    assert said not in browser.get(PREFIX + LAB).text, "never checked"
    file = keep(world) / "report.json"
    assert said in browser.get(PREFIX + LAB).text
    report = LabReport.model_validate_json(file.read_text("utf-8"))
    now = report.model_copy(update={"state": state_of(find_lab("rough-cut").folder)})
    file.write_text(now.model_dump_json(), "utf-8")
    assert said not in browser.get(PREFIX + LAB).text


def test_the_state_of_a_lab_is_that_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    file = tmp_path / "server" / "checks.py"
    file.write_text("a")
    first = state_of(tmp_path)
    (tmp_path / "server" / "__pycache__").mkdir()
    (tmp_path / "server" / "__pycache__" / "checks.pyc").write_bytes(b"x")
    assert state_of(tmp_path) == first, "what Python leaves is no change"
    file.rename(tmp_path / "server" / "check.py")
    moved = state_of(tmp_path)
    (tmp_path / "server" / "check.py").write_text("b")
    assert len({first, moved, state_of(tmp_path)}) == 3
