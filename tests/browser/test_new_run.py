"""An office makes a course run on a running Practicum, and a learner of it opens its lab: no restart, no file."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect
from running import Installation
from test_class_grading import signed_in

pytestmark = pytest.mark.browser


def test_a_run_made_on_a_page_works(browser: Browser, practicum: Installation) -> None:
    today = datetime.now(ZoneInfo("Asia/Seoul")).date()
    page = signed_in(browser, practicum, "jiwon")
    page.goto(f"{practicum.url}/services/portal/lang/ko?next=/services/portal/")
    page.get_by_role("link", name="과정 개설", exact=True).click()
    page.get_by_label("과정", exact=True).select_option("ai-work-ko")
    page.locator("#run").fill("autumn-2")
    page.locator("#title_ko").fill("가을 2회차")
    page.locator("#title_en").fill("Autumn 2")
    page.locator("#programme").select_option(index=1)
    page.locator("#lang").select_option("en")
    page.locator("#place").fill("5층 실습실")
    page.locator("#starts_on").fill(today.isoformat())
    page.locator("#ends_on").fill((today + timedelta(days=30)).isoformat())
    page.locator("select[name=lab]").filter(has=page.locator("option[value='rough-cut:required']")).select_option(
        "rough-cut:required"
    )
    page.get_by_role("button", name="만들어질 내용 확인").click()
    expect(page.get_by_text("이렇게 만들어집니다")).to_be_visible()
    page.get_by_role("button", name="과정 개설", exact=True).click()
    expect(page.get_by_text("과정을 개설했습니다.")).to_be_visible()
    expect(page.locator("#preparing").get_by_text("배포함", exact=True)).to_be_visible(timeout=120_000)

    page.get_by_role("link", name="강사 지정").click()
    for login, name, role in (("newhand", "새훈련생", "learner"), ("minsu", "정민수", "instructor")):
        page.locator("#login").fill(login)
        page.locator("#name").fill(name)
        page.locator("#role").select_option(role)
        page.locator("#give-title ~ form #run").select_option("autumn-2")
        page.locator("#reason").fill("2회차 배정")
        page.get_by_role("button", name="역할 기록").click()
        expect(page.locator(".notice.good[role=status]")).to_be_visible()

    learner = signed_in(browser, practicum, "newhand")
    assert "/learn/autumn-2" in learner.url
    learner.goto(f"{practicum.url}/services/portal/learn/autumn-2/open/rough-cut")
    learner.wait_for_url(re.compile("/user/newhand/lab"), timeout=120_000)
    learner.locator(".jp-Notebook").wait_for(timeout=120_000)
    expect(learner.locator(".jp-Notebook h1").first).to_contain_text("Rough cut", timeout=60_000)
