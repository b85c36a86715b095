"""AI use on the pages: a learner's own calls, a class's, an institution's, the switch and files."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from played_gateway import PlayedGateway, account, gateway, receipt, spend
from test_portal_world import COURSE, OTHER, PREFIX, SCRIPT, World, seeded_records, world

from hub_config.portal import ai_parts

MINE, CLASS, OFFICE = f"{PREFIX}learn/{COURSE}/ai", f"{PREFIX}class/{COURSE}/ai", f"{PREFIX}office/hanbit/ai"
#: Turns the text that follows it around: an answer can be made to read as its opposite.
RTL = "\u202e"


def call_of(row: dict[str, Any]) -> str:
    """The address of a call, below the page of AI use."""
    return f"receipts/{row['id']}"


def played(world: World, **given: Any) -> PlayedGateway:
    world.answer = made = gateway(**given)
    return made


# What a learner sees


def test_a_learner_reads_the_budget_and_each_call(world: World) -> None:
    made = played(world, calls=2, left=1234)
    made.budget |= {
        "renews_at": "2026-07-09T00:00:00+09:00",
        "left_tokens": 98765,
        "accounts": [account("learner", "all", 3000, 1766), account("learner", "day", 50000, 1000, "tokens")],
    }
    browser = world.browser("mina")
    assert f'href="{MINE}"' in browser.get(f"{PREFIX}learn/{COURSE}").text
    page = browser.get(MINE).text
    for told in ("1,234원", "98,765", "훈련생 1인, 하루", "49,000토큰", "7월 9일 (목) 00:00", "인터뷰 1차 편집", "1,545",
                 "12원", "답변 완료", "7월 8일 (수) 10:02"):  # fmt: skip
        assert told in page, told
    assert page.index("10:02") < page.index("10:01"), "newest first"
    told = browser.get(f"{MINE}/{call_of(made.receipts[0])}").text
    for text in ("무음 구간을 찾아 주세요.", "00:12에 있습니다.", "훈련생", "AI 답변", "1.5초", "4" * 64):
        assert text in told, text
    assert {r.headers["authorization"] for r in world.asked} == {"Bearer token-mina"}


def test_calls_are_paged_and_not_all_at_once(world: World) -> None:
    made = played(world, calls=60)
    browser, seen, path = world.browser("mina"), [], MINE
    for _ in range(3):
        page = browser.get(path).text
        seen += [row["id"] for row in made.receipts if f"/{row['id']}" in page]
        older = page.partition(f'href="{MINE}?before=')[2].partition('"')[0]
        path = f"{MINE}?before={older}"
    assert seen == [row["id"] for row in made.receipts]
    assert "before=" not in page, "the last page leads no further"
    assert f'href="{MINE}"' in page
    assert all(r.url.params.get("content") != "1" for r in world.asked), "a list asks for no prompt"


def test_nobody_elses_call_is_shown_whatever_the_gateway_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = played(world)
    foreign = receipt(9, "jun", prompt='"a secret of jun"')
    elsewhere = receipt(8, course="other-1", prompt='"a secret of elsewhere"')
    made.receipts = [foreign, elsewhere, *made.receipts]
    addresses = [
        (login, base, row) for login, base in (("mina", MINE), ("teacher", CLASS)) for row in (foreign, elsewhere)
    ]

    def shown() -> list[tuple[str, str]]:
        found = []
        for login, base, row in addresses:
            answer = world.browser(login).get(f"{base}/{call_of(row)}")
            assert answer.status_code in (200, 404)
            listed = world.browser(login).get(base if base == MINE else f"{base}/receipts").text
            if "a secret" in answer.text or f"/{row['id']}" in listed:
                found.append((login, row["id"]))
        return found

    assert shown() == [("teacher", foreign["id"])], "an instructor sees jun; nobody else's is seen"
    monkeypatch.setattr(ai_parts, "_is_asked_for", lambda row, query: True)
    assert len(shown()) == len(addresses), "without the check all of it would show"


@pytest.mark.parametrize("call", ["rcpt_9", "..%2f..%2fstatus", "%00", "x" * 3000])
def test_an_address_that_fits_no_call_is_refused(world: World, call: str) -> None:
    played(world, calls=1)
    answer = world.browser("mina").get(f"{MINE}/receipts/{call}")
    assert answer.status_code == 404
    assert "<h1" in answer.text
    assert all(r.url.path.startswith("/receipts/") for r in world.asked), "no other address of the gateway is reached"


def test_an_unlimited_budget_and_ai_that_is_off_are_said(world: World) -> None:
    made = played(world, calls=0)
    made.budget |= {"limit_krw": None, "left_krw": None, "accounts": [], "ai": False}
    for path in (MINE, f"{PREFIX}learn/{COURSE}"):
        page = world.browser("mina").get(path).text
        assert "한도 없음" in page
        assert "지금은 이 과정에서 AI를 사용할 수 없습니다." in page
    assert "아직 AI 호출이 없습니다." in world.browser("mina").get(MINE).text


def test_a_practicum_without_a_gateway_says_nothing_of_ai(world: World) -> None:
    world.start(gateway_url=None)
    page = world.browser("mina").get(f"{PREFIX}learn/{COURSE}").text
    assert "AI 사용" not in page
    assert world.browser("mina").get(MINE).status_code == 200
    assert world.browser("mina").get(f"{MINE}/receipts.csv").status_code == 503
    assert not world.asked


# What an instructor sees


def test_an_instructor_reads_spending_by_learner_and_by_lab(world: World) -> None:
    made = played(world)
    made.spends["learner"] = [
        spend("learner", "jun", 1, 5),
        spend("learner", "mina", 1234, 56789),
        spend("learner", "eve", 2, 5),
    ]
    made.spends["lab"].append(spend("lab", "-", 1, 1))
    made.budget["accounts"] += [account("course", "all", 100000, 40000), account("institution", "day", 500000, 1)]
    page = world.browser("teacher").get(CLASS).text
    for told in (
        "김미나",
        "56,789원",
        "1,234",
        "실습 외",
        "인터뷰 1차 편집",
        "과정 전체",
        "60,000원",
        "훈련기관 전체, 하루",
        "켜짐",
    ):
        assert told in page, told
    assert page.index("김미나") < page.index("이준"), "who spent most comes first"
    assert "훈련생 1인" not in page, "the instructor's own budget is nobody's business here"
    assert f'href="{CLASS}/receipts?learner=mina"' in page
    assert f'href="{CLASS}/receipts?lab=-"' in page
    assert {r.headers["authorization"] for r in world.asked} == {"Bearer token-teacher"}


def test_calls_are_filtered_by_learner_and_lab(world: World) -> None:
    made = played(world)
    made.receipts = [receipt(5, "jun"), receipt(4, lab="captions"), *made.receipts]
    page = world.browser("teacher").get(f"{CLASS}/receipts?learner=mina&lab=rough-cut").text
    query = dict(world.asked[-1].url.params)
    assert {name: query[name] for name in ("course", "learner", "lab")} == {
        "course": COURSE, "learner": "mina", "lab": "rough-cut",
    }  # fmt: skip
    assert page.count("/rcpt_") == 3
    assert '<option value="mina" selected>' in page
    assert '<option value="rough-cut" selected>' in page
    assert f'href="{CLASS}/receipts.csv?learner=mina&amp;lab=rough-cut"' in page
    for gone in ('"><script>', f"{RTL}x", "nobody"):
        assert world.browser("teacher").get(f"{CLASS}/receipts", params={"learner": gone}).status_code == 200


def test_calls_stand_beside_the_submission_and_the_roster(world: World) -> None:
    played(world, calls=7)
    world.release()
    lab = world.browser("teacher").get(f"{PREFIX}class/{COURSE}/labs/rough-cut").text
    assert f'href="{CLASS}/receipts?learner=mina&amp;lab=rough-cut"' in lab
    roster = world.browser("teacher").get(f"{PREFIX}class/{COURSE}").text
    assert f'href="{CLASS}/receipts?learner=mina">7<' in roster


# The switch


def test_ai_is_switched_off_after_a_page_that_says_for_whom(world: World) -> None:
    made = played(world)
    teacher, home = world.browser("teacher"), f"{PREFIX}class/{COURSE}"
    assert "지금은 이 과정에서 AI를" not in teacher.get(home).text
    page = teacher.get(f"{CLASS}/switch?to=off").text
    assert "훈련생 3명" in page
    assert made.switch["ai"], "looking changes nothing"
    answer = world.post(teacher, f"class/{COURSE}/ai/switch", "teacher", to="off")
    assert answer.headers["location"] == f"{CLASS}?done=off"
    put = next(r for r in world.asked if r.method == "PUT")
    assert (put.url.path, json.loads(put.content)) == (f"/{COURSE}/-/switch", {"ai": False})
    assert put.headers["authorization"] == "Bearer token-teacher"
    for path in (home, CLASS):
        assert "teacher, 7월 8일 (수) 10:00" in teacher.get(path).text
    assert "지금은 이 과정에서 AI를 사용할 수 없습니다." in teacher.get(home).text
    world.post(teacher, f"class/{COURSE}/ai/switch", "teacher", to="on")
    assert made.switch["ai"]


def test_the_switch_is_an_instructors_and_needs_a_form_of_ours(world: World) -> None:
    made = played(world)
    path = f"class/{COURSE}/ai/switch"
    for login in ("mina", "office", "stranger"):
        assert world.post(world.browser(login), path, login, to="off").status_code == 403
    teacher = world.browser("teacher")
    assert teacher.post(f"{PREFIX}{path}", data={"to": "off"}).status_code == 403
    assert world.post(teacher, path, "mina", to="off").status_code == 403, "a form of somebody else's session"
    assert world.post(teacher, path, "teacher", to="sideways").status_code == 400
    assert made.switch["ai"]


def test_a_switch_that_the_gateway_refuses_is_not_claimed(world: World) -> None:
    world.answer = lambda request: httpx.Response(403)
    answer = world.post(world.browser("teacher"), f"class/{COURSE}/ai/switch", "teacher", to="off")
    assert answer.status_code == 503
    assert "변경을 확인하지 못했습니다" in answer.text


# What the institution sees


def test_the_institution_reads_spending_limits_servers_and_the_chain(world: World) -> None:
    made = played(world)
    made.budget["accounts"] += [account("course", "all", 70000, 1), account("institution", "all", 900000, 1)]
    made.spends["course"] += [spend("course", OTHER, 9, 77777), spend("course", "operator.test", 1, 8)]
    made.spends["day"] = [spend("day", "2026-07-08", 3, 12345), spend("day", "2026-07-07", 1, 90)]
    made.status["upstreams"].append(
        {
            "name": "outside",
            "state": "open",
            "running": 0,
            "waiting": 0,
            "failures": 6,
            "last_error": "HTTP 503",
            "last_ok_at": None,
        }
    )
    made.status["ledger"] |= {"head": [1232, "a" * 64], "anchored": None}
    page = world.browser("office").get(f"{OFFICE}/use").text
    for told in ("12,345원", "영상 편집 과정", "시스템 관리자의 시험 호출", "김미나", "7월 8일 (수)", "899,999원", "1,234", "1,232",
                 "응답 없음, 일시 중지", "HTTP 503", "정상"):  # fmt: skip
        assert told in page, told
    assert "69,999원" not in page
    assert "77,777원" not in page, "another institution's course run, which was not asked for"
    narrowed = world.browser("office").get(f"{OFFICE}/use?course={COURSE}").text
    assert "69,999원" in narrowed
    days = next(r for r in world.asked if r.url.params.get("group") == "day")
    assert days.url.params["since"] == "2026-06-25T00:00:00+09:00", "fourteen days of the institution's time"
    assert world.browser("office").get(f"{PREFIX}office/hanbit").text.count(f'href="{OFFICE}/use"') == 1


def test_many_learners_are_cut_off_and_that_is_said(world: World) -> None:
    made = played(world)
    made.spends["learner"] = [spend("learner", f"learner-{n}", 1, n) for n in range(150)]
    page = world.browser("office").get(f"{OFFICE}/use").text
    assert "많이 사용한 30명만" in page
    assert page.count("learner-") == 2 * 30, "name and login of each"
    assert "많이 사용한 100명만" in world.browser("office").get(f"{OFFICE}/use?course={COURSE}").text
    assert "learner-149<" in page
    assert "learner-49<" not in page


def test_the_office_and_the_class_see_what_was_spent_day_by_day(world: World) -> None:
    made = played(world)
    made.spends["day"] = [spend("day", "2026-07-08", 3, 480), spend("day", "2026-07-01", 1, 90)]
    for login, path in (("office", f"{OFFICE}/use"), ("office", f"{OFFICE}/use?course={COURSE}"), ("teacher", CLASS)):
        page = world.browser(login).get(path).text
        assert "<title>7월 8일 (수): 480원, AI 호출 3건</title>" in page, path
        assert "<title>7월 2일 (목): 0원, AI 호출 0건</title>" in page, "a day without a call has its place"
        assert ">500원</text>" in page, "the end of the scale"
        assert "7월 1일 (수)" in page.partition("<details>")[2], "the table behind it"
    asked = [r.url.params for r in world.asked if r.url.params.get("group") == "day"]
    assert (asked[-1]["course"], asked[-1]["since"]) == (COURSE, "2026-06-24"), (
        "an instructor asks for their own course"
    )
    made.spends["day"] = []
    assert "<figure" not in world.browser("teacher").get(CLASS).text


# Files


@pytest.mark.parametrize(
    ("login", "path", "asked_for"),
    [
        ("mina", f"{MINE}/receipts.csv", {"course": COURSE, "learner": "mina", "content": "0"}),
        ("mina", f"{MINE}/receipts.csv?content=1&learner=jun", {"course": COURSE, "learner": "mina", "content": "1"}),
        ("teacher", f"{CLASS}/receipts.csv?learner=jun", {"course": COURSE, "learner": "jun", "content": "0"}),
        ("office", f"{OFFICE}/receipts.csv?content=1", {"course": [COURSE, "operator.test"], "content": "0"}),
    ],
)
def test_a_file_is_passed_on_as_a_file(world: World, login: str, path: str, asked_for: dict[str, Any]) -> None:
    made = played(world)
    made.csv = f"\ufeffid,prompt\r\nrcpt_1,'=HYPERLINK(1)\r\nrcpt_2,{SCRIPT}\r\n"
    answer = world.browser(login).get(path)
    assert answer.content == made.csv.encode(), "not a byte is changed"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="ai-use.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "x-key" not in answer.headers
    assert world.asked[-1].url.params == httpx.QueryParams(asked_for)


def test_a_file_that_cannot_be_had_is_a_page_and_a_broken_one_is_not_whole(world: World) -> None:
    for status in (403, 500):
        world.answer = lambda request, status=status: httpx.Response(status)
        answer = world.browser("mina").get(f"{MINE}/receipts.csv")
        assert answer.status_code == 503
        assert "AI 사용 기록을 불러올 수 없습니다." in answer.text
        assert "content-disposition" not in answer.headers

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            yield b"id\r\n"
            raise httpx.ReadError("the gateway died")

    world.answer = lambda request: httpx.Response(200, stream=Broken())
    with pytest.raises(httpx.ReadError):
        world.browser("mina").get(f"{MINE}/receipts.csv")
