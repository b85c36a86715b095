"""Certificates on the pages: the office issues and revokes, the holder downloads and chooses what is shown, anybody verifies."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from datetime import UTC, datetime
from statistics import median
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from openbadgeslib.ob3 import OB3VerificationError, OB3Verifier
from test_certificate_paper import one_page
from test_portal_people import OVER, finished
from test_portal_world import COURSE, ORIGIN, OTHER, PEOPLE, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import certificates, decisions, issuing, retention
from grader.records.certificates import Certificate
from grader.records.db import reading, writing
from grader.records.models import Person
from grader.records.state import find_course
from grader.roles import Caller

PLACE = f"office/hanbit/{COURSE}/certificates"


@pytest.fixture
def decided(world: World) -> World:
    """Mina has completed, the others have not; all is frozen."""
    finished(world)
    world.now = OVER
    freeze(world)
    return world


@pytest.fixture
def certified(decided: World) -> World:
    """Mina holds a certificate."""
    assert decided.post(decided.browser("office"), PLACE, "office").status_code == 303
    return decided


def freeze(world: World) -> None:
    with writing(world.engine) as session:
        decisions.freeze(session, find_course(session, COURSE), actor="office", now=world.now)


def reopen(world: World) -> None:
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        decisions.reopen(session, run, "mina", reason="재확인", actor="office", now=world.now)


def held(world: World) -> Certificate:
    with reading(world.engine) as session:
        return certificates.of_course(session, COURSE, "mina")[-1]


def address(world: World) -> str:
    """The path at which mina's certificate is verified."""
    return urlsplit(world.site.press.facts(held(world).sha256("facts")).verify_url).path


def seen(world: World, lang: str = "en") -> str:
    """What somebody without a login sees there."""
    return world.browser(lang=lang).get(address(world)).text


def share(world: World, *names: str) -> None:
    form = dict.fromkeys(names, "true")
    answer = world.post(world.browser("mina"), f"learn/{COURSE}/certificate/{held(world).event.id}", "mina", **form)
    assert answer.status_code == 303


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


def test_anybody_sees_that_it_holds_and_no_more_than_the_holder_shows(certified: World) -> None:
    page = seen(certified)
    for said in (
        "Valid",
        "2026-HANBIT-0001",
        "김○나",
        "Hanbit School",
        "Video editing",
        "AI transition",
        "6 July 2026",
        "45 hours",
    ):
        assert said in page
    for hidden in ("김미나", "mina", "Rough cut", "office", "captions", "SHA-256 of what was handed in"):
        assert hidden not in page
    share(certified, "labs")
    assert "Rough cut, Captions" in seen(certified)
    assert "김미나" not in seen(certified)
    share(certified, "full_name", "evidence")
    page = seen(certified)
    assert "김미나" in page
    assert page.count("SHA-256 of what was handed in") == 2
    assert "Rough cut" not in page
    share(certified)
    assert "김미나" not in seen(certified)
    assert certified.events(certificates.SHARED) == 3


def test_the_page_needs_no_login_shows_none_and_is_not_indexed(certified: World) -> None:
    certified.site.identity = None  # the Hub is away, and is not asked
    answer = certified.browser("mina", "en").get(address(certified))
    assert answer.status_code == 200
    assert "mina" not in answer.text
    assert "Sign out" not in answer.text
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex, nofollow">' in answer.text
    assert "set-cookie" not in answer.headers


def test_a_revoked_one_says_so_and_not_why(certified: World) -> None:
    office = certified.browser("office", "en")
    path = f"{PLACE}/{held(certified).event.id}/revoke"
    refused = certified.post(office, path, "office", reason=" ")
    assert refused.status_code == 422
    assert "write the reason" in refused.text
    done = certified.post(office, path, "office", reason="대리 출석 확인")
    assert "The certificate is revoked." in office.get(done.headers["location"]).text
    page = seen(certified)
    assert "Revoked" in page
    assert "revoked it on 13 July 2026" in page
    assert "대리 출석" not in page
    assert "대리 출석" in certified.browser("mina", "en").get(f"{PREFIX}learn/{COURSE}/certificate").text
    assert "is revoked already" in certified.post(office, path, "office", reason="x").text


def test_an_open_decision_suspends_it_until_it_is_frozen_again(certified: World) -> None:
    reopen(certified)
    assert "Suspended" in seen(certified)
    assert "효력이 정지된 수료증입니다" in seen(certified, "ko")
    assert "does not hold" in certified.browser("mina", "en").get(f"{PREFIX}learn/{COURSE}/certificate").text
    freeze(certified)
    assert "Valid" in seen(certified)


@pytest.mark.parametrize("token", ["x", "x" * 27, "..%2f..%2f", "%00", "2026-HANBIT-0001", "a" * 5000, "%ED%A0%80"])
def test_an_unknown_address_is_answered_as_a_page_that_tells_nothing(certified: World, token: str) -> None:
    answer = certified.browser(lang="en").get(f"{PREFIX}verify/{token}")
    assert answer.status_code == 404
    if "%2f" not in token:
        assert "No certificate was issued with this address" in answer.text
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"


