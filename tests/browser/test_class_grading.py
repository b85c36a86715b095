"""A class of twenty: one button, the desk, feedback that a learner reads. On real parts, in a real browser."""

from __future__ import annotations

import io
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from running import Installation

from grader.records import work
from grader.records.blobs import BlobStore, manifest_of
from grader.records.db import open_database, writing
from grader.records.models import Enrolment, Person
from grader.records.state import find_course
from labs.catalog import find_lab
from publishing.reference import build

pytestmark = [pytest.mark.browser, pytest.mark.long]
COURSE, LAB = "ai-work-ko", "book-proposal"
RECIPES = ("good", "raw_ai", "fail-parts", "fail-facts", "fail-comparables")
SURNAMES, NAMES = "김이박최정강조윤장임", ("서준", "지우")


@pytest.fixture(scope="module")
def handed_in(practicum: Installation, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Twenty submissions, each of one of the lab's references."""
    folder, lab = tmp_path_factory.mktemp("references"), find_lab(LAB)
    page = practicum.data / "courses" / COURSE / "release" / LAB / f"{LAB}.ipynb"
    for recipe in RECIPES:
        build(lab.folder / "reference" / f"{recipe}.yaml", lab.folder, folder / recipe, "ko")
        (folder / recipe / page.name).write_bytes(page.read_bytes())
    blobs = BlobStore(practicum.data / "records" / "blobs")
    logins = ["haneul", *(f"learner{number:02}" for number in range(19))]
    engine = open_database(f"sqlite:///{practicum.data / 'records' / 'records.db'}")
    with writing(engine) as session:
        run = find_course(session, COURSE)
        for number, login in enumerate(logins):
            if number:
                session.add(Person(login=login, name=SURNAMES[number % 10] + NAMES[number // 10]))
                session.flush()
                session.add(Enrolment(course_id=COURSE, login=login))
                session.flush()
            made = folder / RECIPES[number % len(RECIPES)]
            files = [
                blobs.put(io.BytesIO(f.read_bytes()), str(f.relative_to(made)))
                for f in sorted(made.rglob("*"))
                if f.is_file()
            ]
            work.submit(session, run, LAB, manifest_of(files), learner=login, now=datetime.now(UTC))
    engine.dispose()
    return logins


def signed_in(browser: Browser, site: Installation, login: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}, locale="ko-KR").new_page()
    page.set_default_timeout(60_000)
    page.goto(site.url)
    page.fill("#username_input", login)
    page.fill("#password_input", "practicum-demo")
    page.click("#login_submit")
    page.wait_for_url(re.compile("/services/portal/(learn|class|office)"))
    return page


def test_twenty_submissions_one_button_the_desk_and_feedback(
    practicum: Installation, browser: Browser, handed_in: list[str], tmp_path: Path
) -> None:
    shots = Path(os.environ.get("PRACTICUM_SHOTS", tmp_path))
    shots.mkdir(parents=True, exist_ok=True)
    teacher = signed_in(browser, practicum, "minsu")
    teacher.goto(f"{practicum.url}/services/portal/class/{COURSE}/labs/{LAB}")
    teacher.get_by_role("button", name="채점하기", exact=True).click()
    expect(teacher.locator("#run progress")).to_be_visible()
    teacher.screenshot(path=shots / "grading-runs.png", full_page=True)
    expect(teacher.locator("#run .notice.good")).to_contain_text("20", timeout=120_000)
    rows = teacher.locator("#results tbody tr").filter(has_text=re.compile(r"\d+(\.\d+)? / 100"))
    expect(rows).to_have_count(20)
    teacher.screenshot(path=shots / "graded.png", full_page=True)

    teacher.get_by_role("link", name="직접 채점", exact=True).click()
    teacher.screenshot(path=shots / "desk-queue.png", full_page=True)
    teacher.get_by_role("link", name=re.compile("김하늘")).first.click()
    teacher.get_by_role("radio").first.check()
    teacher.locator("textarea").first.fill("누구를 위한 책인지 첫 문장에서 바로 보입니다.")
    teacher.locator("textarea").first.blur()
    expect(teacher.get_by_role("status").filter(has_text="저장됨")).to_have_count(1)
    teacher.wait_for_timeout(1500)
    teacher.screenshot(path=shots / "desk.png", full_page=True)

    teacher.goto(f"{practicum.url}/services/portal/class/{COURSE}/labs/{LAB}")
    teacher.get_by_role("button", name="피드백 공개", exact=True).click()
    expect(teacher.locator("#run .notice.good")).to_contain_text("20", timeout=180_000)

    learner = signed_in(browser, practicum, "haneul")
    learner.get_by_role("link", name=re.compile("피드백")).first.click()
    expect(learner.get_by_text("누구를 위한 책인지 첫 문장에서 바로 보입니다.")).to_be_visible()
    learner.screenshot(path=shots / "feedback.png", full_page=True)
