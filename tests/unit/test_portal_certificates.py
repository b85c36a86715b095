"""Certificates on the pages: the office issues, office and holder download, and who may what."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import io
import json
import zipfile

import httpx
import pytest
from certified import PLACE, address, certified, decided, held
from test_certificate_paper import one_page
from test_portal_people import OVER, finished
from test_portal_world import COURSE, ORIGIN, OTHER, PEOPLE, PREFIX, World, seeded_records, world

from grader.records import certificates
from grader.records.db import writing
from grader.records.models import Person
from grader.roles import Caller


def test_the_office_issues_for_everybody_who_completed_and_only_once(decided: World) -> None:
    office = decided.browser("office", "en")
    assert "1 learner has completed and holds no certificate" in office.get(PREFIX + PLACE).text
    done = decided.post(office, PLACE, "office")
    page = office.get(done.headers["location"]).text
    for said in ("The certificates are issued.", "2026-HANBIT-0001", "Valid", "Everybody who has completed"):
        assert said in page
    decided.post(office, PLACE, "office")
    decided.post(office, PLACE, "office", learner="mina")
    assert decided.events(certificates.ISSUED) == 1
    assert "Certificate issued" in office.get(f"{PREFIX}office/hanbit/{COURSE}/people/mina").text


def test_one_learner_gets_an_english_name_and_a_failed_one_gets_nothing(decided: World) -> None:
    office = decided.browser("office", "en")
    refused = decided.post(office, PLACE, "office", learner="jun", name_en="Lee Jun")
    assert refused.status_code == 422
    assert "jun: jun: a certificate is issued only from a decision that is frozen" in refused.text
    decided.post(office, PLACE, "office", learner="mina", name_en="Kim Mina")
    paper = office.get(f"{PREFIX}{PLACE}/{held(decided).event.id}/pdf_en")
    assert "Kim Mina (김미나)" in one_page(paper.content)


def test_before_anything_is_frozen_nothing_can_be_issued(world: World) -> None:
    finished(world)
    world.now = OVER
    office = world.browser("office", "en")
    assert "No decision of this course is frozen yet" in office.get(PREFIX + PLACE).text
    world.post(office, PLACE, "office")
    assert world.post(office, PLACE, "office", learner="mina").status_code == 422
    assert world.events(certificates.ISSUED) == 0


def test_a_name_that_cannot_be_printed_is_named_and_holds_up_nobody(decided: World) -> None:
    with writing(decided.engine) as session:
        session.get_one(Person, "mina").name = "金美娜"
    answer = decided.post(decided.browser("office"), PLACE, "office")
    assert answer.status_code == 422
    assert "mina: &#39;金&#39;: 수료증 글꼴에 없는 글자입니다." in answer.text


@pytest.mark.parametrize(
    ("part", "name", "kind", "begins"),
    [
        ("pdf_ko", "2026-HANBIT-0001-ko.pdf", "application/pdf", b"%PDF"),
        ("pdf_en", "2026-HANBIT-0001-en.pdf", "application/pdf", b"%PDF"),
        ("badge", "2026-HANBIT-0001.jwt", "application/vc+jwt", b"eyJ"),
    ],
)
def test_office_and_holder_download_the_same_files(
    certified: World, part: str, name: str, kind: str, begins: bytes
) -> None:
    id = held(certified).event.id
    answers = [
        certified.browser("office").get(f"{PREFIX}{PLACE}/{id}/{part}"),
        certified.browser("mina").get(f"{PREFIX}learn/{COURSE}/certificate/{id}/{part}"),
    ]
    for answer in answers:
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert answer.headers["content-type"].startswith(kind)
        assert answer.content.startswith(begins)
    assert answers[0].content == answers[1].content
    certified.blobs.path(held(certified).sha256(part)).unlink()
    assert certified.browser("office").get(f"{PREFIX}{PLACE}/{id}/{part}").status_code == 404


def test_the_holder_finds_it_on_their_page(certified: World) -> None:
    browser = certified.browser("mina", "en")
    assert f"{PREFIX}learn/{COURSE}/certificate" in browser.get(f"{PREFIX}learn/{COURSE}").text
    page = browser.get(f"{PREFIX}learn/{COURSE}/certificate").text
    for said in ("2026-HANBIT-0001", "Valid", "else: 김○나", f"{ORIGIN}{address(certified)}"):
        assert said in page
    assert certified.browser("jun").get(f"{PREFIX}learn/{COURSE}/certificate").status_code == 404
    assert f"{PREFIX}learn/{COURSE}/certificate" not in certified.browser("jun").get(f"{PREFIX}learn/{COURSE}").text


def test_the_holders_own_file_has_the_certificate_and_tells_who_downloaded_it(certified: World) -> None:
    certified.browser("office").get(f"{PREFIX}{PLACE}/{held(certified).event.id}/pdf_ko")
    packed = certified.browser("mina").get(f"{PREFIX}learn/{COURSE}/data/all.zip").content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {f"certificates/2026-HANBIT-0001{end}" for end in ("-ko.pdf", "-en.pdf", ".jwt")} <= set(
            archive.namelist()
        )
        told = json.loads(archive.read("records.json"))
    assert "수료증" in certified.browser("mina").get(f"{PREFIX}learn/{COURSE}/data").text
    assert any(look["what"].endswith("{certificate}/{part}") for look in told["looks"])


# --- who may what ------------------------------------------------------------------------------------------------------

OFFICE_ONLY = [
    ("GET", PLACE),
    ("POST", PLACE),
    ("GET", f"{PLACE}/ID/pdf_ko"),
    ("GET", f"{PLACE}/ID/badge"),
    ("POST", f"{PLACE}/ID/revoke"),
]
HOLDER_ONLY = [
    ("GET", f"learn/{COURSE}/certificate/ID/pdf_ko"), ("GET", f"learn/{COURSE}/certificate/ID/badge"),
    ("POST", f"learn/{COURSE}/certificate/ID"),
]  # fmt: skip


def ask(world: World, who: str | None, method: str, path: str) -> httpx.Response:
    path = path.replace("ID", held(world).event.id)
    browser = world.browser(who)
    if method == "GET":
        return browser.get(PREFIX + path)
    return world.post(browser, path, who or "nobody", reason="x", full_name="true")


@pytest.fixture
def far_office(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEOPLE, "far-office", Caller("far-office", groups=frozenset({"institution-far"})))


@pytest.mark.parametrize("who", ["mina", "teacher", "far-office", "stranger", "service", None])
def test_only_the_office_of_the_institution(certified: World, far_office: None, who: str | None) -> None:
    for method, path in OFFICE_ONLY:
        answer = ask(certified, who, method, path)
        to_login = who in (None, "service") and method == "GET"
        assert answer.status_code == (303 if to_login else 403), path
        assert not to_login or "login" in answer.headers["location"]
    assert held(certified).standing == "valid"
    assert certified.events(certificates.ISSUED) == 1


@pytest.mark.parametrize("who", ["jun", "teacher", "office", "both", "stranger", None])
def test_only_the_holder(certified: World, who: str | None) -> None:
    for method, path in HOLDER_ONLY:
        answer = ask(certified, who, method, path)
        to_login = who is None and method == "GET"
        assert answer.status_code == (404 if who == "jun" else 303 if to_login else 403), path
        assert b"%PDF" not in answer.content
    assert certified.events(certificates.SHARED) == 0


def test_an_office_reaches_no_certificate_by_another_institutions_address(certified: World, far_office: None) -> None:
    id = held(certified).event.id
    office, far = certified.browser("office"), certified.browser("far-office")
    for path in (f"office/far/{COURSE}/certificates/{id}/pdf_ko", f"office/far/{OTHER}/certificates/{id}/pdf_ko"):
        assert far.get(PREFIX + path).status_code == 404
        assert office.get(PREFIX + path).status_code == 403
    assert office.get(f"{PREFIX}office/hanbit/{OTHER}/certificates").status_code == 404
    assert (
        certified.post(far, f"office/far/{OTHER}/certificates/{id}/revoke", "far-office", reason="x").status_code == 404
    )
    assert certified.post(far, f"office/far/{COURSE}/certificates", "far-office").status_code == 404
    assert held(certified).standing == "valid"


def test_a_form_from_elsewhere_issues_and_revokes_nothing(certified: World) -> None:
    office = certified.browser("office")
    for path in (PLACE, f"{PLACE}/{held(certified).event.id}/revoke"):
        answer = office.post(
            PREFIX + path, data={"csrf": "x", "reason": "x"}, headers={"origin": "https://evil.example"}
        )
        assert answer.status_code == 403
    assert held(certified).standing == "valid"
