"""Certificates as anybody verifies them: the public page and an outsider's program; what holds, what is shown, what tells nothing."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from statistics import median
from urllib.parse import urlsplit

import pytest
from certified import PLACE, address, certified, decided, freeze, held, reopen, seen, share
from fastapi.testclient import TestClient
from openbadgeslib.ob3 import OB3VerificationError, OB3Verifier
from test_portal_world import COURSE, ORIGIN, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import certificates, retention
from grader.records.db import reading, writing
from grader.records.models import Person


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
