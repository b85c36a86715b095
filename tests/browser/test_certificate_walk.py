"""A certificate's whole way in a browser: frozen, issued, downloaded, scanned, verified by a stranger, revoked."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from playwright.sync_api import Browser, Page
from serving import served
from test_portal_people import OVER, finished
from test_portal_world import COURSE, PREFIX, World, seeded_records, world

from hub_config.portal.security import Session
from hub_config.portal.site import SESSION_COOKIE

pytestmark = pytest.mark.browser


@pytest.fixture
def portal(world: World) -> Iterator[str]:
    """The portal's address, with a course run that is over."""
    with served(world) as address:
        finished(world)
        world.now = OVER
        yield address


def opened(browser: Browser, world: World, portal: str, who: str | None, lang: str = "ko") -> Page:
    """A browser of somebody who has signed in, or of a stranger."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, accept_downloads=True)
    cookies = [{"name": "practicum-lang", "value": lang, "url": portal + PREFIX}]
    if who:
        sealed = world.site.seals.seal(Session(f"token-{who}", f"session-{who}"))
        cookies.append({"name": SESSION_COOKIE, "value": sealed, "url": portal + PREFIX})
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(30_000)
    return page


def scanned(paper: Path) -> str:
    """What a telephone reads from the printed paper."""
    with pypdfium2.PdfDocument(paper) as document:
        assert len(document) == 1
        (code,) = zxingcpp.read_barcodes(document[0].render(scale=2).to_pil())
    return code.text


@pytest.mark.slow
def test_from_the_frozen_decision_to_the_stranger_who_verifies(
    world: World, portal: str, browser: Browser, tmp_path: Path
) -> None:
    office = opened(browser, world, portal, "office")
    office.goto(f"{portal}{PREFIX}office/hanbit/{COURSE}")
    office.get_by_text("확정하기", exact=True).click()
    office.get_by_role("button", name="이 과정의 판정 확정하기").click()
    office.get_by_role("link", name="수료증", exact=True).click()
    office.get_by_role("button", name="모두에게 발급").click()
    assert office.get_by_text("2026-HANBIT-0001").first.is_visible()

    mina = opened(browser, world, portal, "mina")
    mina.goto(f"{portal}{PREFIX}learn/{COURSE}")
    mina.get_by_role("link", name="내 수료증").click()
    with mina.expect_download() as arriving:
        mina.get_by_role("link", name="국문 PDF").click()
    paper = tmp_path / arriving.value.suggested_filename
    arriving.value.save_as(paper)
    assert paper.name == "2026-HANBIT-0001-ko.pdf"

    stranger = opened(browser, world, portal, None, "en")
    stranger.goto(scanned(paper))
    assert stranger.get_by_role("heading", name="Valid").is_visible()
    assert stranger.get_by_text("김○나").is_visible()
    assert stranger.get_by_text("김미나").count() == 0

    mina.get_by_label("이름 전체").check()
    mina.get_by_role("button", name="저장").click()
    assert mina.get_by_label("이름 전체").is_checked()
    stranger.reload()
    assert stranger.get_by_text("김미나").is_visible()

    office.get_by_text("수료증 취소").first.click()
    office.get_by_label("취소 사유").fill("이름 정정")
    office.get_by_role("button", name="수료증 취소").click()
    assert office.get_by_text("수료증을 취소했습니다.").is_visible()
    stranger.reload()
    assert stranger.get_by_role("heading", name="Revoked").is_visible()
    assert stranger.get_by_text("이름 정정").count() == 0
    assert stranger.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