@pytest.mark.alone
def test_an_address_that_differs_by_its_last_letter_is_looked_up_in_the_same_time(certified: World) -> None:
    """The journal is asked for a hash, so how much of an address is right cannot be read from the time."""
    certified.site.public_limiter._most = 10_000
    real = address(certified)
    near, far = real[:-1] + ("A" if real[-1] != "A" else "B"), f"{PREFIX}verify/{'A' * 27}"
    browser = certified.browser(lang="en")
    took: dict[str, list[float]] = {near: [], far: []}
    for _ in range(40):
        for path, times in took.items():
            begun = time.perf_counter()
            assert browser.get(path).status_code == 404
            times.append(time.perf_counter() - begun)
    slow, quick = sorted((median(times) for times in took.values()), reverse=True)
    assert slow < quick * 3
    assert browser.get(near).text.replace(near.rpartition("/")[2], "") == browser.get(far).text.replace("A" * 27, "")


def test_who_asks_too_often_waits_and_others_do_not(certified: World) -> None:
    path = address(certified)
    browser = certified.browser(lang="en")
    answers = [browser.get(path).status_code for _ in range(61)]
    if answers[-1] == 200:  # the minute ended in between
        answers = [browser.get(path).status_code for _ in range(61)]
    assert answers[-1] == 429
    assert "too often" in browser.get(path).text
    assert browser.get(f"{PREFIX}issuers/hanbit/did.json").status_code == 429
    other = TestClient(certified.app, base_url=ORIGIN, client=("203.0.113.9", 1))
    assert other.get(path).status_code == 200
    assert certified.browser("mina").get(f"{PREFIX}learn/{COURSE}").status_code == 200


def test_a_name_made_of_markup_is_text_on_paper_and_page(decided: World) -> None:
    with writing(decided.engine) as session:
        session.get_one(Person, "mina").name = f"\u202e{SCRIPT}"
    decided.post(decided.browser("office"), PLACE, "office")
    share(decided, "full_name")
    page = seen(decided)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_what_is_deleted_at_the_end_leaves_the_page_that_it_holds(certified: World) -> None:
    share(certified, "full_name", "labs", "evidence")
    path = address(certified)
    with reading(certified.engine) as session:
        gone = retention.files_of(session, "mina")
    assert set(held(certified).event.payload["files"].values()) <= gone
    for sha256 in held(certified).event.payload["files"].values():
        certified.blobs.path(sha256).unlink()
    page = certified.browser(lang="en").get(path).text
    assert "Valid" in page
    assert "were deleted at the end of the retention period" in page
    assert "김미나" not in page
    assert certified.browser("mina").get(f"{PREFIX}learn/{COURSE}/certificate").status_code == 404


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
        signed_out = who in (None, "service")
        assert answer.status_code == (303 if signed_out else 403), path
        assert not signed_out or "login" in answer.headers["location"]
    assert held(certified).standing == "valid"
    assert certified.events(certificates.ISSUED) == 1


@pytest.mark.parametrize("who", ["jun", "teacher", "office", "both", "stranger", None])
def test_only_the_holder(certified: World, who: str | None) -> None:
    for method, path in HOLDER_ONLY:
        answer = ask(certified, who, method, path)
        assert answer.status_code == (404 if who == "jun" else 303 if who is None else 403), path
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


# --- what an outsider's program verifies -------------------------------------------------------------------------------


def test_an_independent_verifier_needs_nothing_but_the_badge_and_the_portal(certified: World) -> None:
    certified.now = datetime.now(UTC)
    outsider = certified.browser()

    def fetch(url: str) -> bytes:
        answer = outsider.get(url.replace("https://portal.test", ""))
        assert answer.status_code == 200, url
        return answer.content

    id = held(certified).event.id
    badge = certified.browser("mina").get(f"{PREFIX}learn/{COURSE}/certificate/{id}/badge").text
    verifier = OB3Verifier.for_issuer_did("did:web:portal.test:services:portal:issuers:hanbit", download=fetch)
    fetch_list = lambda url: fetch(url.replace(ORIGIN, ""))  # noqa: E731
    found = verifier.verify(badge, check_status=True, download=fetch_list)
    assert found.issuer.name == "한빛직업전문학교"
    assert urlsplit(str(found.id)).path == address(certified)
    reopen(certified)
    with pytest.raises(OB3VerificationError, match="suspension"):
        verifier.verify(badge, check_status=True, download=fetch_list)
    certified.post(certified.browser("office"), f"{PLACE}/{id}/revoke", "office", reason="x")
    with pytest.raises(OB3VerificationError, match="revocation"):
        verifier.verify(badge, check_status=True, download=fetch_list)


def test_an_institution_that_issued_nothing_has_no_key_and_no_list(world: World) -> None:
    browser = world.browser()
    for path in ("hanbit", "hanbit/did.json", "hanbit/status/revocation/1", "nobody/did.json", "..%2fx/did.json"):
        assert browser.get(f"{PREFIX}issuers/{path}").status_code == 404
    assert not world.settings.keys_folder.exists()


def test_only_lists_that_are_in_use_are_signed(certified: World) -> None:
    browser = certified.browser(lang="en")
    lists = f"{PREFIX}issuers/hanbit/status"
    assert browser.get(f"{lists}/revocation/1").headers["content-type"].startswith("application/vc+jwt")
    assert browser.get(f"{lists}/revocation/2").status_code == 404
    assert browser.get(f"{lists}/other/1").status_code == 400
    assert browser.get(f"{lists}/revocation/x").status_code == 400
    page = browser.get(f"{PREFIX}issuers/hanbit").text
    assert "did:web:portal.test:services:portal:issuers:hanbit" in page
    assert "PRIVATE" not in page
    assert re.search(r"&#34;x&#34;: &#34;[\w-]{43}&#34;", page)
