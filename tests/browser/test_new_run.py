"""An office makes a course run on a running Practicum, and a learner of it opens its lab: no restart, no file.

The pictures are those of the office's tutorial.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from import_files import xlsx_file
from playwright.sync_api import Browser, expect
from running import Installation
from walking import Person, visitors

pytestmark = [pytest.mark.browser, pytest.mark.long]
#: What the portal says, and what the office writes, by language.
WORDS = {
    "ko": {"new": "과정 개설", "make": "과정 개설", "look": "만들어질 내용 확인", "planned": "이렇게 만들어집니다", "made": "과정을 개설했습니다.", "out": "배포함",
           "roster": "명단 가져오기", "changes": "무엇이 바뀌는지 보기", "apply": "3건 적용", "applied": "3건을 적용했습니다.",
           "name": "강사 지정", "record": "역할 부여하기", "reason": "2회차 강사 배정", "title": "인터뷰 1차 편집"},
    "en": {"new": "Make a course run", "make": "Make the course run", "look": "Look over what would be made", "planned": "This would be made", "made": "The course run is made.",
           "out": "Handed out", "roster": "Import the roster", "changes": "Show what would change", "apply": "Apply 3 changes",
           "applied": "Applied: 3 changes.", "name": "Name the instructors", "record": "Record the role",
           "reason": "teaches the second round", "title": "Rough cut"},
}  # fmt: skip
LEARNERS = {"ko": ("오하람", "문가온", "배이든"), "en": ("Sam Reed", "Noor Aziz", "Lena Park")}


@pytest.fixture
def enter(practicum: Installation, browser: Browser, tmp_path: Path) -> Iterator[Callable[[str, str], Person]]:
    with visitors(practicum, browser, tmp_path / "shots") as log_in:
        yield log_in


def make_the_run(office: Person, run: str) -> None:
    """Fill in the form, look over what would be made, make it, and wait until its labs are handed out."""
    page, words, today = office.page, WORDS[office.lang], datetime.now(ZoneInfo("Asia/Seoul")).date()
    office.go("office/demo")
    office.shot("office-runs")
    page.get_by_role("link", name=words["new"], exact=True).click()
    page.locator("#course").select_option("ai-work-ko")
    page.locator("#run").fill(run)
    page.locator("#title_ko").fill("가을 2회차")
    page.locator("#title_en").fill("Autumn 2")
    page.locator("#programme").select_option(index=1)
    page.locator("#lang").select_option(office.lang)
    page.locator("#place").fill("5층 실습실" if office.lang == "ko" else "Lab 5")
    page.locator("#starts_on").fill(today.isoformat())
    page.locator("#ends_on").fill((today + timedelta(days=30)).isoformat())
    page.locator("select[name=lab]").filter(has=page.locator("option[value='rough-cut:required']")).select_option(
        "rough-cut:required"
    )
    page.get_by_role("button", name=words["look"]).click()
    expect(page.get_by_text(words["planned"])).to_be_visible()
    office.shot("office-planned", "#planned")
    office.press(words["make"])
    expect(page.get_by_text(words["made"])).to_be_visible()
    expect(page.locator("#preparing").get_by_text(words["out"], exact=True)).to_be_visible(timeout=240_000)
    expect(page.locator("#preparing progress")).to_have_count(0, timeout=60_000)
    office.shot("office-labs")


def bring_people(office: Person, run: str) -> None:
    """Import the roster from a spreadsheet, and name the instructor."""
    page, words, names = office.page, WORDS[office.lang], LEARNERS[office.lang]
    page.get_by_role("link", name=words["roster"]).click()
    rows = [("훈련생번호", "이름"), *((f"{run}-{number}", name) for number, name in enumerate(names, 1))]
    page.set_input_files(
        "#roster-file", {"name": "roster.xlsx", "mimeType": "application/octet-stream", "buffer": xlsx_file(rows)}
    )
    page.locator("section:has(#roster-title)").get_by_role("button", name=words["changes"]).click()
    expect(page.get_by_role("cell", name=re.compile(names[2])).first).to_be_visible()
    office.shot("office-import")
    office.press(words["apply"])
    expect(page.get_by_text(words["applied"])).to_be_visible()

    office.go(f"office/demo/staff/roles?run={run}")
    page.locator("#login").fill("minsu")
    page.locator("#name").fill("정민수")
    page.locator("#role").select_option("instructor")
    page.locator("#reason").fill(words["reason"])
    office.press(words["record"])
    expect(page.locator(".notice.good[role=status]")).to_be_visible()
    office.shot("office-roles")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("lang", "run"), [("ko", "autumn-ko"), ("en", "autumn-en")])
def test_a_run_made_on_a_page_works(enter: Callable[[str, str], Person], lang: str, run: str) -> None:
    office, words = enter("jiwon", lang), WORDS[lang]
    make_the_run(office, run)
    bring_people(office, run)
    office.go(f"office/demo/{run}")
    for name in LEARNERS[lang]:
        expect(office.page.get_by_role("link", name=name)).to_be_visible()

    learner = enter(f"demo-{run}-1", lang)
    assert f"/learn/{run}" in learner.page.url
    learner.go(f"learn/{run}/open/rough-cut")
    learner.page.wait_for_url(re.compile(rf"/user/{learner.login}/lab"), timeout=120_000)
    learner.page.locator(".jp-Notebook").wait_for(timeout=120_000)
    expect(learner.page.locator(".jp-Notebook h1").first).to_contain_text(words["title"], timeout=60_000)
    teacher = enter("minsu", lang)
    teacher.go(f"class/{run}")
    expect(teacher.page.get_by_role("row", name=re.compile(LEARNERS[lang][0]))).to_be_visible()
