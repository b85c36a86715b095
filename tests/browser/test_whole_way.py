"""The whole way in a real browser: a learner, an instructor and the institution, in Korean once and in English once.

The pictures are those of the README and of the tutorials of learners and instructors.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import nbformat
import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect
from running import Installation, token_of
from sqlalchemy import create_engine
from walking import PASSWORD, Person, visitors

from grader.records import journal
from grader.records.db import reading
from grader.records.state import LearnerState, learner_state
from labs.build import build_notebook
from labs.catalog import find_lab

pytestmark = pytest.mark.browser
LAB = "rough-cut"
#: What a person judges.
(TASK,) = (criterion for criterion in find_lab(LAB).lab.criteria if criterion.review)
#: What the portal says, by language.
WORDS = {
    "ko": {"check_in": "입실하기", "check_out": "퇴실하기", "hand_in": "제출하기", "grade": "채점하기", "release": "피드백 공개", "completed": "수료",
           "ai_off": "AI 끄기", "ai_on": "AI 켜기", "check": "지금 점검하기", "announce": "공지하기", "told": "내일은 헤드폰을 가져오세요.",
           "comment": "수업료와 걸리는 시간이 끊기지 않고 이어집니다. 첫 문장 앞의 숨만 조금 줄여 보세요."},
    "en": {"check_in": "Check in", "check_out": "Check out", "hand_in": "Hand in now", "grade": "Grade", "release": "Release feedback",
           "completed": "completed", "ai_off": "Switch AI off now", "ai_on": "Switch AI on now",
           "check": "Check now", "announce": "Announce", "told": "Bring headphones tomorrow.",
           "comment": "Price and time follow one another without a jolt. Only the breath before the first sentence could be shorter."},
}  # fmt: skip
#: Whether the notebook fills its window, every text cell in sight is drawn, and the kernel says that it has nothing to do:
#: JupyterLab draws one cell after the other.
DRAWN = """() => {
  const window = document.querySelector('.jp-NotebookPanel').getBoundingClientRect();
  const below = cell => cell.getBoundingClientRect().bottom;
  const cells = [...document.querySelectorAll('.jp-Notebook .jp-Cell')];
  const seen = cells.filter(cell => cell.matches('.jp-MarkdownCell') && cell.getBoundingClientRect().top < window.bottom);
  return cells.some(cell => below(cell) > window.bottom - 60)
    && seen.every(cell => cell.querySelector('.jp-MarkdownOutput')?.innerText.trim())
    && /대기|Idle/.test(document.querySelector('#jp-main-statusbar').innerText);
}"""


@pytest.fixture
def enter(practicum: Installation, browser: Browser, tmp_path: Path) -> Iterator[Callable[[str, str], Person]]:
    with visitors(practicum, browser, tmp_path / "shots") as log_in:
        yield log_in


def state_of(site: Installation, course: str, login: str) -> LearnerState:
    engine = create_engine(f"sqlite:///{site.data / 'records' / 'records.db'}")
    with reading(engine) as session:
        state = learner_state(session, course, login, datetime.now(UTC))
        assert journal.verify(session) is None
    engine.dispose()
    assert state is not None
    return state


def code_on_screen(teacher: Person, course: str) -> str:
    teacher.go(f"class/{course}/code")
    return "".join(re.findall(r"\d", teacher.page.locator(".code").inner_text()))


def check(learner: Person, teacher: Person, course: str, button: str) -> None:
    learner.go(f"learn/{course}")
    learner.page.get_by_role("textbox").fill(code_on_screen(teacher, course))
    learner.press(WORDS[learner.lang][button])
    learner.page.wait_for_load_state("networkidle")


def open_lab(learner: Person, course: str) -> None:
    """Press Open: the server starts, the lab is fetched, its notebook opens."""
    learner.go(f"learn/{course}/open/{LAB}")
    learner.page.wait_for_url(re.compile(rf"/user/{learner.login}/lab"), timeout=120_000)


def until_idle(page: Page) -> None:
    """Wait until the notebook stands and its kernel has nothing to do."""
    page.locator(".jp-Notebook").wait_for(timeout=120_000)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(timeout=120_000)


def run_all(page: Page) -> None:
    """Choose Run All Cells until the first cell has its number: pressed before the kernel listens, it runs nothing."""
    for _ in range(5):
        page.locator(".lm-MenuBar-item").nth(3).click()
        page.locator("li[data-command='runmenu:run-all']").click()
        try:
            page.locator(".jp-CodeCell .jp-InputPrompt", has_text=re.compile(r"\[(\*|1)\]")).first.wait_for(
                timeout=10_000
            )
        except TimeoutError:
            continue
        return
    raise AssertionError("the notebook does not run")


def do_the_lab(learner: Person) -> Path:
    """Fill in the reference answers as a learner would type them, and run every cell with the AI behind the gateway."""
    work = learner.site.data / "homes" / learner.login / LAB
    until_idle(learner.page)
    learner.page.wait_for_function(DRAWN, timeout=60_000)
    learner.shot("learner-lab")
    nbformat.write(build_notebook(find_lab(LAB), "ko" if learner.lang == "ko" else "en"), work / f"{LAB}.ipynb")
    learner.page.goto(f"{learner.site.url}/user/{learner.login}/lab/tree/{LAB}/{LAB}.ipynb")
    until_idle(learner.page)
    run_all(learner.page)
    deadline = time.monotonic() + 600
    while not (work / "ai_disclosure.md").is_file() and time.monotonic() < deadline:
        learner.page.wait_for_timeout(500)
    until_idle(learner.page)
    form = learner.page.locator(
        ".jp-OutputArea-output:has(button:has-text('검토 저장'), button:has-text('Save my review'))"
    )
    for _ in range(40):
        if form.count():
            break
        learner.page.mouse.move(700, 400)
        learner.page.mouse.wheel(0, 500)
        learner.page.wait_for_timeout(200)
    form.first.scroll_into_view_if_needed()
    learner.shot("learner-review")
    learner.page.keyboard.press("Control+s")
    return work


def announce(teacher: Person, learner: Person, course: str) -> None:
    """What the instructor writes stands on the learner's page."""
    told = WORDS[teacher.lang]["told"]
    teacher.go(f"class/{course}/announcements")
    teacher.page.fill("#text", told)
    teacher.press(WORDS[teacher.lang]["announce"])
    teacher.page.locator(".notice.good").wait_for()
    teacher.shot("instructor-announcement")
    learner.go(f"learn/{course}")
    expect(learner.page.locator("main")).to_contain_text(told)


