"""A learner's day: checking in, the labs, receipts, feedback, what is left of the AI budget."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from played_gateway import gateway
from test_portal_world import COURSE, FIRST, ORIGIN, PREFIX, World, seeded_records, world

from grader.feedback import CriterionFeedback
from grader.records import attend, enrolments, exemptions
from grader.records.db import writing
from grader.records.models import CourseLab
from grader.records.state import find_course
from labs.checks import Finding
from labs.texts import Text

LEARN = f"learn/{COURSE}"


def test_checking_in_and_out(world: World) -> None:
    browser = world.browser("mina")
    answer = world.post(browser, f"{LEARN}/check", "mina", code=world.code())
    assert answer.headers["location"] == f"{PREFIX}{LEARN}?done=in"
    page = browser.get(answer.headers["location"]).text
    assert "입실 처리되었습니다." in page
    assert "퇴실·외출 코드" in page
    assert "10:00" in page, "the time of the institution's zone"
    world.now += timedelta(hours=8)
    answer = world.post(browser, f"{LEARN}/check", "mina", code=world.code())
    assert answer.headers["location"].endswith("?done=out")
    page = browser.get(answer.headers["location"]).text
    assert "오늘 입실과 퇴실이 모두 처리되었습니다." in page
    assert 'name="code"' not in page
    assert (world.events(attend.CHECKED_IN), world.events(attend.CHECKED_OUT)) == (1, 1)


def test_a_wrong_or_expired_code_says_what_to_do_and_keeps_what_was_typed(world: World) -> None:
    browser, expired = world.browser("mina"), world.code()
    world.now += timedelta(seconds=90)
    for typed in (expired, "", "abc", '"><b>', "１２３４５６"):
        answer = world.post(browser, f"{LEARN}/check", "mina", code=typed)
        assert answer.status_code == 422
        assert "코드가 맞지 않습니다." in answer.text
        assert 'role="alert"' in answer.text
    assert '"><b>' not in answer.text
    assert 'value="１２３４５６"' in answer.text
    sixth = world.post(browser, f"{LEARN}/check", "mina", code=world.code())
    assert "5분 뒤에" in sixth.text, "guessing is stopped, even with the right code"
    assert world.events(attend.CHECKED_IN) == 0


def test_the_language_can_be_changed_where_a_form_was_refused(world: World) -> None:
    browser = world.browser("mina")
    csrf = world.site.seals.csrf(world.session)
    for came_from, back in (
        (f"{ORIGIN}{PREFIX}{LEARN}/door?code=1", f"{PREFIX}{LEARN}/door?code=1"),
        ("http://[evil", PREFIX),
        ("https://evil.test//evil.test/x", PREFIX),
        ("", PREFIX),
    ):
        headers = {"origin": ORIGIN, "referer": came_from}
        page = browser.post(f"{PREFIX}{LEARN}/check", data={"csrf": csrf, "code": "1"}, headers=headers)
        assert page.status_code == 422
        assert f'/lang/en?next={quote(back)}"' in page.text, came_from


def test_spaces_in_the_code_do_no_harm(world: World) -> None:
    code = world.code()
    assert (
        world.post(world.browser("mina"), f"{LEARN}/check", "mina", code=f" {code[:3]} {code[3:]}").status_code == 303
    )


def test_there_is_no_check_in_without_a_training_day(world: World) -> None:
    world.now = datetime(2026, 7, 12, 1, 0, tzinfo=UTC)
    browser = world.browser("mina")
    assert "오늘은 훈련일이 아닙니다." in browser.get(PREFIX + LEARN).text
    assert world.post(browser, f"{LEARN}/check", "mina", code="123456").status_code == 422


def test_a_learner_of_another_course_cannot_check_in(world: World) -> None:
    assert world.post(world.browser("both"), f"{LEARN}/check", "both", code=world.code()).status_code == 403


def test_the_next_lab_and_each_lab_with_its_state(world: World) -> None:
    browser = world.browser("mina")
    assert "다음 실습" not in browser.get(PREFIX + LEARN).text
    world.release()
    page = browser.get(PREFIX + LEARN).text
    assert f'href="{PREFIX}{LEARN}/open/rough-cut"' in page
    assert "마감 7월 11일 (토) 10:00" in page
    assert "제출 전" in page
    first = world.submit()
    world.now += timedelta(minutes=5)
    second = world.submit()
    page = browser.get(PREFIX + LEARN).text
    assert "제출 완료, 채점 대기" in page
    assert "접수증 2건" in page
    assert page.index(second) < page.index(first), "the one that counts comes first"
    world.grade(second, 72.5, final=False)
    assert "강사 채점 대기" in browser.get(PREFIX + LEARN).text
    world.grade(second, 82.5)
    world.feedback(second)
    page = browser.get(PREFIX + LEARN).text
    assert "82.5 / 100" in page
    assert f"{PREFIX}{LEARN}/feedback/{second}" in page


def test_a_lab_without_a_pass_mark_shows_none(world: World) -> None:
    world.release()
    browser = world.browser("mina")
    shown = browser.get(PREFIX + LEARN).text.count("통과 기준")
    with writing(world.engine) as session:
        session.get_one(CourseLab, (COURSE, "rough-cut")).pass_percent = 0
    assert browser.get(PREFIX + LEARN).text.count("통과 기준") == shown - 1


def test_a_lab_past_its_due_time_says_so(world: World) -> None:
    world.release()
    world.now += timedelta(days=4)
    assert "마감 지남" in world.browser("mina").get(PREFIX + LEARN).text


def test_progress_says_what_is_left(world: World) -> None:
    browser, english = world.browser("mina"), world.browser("mina", "en")
    for offset in (0, 1):
        world.attended("mina", FIRST + timedelta(days=offset))
    assert "실습 2개, 앞으로 결석은 최대 1일까지" in browser.get(PREFIX + LEARN).text
    assert "2 more labs, at most 1 more absence<" in english.get(PREFIX + LEARN).text
    assert "남은 훈련일로는 출석 요건을 채울 수 없습니다." in world.browser("jun").get(PREFIX + LEARN).text
    world.now += timedelta(days=2)
    for offset in (2, 3):
        world.attended("mina", FIRST + timedelta(days=offset))
    for lab in ("rough-cut", "captions"):
        world.release(lab)
        world.grade(world.submit(lab=lab))
    assert "수료 요건을 모두 충족했습니다." in browser.get(PREFIX + LEARN).text


def test_progress_names_what_waits_for_its_grade_and_shows_bars_with_their_numbers(world: World) -> None:
    browser, english = world.browser("mina"), world.browser("mina", "en")
    for offset in (0, 1):
        world.attended("mina", FIRST + timedelta(days=offset))
    world.release()
    world.submit()
    page = browser.get(PREFIX + LEARN).text
    assert "실습 1개, 채점 대기 1개, 앞으로 결석은 최대 1일까지" in page
    assert '<progress max="4" value="2" aria-label="인정된 훈련일: 2일 / 필요 4일">' in page
    assert '<progress max="2" value="0" aria-label="통과한 필수 실습: 0개 / 전체 2개">' in page
    assert "1 more lab, 1 lab waits for its grade, at most 1 more absence" in english.get(PREFIX + LEARN).text
    world.now += timedelta(days=1)
    assert "앞으로는 하루도 결석하면 안 됩니다" in browser.get(PREFIX + LEARN).text


def test_today_says_where_when_and_which_day_it_is_or_when_the_next_one_is(world: World) -> None:
    browser = world.browser("mina")
    page = browser.get(PREFIX + LEARN).text
    for told in ("301호", "09:00–18:00", "훈련 3일째 (전체 5일)"):
        assert told in page
    world.now = datetime(2026, 7, 5, 1, 0, tzinfo=UTC)
    assert "다음 훈련일은 7월 6일 (월) 09:00–18:00입니다." in browser.get(PREFIX + LEARN).text


def test_labs_stand_under_what_is_to_be_done_with_them(world: World) -> None:
    browser = world.browser("mina")
    world.release()
    world.release("captions")
    world.grade(world.submit(lab="captions"), 41)
    page = browser.get(PREFIX + LEARN).text
    assert page.index("할 실습") < page.index("인터뷰 1차 편집</h4>") < page.index("자막</h4>")
    assert "통과 기준 미달" in page
    assert "다시 제출" in page
    world.grade(world.submit(lab="captions"), 90)
    page = browser.get(PREFIX + LEARN).text
    assert ">통과<" in page
    assert "통과 기준 미달" not in page


def test_the_allowance_is_shown_with_its_derivation_and_what_stands_against_it(world: World) -> None:
    with writing(world.engine) as session:
        find_course(session, COURSE).hours = 200
    for offset in range(4):
        world.attended("mina", FIRST + timedelta(days=offset))
    browser, address = world.browser("mina"), f"{PREFIX}{LEARN}/allowance"
    world.now += timedelta(days=2)
    page = browser.get(address).text
    assert "예상액입니다. 실제 지급 여부와 금액은 고용센터가 정합니다." in page
    assert "4일 × 10,000원 = 40,000원, 한도 200,000원 → 예상액 40,000원" in page
    assert "지급 제외 사유" not in page
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        for login, reason in (("mina", "7월 설문"), ("jun", "남의 사유")):
            exemptions.flag(
                session, run, login, "survey_missing", unit=FIRST, cleared=False, reason=reason, actor="office",
                now=world.now,
            )  # fmt: skip
    page = browser.get(address).text
    assert page.count("단위기간 설문 미제출: 7월 설문") == 2, "as a flag, and as the reason for which nothing is paid"
    assert "40,000원" not in page
    assert "남의 사유" not in page
    assert world.browser("teacher").get(address).status_code == 403


@pytest.mark.parametrize("how", ["dropout", "dismissed", "early_employment"])
def test_who_left_sees_it_and_the_days_after_it(world: World, how: enrolments.How) -> None:
    world.attended("mina", FIRST)
    with writing(world.engine) as session:
        run = find_course(session, COURSE)
        enrolments.end(session, run, "mina", how=how, on=FIRST, reason="사유", actor="office", now=world.now)
    page = world.browser("mina").get(PREFIX + LEARN).text
    assert "이 과정의 수강이 종료되었습니다." in page
    assert "2026-07-06 수강이 끝난 뒤의 훈련일입니다." in page


def test_a_receipt_names_files_and_hashes(world: World) -> None:
    world.release()
    receipt = world.submit(name="폴더/완성 <영상>.mp4")
    page = world.browser("mina").get(f"{PREFIX}{LEARN}/receipts/{receipt}", params={"new": "1"}).text
    assert receipt in page
    assert "폴더/완성 &lt;영상&gt;.mp4" in page
    assert len(set(re.findall(r"<code>([0-9a-f]{64})</code>", page))) == 2
    assert "제출이 접수되었습니다." in page
    assert world.browser("mina").get(f"{PREFIX}{LEARN}/receipts/{'0' * 32}").status_code == 404


def test_feedback_shows_points_findings_and_what_would_be_right(world: World) -> None:
    world.release()
    receipt = world.submit()
    address = f"{PREFIX}{LEARN}/feedback/{receipt}"
    browser = world.browser("mina")
    closed = browser.get(address)
    assert closed.status_code == 404
    assert "아직 공개된 피드백이 없습니다." in closed.text
    world.feedback(receipt)
    page = browser.get(address).text
    for told in ("80 / 100", "00:12.4", "무음이 1.2초 남았습니다.", "0.8초 이하로 줄이세요.", "잘했습니다."):
        assert told in page
    assert "Keep it within 0.8 s." in world.browser("mina", "en").get(address).text
    picture = browser.get(f"{address}/pictures/plays/0")
    assert picture.headers["content-type"] == "image/png"
    for missing in ("plays/1", "plays/-1", "other/0"):
        assert browser.get(f"{address}/pictures/{missing}").status_code == 404
    assert browser.get(f"{address}/pictures/plays/x").status_code == 400


def test_feedback_folds_what_is_all_right_and_nothing_else(world: World) -> None:
    def criterion(name: str, points: float | None, *ok: bool, comment: str = "") -> CriterionFeedback:
        found = tuple(
            Finding(
                ok=is_ok,
                found=Text(ko=f"{name}-{n}", en=name),
                right=None if is_ok else Text(ko="더 짧게", en="shorter"),
            )
            for n, is_ok in enumerate(ok)
        )
        return CriterionFeedback(
            id=name, title=Text(ko=name, en=name), points=points, max_points=10, findings=found, comment=comment
        )

    world.release()
    receipt = world.submit()
    world.feedback(
        receipt,
        criteria=(
            criterion("met", 10, True, True, comment="좋은 제목입니다."), criterion("less", 7, True, False),
            criterion("doubted", 10, False), criterion("unjudged", None, True), criterion("bare", 10),
        ),
    )  # fmt: skip
    page = world.browser("mina").get(f"{PREFIX}{LEARN}/feedback/{receipt}").text
    ((words, folded),) = re.findall(
        r'<details class="onpaper">\s*<summary>(.*?)<span.*?</summary>(.*?)</details>', page, re.S
    )
    assert words == "적합 2개"
    assert "met-0" in folded
    assert "met-1" in folded
    shown = page.replace(folded, "")
    for told in ("less-0", "less-1", "더 짧게", "doubted-0", "unjudged-0", "좋은 제목입니다."):
        assert told in shown


def test_feedback_leads_back_into_the_lab_and_a_day_to_its_correction(world: World) -> None:
    world.release()
    receipt = world.submit()
    world.feedback(receipt)
    page = world.browser("mina").get(f"{PREFIX}{LEARN}/feedback/{receipt}").text
    assert f'href="{PREFIX}{LEARN}/open/rough-cut"' in page
    assert f'href="{PREFIX}{LEARN}/open/rough-cut"' not in world.browser("teacher").get(
        f"{PREFIX}{LEARN}/feedback/{receipt}"
    ).text  # fmt: skip
    days = world.browser("mina").get(f"{PREFIX}{LEARN}/attendance").text
    assert f'href="{PREFIX}{LEARN}/attendance?day=2026-07-06#ask"' in days
    assert "day=2026-07-09#ask" not in days, "what lies ahead is not corrected"
    chosen = world.browser("mina").get(f"{PREFIX}{LEARN}/attendance?day=2026-07-06").text
    assert '<option value="2026-07-06" selected>' in chosen


def test_the_ai_budget_is_shown_by_the_learners_own_token(world: World) -> None:
    world.answer = gateway(calls=7, left=1234)
    page = world.browser("mina").get(PREFIX + LEARN).text
    assert "1,234원" in page
    assert {r.headers["authorization"] for r in world.asked} == {"Bearer token-mina"}
    assert [r.url.path for r in world.asked] == [f"/{COURSE}/-/budget", "/spend"]


@pytest.mark.parametrize(
    "broken",
    [
        lambda request: httpx.Response(500),
        lambda request: httpx.Response(200, content=b"<html>"),
        lambda request: httpx.Response(200, json={"data": 3, "limit_krw": "x"}),
        lambda request: httpx.Response(200, json={"data": [3]}),
        lambda request: httpx.Response(200, json=[]),
        lambda request: httpx.Response(403, json={"error": {"code": "course_forbidden"}}),
        lambda request: (_ for _ in ()).throw(httpx.ConnectError("refused")),
    ],
)
def test_a_gateway_that_does_not_answer_takes_no_page_down(world: World, broken: object) -> None:
    world.answer = broken
    answer = world.browser("mina").get(PREFIX + LEARN)
    assert answer.status_code == 200
    assert "지금은 AI 사용 기록을 불러올 수 없습니다." in answer.text
    pages = (("mina", f"{LEARN}/ai"), ("teacher", f"class/{COURSE}"), ("teacher", f"class/{COURSE}/ai"),
             ("teacher", f"class/{COURSE}/ai/receipts"), ("office", "office/hanbit/ai/use"))  # fmt: skip
    for login, path in pages:
        page = world.browser(login).get(PREFIX + path)
        assert page.status_code == 200, path
        assert "지금은 AI 사용 기록을 불러올 수 없습니다." in page.text, path
