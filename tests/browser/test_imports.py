"""The office imports a roster and official attendance on a running Practicum; who was imported can log in."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from import_files import Rows, csv_file, xlsx_file
from playwright.sync_api import Browser, Page, expect
from running import Installation
from test_class_grading import signed_in

pytestmark = pytest.mark.browser
COURSE = "ai-work-ko"


def upload(page: Page, site: Installation, kind: str, name: str, data: bytes) -> None:
    page.goto(f"{site.url}/services/portal/office/demo/{COURSE}/import")
    page.set_input_files(f"#{kind}-file", {"name": name, "mimeType": "application/octet-stream", "buffer": data})
    page.locator(f"section:has(#{kind}-title) button").click()
    page.wait_for_load_state()


def test_the_office_imports_a_roster_and_official_attendance(
    browser: Browser, practicum: Installation, tmp_path: Path
) -> None:
    page = signed_in(browser, practicum, "jiwon")
    page.get_by_role("link", name="영상·디자인·출판 실무자를 위한 AI 활용", exact=True).click()
    page.get_by_role("link", name="가져오기", exact=True).click()
    with page.expect_download() as given:
        page.get_by_role("link", name="XLSX 명단").click()
    assert given.value.suggested_filename == "roster.xlsx"

    roster: Rows = [("훈련생번호", "성함"), ("T1", "김하늘"), ("T2", "이도윤"), ("T3", "박서연"), ("T4", "새사람")]
    upload(page, practicum, "roster", "명단.csv", csv_file(roster, "cp949"))
    expect(page.locator("#problem")).to_contain_text("필요한 열이 없습니다: 이름")
    page.get_by_label("성함").select_option("name")
    page.get_by_role("button", name="이 열로 다시 보기").click()
    expect(page.get_by_text("demo-t4")).to_be_visible()
    page.get_by_role("button", name="4건 적용").click()
    expect(page.get_by_text("4건을 적용했습니다.")).to_be_visible()
    assert [path for path in (practicum.data / "imports").rglob("*") if path.is_file()] == []

    day = datetime.now(ZoneInfo("Asia/Seoul")).date() - timedelta(days=1)
    attendance: Rows = [("atendDe", "trneeCstmrId", "atendSttusNm", "lpsilTime", "levromTime")]
    attendance = [
        *attendance,
        (f"{day:%Y%m%d}", "T2", "결석", "0000", "0000"),
        (f"{day:%Y%m%d}", "T4", "출석", "0900", "1800"),
    ]
    upload(page, practicum, "attendance", "출결.xlsx", xlsx_file(attendance))
    page.get_by_role("button", name="2건 적용").click()
    expect(page.get_by_text("2건을 적용했습니다.")).to_be_visible()
    page.get_by_role("link", name="공식 출결과 다른 날").click()
    expect(page.get_by_role("link", name="이도윤")).to_be_visible()
    expect(page.get_by_role("link", name="새사람")).to_be_visible()

    learner = signed_in(browser, practicum, "demo-t4")
    assert re.search(f"/learn/{COURSE}", learner.url)