def check_and_hand_in(learner: Person, course: str) -> None:
    """Check the work on the page before handing in, then hand it in."""
    words = WORDS[learner.lang]
    learner.go(f"learn/{course}/hand-in/{LAB}")
    learner.press(words["check"])
    expect(learner.page.locator("#checked")).to_be_visible(timeout=150_000)
    learner.shot("learner-check", "section:has(#check-title)")
    learner.press(words["hand_in"])
    learner.page.wait_for_url(re.compile("/receipts/"))
    learner.shot("learner-receipt")


def look_at_the_assignment_list(learner: Person) -> None:
    """nbgrader's own panel shows what is handed out, and what was handed in, over the HTTP exchange."""
    page = learner.page
    page.goto(f"{learner.site.url}/user/{learner.login}/lab")
    page.locator(".lm-MenuBar-itemLabel", has_text="Nbgrader").click()
    page.locator("li[data-command='nbgrader:open-assignment-list']").click()
    page.locator("#submitted_assignments_list").get_by_text(LAB).first.wait_for()
    page.locator("#released_assignments_list").get_by_text("book-proposal").first.wait_for()


def judge(teacher: Person, course: str) -> None:
    """Give the manual criterion its best level at the review desk; nbgrader's formgrader, in the instructor's server, has the same."""
    page, here = teacher.page, f"{teacher.site.url}/services/portal/class/{course}/labs/{LAB}"
    page.goto(f"{here}/desk?show=waiting")
    page.locator("main tbody a").first.click()
    form = page.locator("form.judge").first
    form.get_by_role("radio").first.check()
    form.locator("textarea").fill(WORDS[teacher.lang]["comment"])
    form.get_by_role("button").last.click()
    expect(form.locator(".standing")).to_contain_text(f"{TASK.points:g} / {TASK.points:g}")
    page.wait_for_timeout(1000)
    teacher.shot("instructor-desk")
    page.goto(here)
    page.locator("a[href*='formgrader']").click()
    page.wait_for_url(re.compile("/formgrader/gradebook/"), timeout=120_000)
    page.locator("a[href*='/formgrader/submissions/']").first.click()
    page.wait_for_url(re.compile("/formgrader/submissions/"))
    expect(page.locator(f"[id='{TASK.id}']")).to_have_value(f"{TASK.points:g}")
    page.goto(here)


