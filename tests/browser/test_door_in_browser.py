"""A training day at the door, in real browsers: the class screen, a phone that scans it, an outing, a correction.

With PRACTICUM_TOUR set to a folder the screenshots go there.
"""

# ruff: noqa: F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, FloatRect, Page, expect
from running import Installation
from test_whole_way import PASSWORD, Person, enter  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.long]
COURSE, LEARNER, NAME = "ai-work-ko", "doyun", "이도윤"
PAGES = (f"learn/{COURSE}/door", f"learn/{COURSE}/attendance", f"learn/{COURSE}")
STAFF_PAGES = tuple(
    f"class/{COURSE}/{page}"
    for page in ("code", "requests", "signs", f"learners/{LEARNER}", f"correct?learner={LEARNER}")
)


def scan(teacher: Person) -> str:
    """Read the QR from a screenshot, as a camera does."""
    teacher.page.locator("img.qr").evaluate("image => image.decode()")
    found = zxingcpp.read_barcodes(Image.open(io.BytesIO(teacher.page.screenshot())))
    assert len(found) == 1
    return found[0].text


def next_code(teacher: Person, before: str) -> str:
    """Wait until the class screen shows another QR, and read it."""
    expect(teacher.page.locator(".code")).not_to_have_text(before, timeout=40_000)
    return scan(teacher)


def press_at(phone: Page, address: str, button: str) -> None:
    phone.goto(address)
    phone.get_by_role("button", name=button, exact=True).click()
    expect(phone.locator(".notice.good")).to_be_visible()


def at_widths(person: Person, name: str, paths: tuple[str, ...]) -> None:
    """Look at pages in both languages on a phone and on a screen; nothing scrolls sideways."""
    page, was = person.page, person.page.viewport_size
    for lang in ("ko", "en"):
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            for number, path in enumerate(paths):
                page.goto(f"{person.site.url}/services/portal/lang/{lang}?next=/services/portal/{path}")
                page.screenshot(path=person.shots / f"{lang}-{name}-{number}-{width}.png", full_page=True)
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, lang, width)
    page.goto(f"{person.site.url}/services/portal/lang/ko")
    page.set_viewport_size(was or {"width": 1280, "height": 900})


@pytest.mark.timeout(600)
def test_a_day_at_the_door(
    practicum: Installation, enter: Callable[[str, str], Person], browser: Browser, tmp_path: Path
) -> None:
    teacher = enter("minsu", "ko")
    teacher.go(f"class/{COURSE}/code")

    def place() -> FloatRect | None:
        """Where the code stands; it is another one now and then."""
        teacher.page.locator(".frame").wait_for()
        return teacher.page.locator(".frame").bounding_box() or place()

    frame = place()
    address = scan(teacher)
    assert address.startswith(f"{practicum.url}/services/portal/learn/{COURSE}/door?code=")

    # The phone scans, signs in once, and is where the code is filled in; then one press.
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, locale="ko-KR", is_mobile=True, has_touch=True
    )
    phone = context.new_page()
    phone.goto(address)
    phone.fill("#username_input", LEARNER)
    phone.fill("#password_input", PASSWORD)
    phone.click("#login_submit")
    phone.wait_for_url(re.compile(r"/door\?code=\d{6}&slot=\d+"))
    shown = re.sub(r"\D", "", teacher.page.locator(".code").inner_text())
    if phone.locator("#code").input_value() not in (shown, re.findall(r"code=(\d+)", address)[0]):
        phone.goto(scan(teacher))  # signing in took longer than the code lasts
    shots = Path(os.environ.get("PRACTICUM_TOUR", tmp_path))
    phone.screenshot(path=shots / "ko-door-phone.png", full_page=True)
    phone.get_by_role("button", name="입실하기", exact=True).click()
    expect(phone.locator(".notice.good")).to_have_text("입실 처리되었습니다.")
    assert "code=" not in phone.url

    # The class screen shows it by itself, and nothing on it has moved.
    expect(teacher.page.locator("#arrivals ol")).to_contain_text(NAME, timeout=15_000)
    assert place() == frame
    before = teacher.page.locator(".code").inner_text()
    press_at(phone, next_code(teacher, before), "외출하기")
    expect(teacher.page.locator("#arrivals ol")).to_contain_text("외출 중", timeout=15_000)
    teacher.page.screenshot(path=shots / "ko-door-screen.png", full_page=True)
    before = teacher.page.locator(".code").inner_text()
    press_at(phone, next_code(teacher, before), "복귀하기")
    expect(teacher.page.locator("#arrivals ol")).not_to_contain_text("외출 중", timeout=15_000)

    # An absent-minded learner asks; the instructor sees it and grants; the learner reads the answer.
    phone.get_by_role("link", name="날짜별 출결과 정정 요청").click()
    today = phone.locator("#day option").nth(1).get_attribute("value") or ""
    phone.select_option("#day", today)
    phone.fill("#check_in", "09:00")
    phone.fill("#check_out", "18:00")
    phone.fill("#outings", "-")
    phone.fill("#reason", "입실 버튼을 늦게 눌렀습니다.")
    phone.get_by_role("button", name="요청 보내기").click()
    expect(phone.locator("main")).to_contain_text("처리 대기")
    teacher.go(f"class/{COURSE}")
    teacher.page.get_by_role("link", name=re.compile("정정 요청")).click()
    teacher.page.get_by_role("link", name=re.compile("확인하고 승인")).click()
    teacher.page.fill("#reason", "9시에 함께 있었습니다.")
    teacher.press("승인하고 정정하기")
    expect(teacher.page.locator(".notice.good")).to_contain_text("승인")
    phone.reload()
    expect(phone.locator(f"#d-{today}")).to_contain_text("9시에 함께 있었습니다.")

    at_widths(teacher, "door-staff", STAFF_PAGES)
    at_widths(Person(LEARNER, phone, practicum, teacher.shots, "ko"), "door-learner", PAGES)
    context.close()
