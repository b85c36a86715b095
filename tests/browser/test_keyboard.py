"""A learner's day with Tab, Enter and Space alone, in the really running product: no pointer, and no press that is needed twice.

It begins at a lab's address as another system would link it, before anybody is signed in.
With PRACTICUM_TOUR set to a folder the screenshots go there.
"""

# ruff: noqa: F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from running import Installation
from test_whole_way import PASSWORD, Person, code_on_screen, enter, state_of  # noqa: F401

from labs.catalog import find_lab
from publishing.reference import build

pytestmark = pytest.mark.browser
COURSE, LEARNER, LAB = "ai-work-ko", "seoyeon", "book-proposal"
MOST_TABS = 80
#: What has the focus: its name as a reader hears it, its id, and whether the focus can be seen.
FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  const label = at.labels && at.labels.length ? at.labels[0].innerText : "";
  return {name: (at.getAttribute("aria-label") || label || at.textContent || "").trim().replace(/\\s+/g, " "), id: at.id,
          seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0};
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what is called so has the focus; on the portal's pages every stop on the way can be seen."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if "/services/portal/" in page.url:
            assert at["seen"] or not at["name"], f"nobody sees that {at} has the focus"
        if at["name"] == name or at["id"] == name:
            return
    raise AssertionError(f"{name!r} cannot be reached by Tab on {page.url}")


def sign_in(page: Page) -> None:
    tab_to(page, "username_input") if page.evaluate(FOCUSED)["id"] != "username_input" else None
    page.keyboard.type(LEARNER)
    tab_to(page, "password_input")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")


def put(site: Installation, name: str, scratch: Path) -> None:
    """Lay a reference submission into the learner's own folder, as their notebook would have written it."""
    lab = find_lab(LAB)
    build(lab.folder / "reference" / f"{name}.yaml", lab.folder, scratch / name, "ko")
    shutil.copytree(scratch / name, site.data / "homes" / LEARNER / LAB, dirs_exist_ok=True)


@pytest.mark.timeout(600)
def test_a_day_by_keyboard_alone(
    practicum: Installation, browser: Browser, enter: Callable[[str, str], Person], tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="ko-KR")
    page, portal = context.new_page(), f"{practicum.url}/services/portal"
    page.set_default_timeout(60_000)
    shots = Path(os.environ.get("PRACTICUM_TOUR", tmp_path))

    # A lab's address from elsewhere: sign in, and be in the notebook without another press.
    page.goto(f"{portal}/learn/{COURSE}/open/{LAB}")
    sign_in(page)
    page.wait_for_url(re.compile(f"/user/{LEARNER}/lab/tree/{LAB}/{LAB}.ipynb"), timeout=180_000)

    # Check in with the code on the class screen.
    teacher = enter("minsu", "ko")
    page.goto(f"{portal}/learn/{COURSE}")
    tab_to(page, "code")
    page.keyboard.type(code_on_screen(teacher, COURSE))
    tab_to(page, "입실하기")
    page.keyboard.press("Space")
    expect(page.get_by_role("status").filter(has_text="입실 처리되었습니다.")).to_be_visible()

    # See what is missing, and check what is there, on the page before handing in.
    title = find_lab(LAB).lab.title.ko
    tab_to(page, f"점검하고 제출 {title}")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/hand-in/{LAB}$"))
    expect(page.locator("main")).to_contain_text("4개 중 0개 있음")
    put(practicum, "fail-pitch", tmp_path)
    tab_to(page, "지금 점검하기")
    page.keyboard.press("Space")
    found = page.locator("#checked")
    expect(found).to_be_focused(timeout=120_000)
    expect(found).to_contain_text("나머지는 아래에서")
    expect(page.locator("main")).to_contain_text("4개 중 4개 있음")
    expect(page.locator(".checked")).to_contain_text("이렇게 고치세요")
    page.screenshot(path=shots / "ko-learner-self-check.png", full_page=True)
    put(practicum, "good", tmp_path)
    tab_to(page, "다시 점검하기")
    page.keyboard.press("Enter")
    expect(found).to_contain_text("지금 점검할 수 있는 항목은 모두 맞습니다.", timeout=120_000)
    expect(found).to_be_focused()

    # Hand in, and read the receipt.
    tab_to(page, "제출하기")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/receipts/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("접수증")
    expect(page.get_by_role("status").filter(has_text="제출이 접수되었습니다.")).to_be_visible()
    shown = page.locator("main").inner_text()
    lab = next(lab for lab in state_of(practicum, COURSE, LEARNER).labs if lab.lab.lab_id == LAB)
    assert lab.latest is not None
    assert lab.latest.id in shown
    assert lab.latest.sha256 in shown
    assert {"proposal.md", "facts.json", "ai_disclosure.md", "evidence.json"} <= {
        file.path for file in lab.latest.manifest.files
    }
    tab_to(page, "내 화면으로")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{portal}/learn/{COURSE}")
    expect(page.locator("main")).to_contain_text("결과를 기다리는 실습")
    context.close()