def look_at_the_ai_use(learner: Person, teacher: Person, course: str, work: Path) -> None:
    """Each AI answer of the evidence has its receipt; the class's and the learner's pages show it, and the exam switch works."""
    named = set(re.findall(r"rcpt_[0-9a-f]{24}", (work / "evidence.json").read_text("utf-8")))
    learner.go(f"learn/{course}/ai")
    links = learner.page.locator("a[href*='/ai/receipts/rcpt_']")
    shown = {link.get_attribute("href") or "" for link in links.all()}
    assert named
    assert all(any(receipt in href for href in shown) for receipt in named)
    links.first.click()
    learner.page.locator("main").get_by_text(re.compile("rcpt_[0-9a-f]{24}")).first.wait_for(state="attached")
    teacher.go(f"class/{course}/ai")
    teacher.page.locator(f"a[href*='receipts?lab={LAB}']").first.wait_for()
    for switch, off in (("ai_off", True), ("ai_on", False)):
        teacher.go(f"class/{course}/ai/switch?to={'off' if off else 'on'}")
        teacher.press(WORDS[teacher.lang][switch])
        teacher.page.wait_for_load_state("networkidle")
        budget = httpx.get(
            f"http://127.0.0.1:{int(learner.site.url.rpartition(':')[2]) + 20}/{course}/{LAB}/budget",
            headers={"Authorization": f"Bearer {token_of(learner.site, learner.login)}"},
        )
        assert budget.json()["ai"] is not off


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("lang", "course", "login"),
    [("ko", "ai-work-ko", "haneul"), pytest.param("en", "ai-work-en", "alex", marks=pytest.mark.long)],
)
def test_the_whole_way(
    practicum: Installation, enter: Callable[[str, str], Person], lang: str, course: str, login: str
) -> None:
    learner, teacher = enter(login, lang), enter("minsu", lang)
    words = WORDS[lang]
    teacher.go(f"class/{course}/code")
    teacher.shot("instructor-code")

    # Check in with the code on the screen; a wrong one is refused in a sentence.
    learner.go(f"learn/{course}")
    learner.shot("learner-today")
    learner.page.get_by_role("textbox").fill("000000")
    learner.press(words["check_in"])
    expect(learner.page.get_by_role("alert")).to_be_visible()
    check(learner, teacher, course, "check_in")
    expect(learner.page.get_by_role("button", name=words["check_out"])).to_be_visible()
    learner.shot("learner-checked-in", "section:has(#check-title)")
    teacher.go(f"class/{course}")
    teacher.shot("instructor-roster", "main .scroll.card")
    announce(teacher, learner, course)

    # Work on the lab, with AI, and hand in.
    open_lab(learner, course)
    work = do_the_lab(learner)
    names = {path.name for path in work.iterdir()}
    assert {"final.mp4", f"captions.{lang}.srt", "cutlist.json", "ai_disclosure.md", "evidence.json"} <= names
    check_and_hand_in(learner, course)
    look_at_the_assignment_list(learner)
    look_at_the_ai_use(learner, teacher, course, work)
    check(learner, teacher, course, "check_out")

    # Grade, review by hand, release feedback.
    teacher.go(f"class/{course}/labs/{LAB}")
    teacher.press(words["grade"])
    teacher.page.locator(".notice.good").wait_for(timeout=180_000)
    graded = state_of(practicum, course, login).labs[0]
    assert graded.step == "review"
    assert graded.grade is not None
    assert graded.grade.payload["points"] == graded.grade.payload["max_points"] - TASK.points, graded.grade.payload
    judge(teacher, course)
    teacher.press(words["release"])
    teacher.page.locator(".notice.good").wait_for(timeout=180_000)
    assert state_of(practicum, course, login).decision.outcome != "completed"  # a day is still missing

    # Yesterday was not recorded: the instructor corrects it, with a reason.
    yesterday = state_of(practicum, course, login).attendance.verdicts[-2].date.isoformat()
    teacher.go(f"class/{course}/correct?learner={login}&day={yesterday}")
    teacher.page.select_option("#day", yesterday)
    teacher.page.fill("#check_in", "09:00")
    teacher.page.fill("#check_out", "18:00")
    teacher.page.fill(
        "#reason", "실습실 단말기 점검으로 늦게 기록됨" if lang == "ko" else "recorded late: the terminal was serviced"
    )
    teacher.shot("instructor-correction", "section:has(#correct-title)")
    teacher.page.locator("main form button[type=submit]").click()
    teacher.page.wait_for_load_state("networkidle")

    # The learner reads the feedback; the institution sees the decision and what it rests on.
    learner.go(f"learn/{course}")
    learner.page.locator("a[href*='/feedback/']").first.click()
    learner.page.locator("details.onpaper summary").first.click()  # what is all right is folded
    expect(learner.page.locator("details.onpaper .finding.ok").first).to_be_visible()
    learner.shot("learner-feedback")
    office = enter("jiwon", lang)
    office.go(f"office/demo/{course}")
    office.shot("institution-decisions", "ul.labs")
    office.go("office/demo/ai/use")
    expect(office.page.locator("main")).to_contain_text("built-in")
    decision = state_of(practicum, course, login).decision
    assert decision.outcome == "completed", decision
    assert {requirement.id for requirement in decision.requirements} == {"attendance", f"lab:{LAB}"}
    assert len(decision.rests_on) >= 6


def test_on_a_phone_nothing_scrolls_sideways(practicum: Installation, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="ko-KR")
    page = context.new_page()
    page.goto(practicum.url)
    page.fill("#username_input", "doyun")
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url(re.compile("/services/portal/learn"))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()


def test_a_learner_reaches_nothing_of_others(practicum: Installation, enter: Callable[[str, str], Person]) -> None:
    learner = enter("seoyeon", "ko")
    for path in ("class/ai-work-ko", "office/demo", "learn/ai-work-en", "class/ai-work-ko/code"):
        answer = learner.page.request.get(f"{practicum.url}/services/portal/{path}")
        assert answer.status == 403, path
    other = learner.page.request.get(f"{practicum.url}/user/haneul/api/contents")
    assert other.status in (403, 404, 424)


def test_ctrl_c_leaves_nothing_running(practicum: Installation) -> None:
    """Last of all: stop it, and look for anything that still names its folder."""
    assert practicum.stop() == 0
    marker = str(practicum.data).encode()
    left = [p for p in Path("/proc").glob("[0-9]*") if int(p.name) != os.getpid() and marker in _command(p)]
    assert left == []
    shutil.rmtree(practicum.data, ignore_errors=True)


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    except OSError:
        return b""
