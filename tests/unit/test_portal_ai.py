"""AI use on the pages: a learner's own calls, a class's, an institution's, the switch, files, and hostile text in all of them."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from jinja2 import Environment
from test_portal_world import (
    COURSE,
    PREFIX,
    SCRIPT,
    PlayedGateway,
    World,
    account,
    gateway,
    receipt,
    seeded_records,
    spend,
    world,
)

from hub_config.portal import ai_parts, conversation, site
from hub_config.portal.ai_records import Receipt
from hub_config.portal.conversation import answered, asked
from hub_config.portal.visible import visible

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
    made.spends["course"].append(spend("course", "gone-1", 9, 77777))
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
    for told in ("12,345원", "영상 편집 과정", "gone-1", "77,777원", "김미나", "7월 8일 (수)", "899,999원", "1,234", "1,232",
                 "응답 없음, 일시 중지", "HTTP 503", "정상"):  # fmt: skip
        assert told in page, told
    assert "69,999원" not in page
    narrowed = world.browser("office").get(f"{OFFICE}/use?course={COURSE}").text
    assert "69,999원" in narrowed
    days = next(r for r in world.asked if r.url.params.get("group") == "day")
    assert days.url.params["since"] == "2026-06-25T00:00:00+09:00", "fourteen days of the institution's time"
    assert world.browser("office").get(f"{PREFIX}office/hanbit").text.count(f'href="{OFFICE}/use"') == 1


def test_many_learners_are_cut_off_and_that_is_said(world: World) -> None:
    made = played(world)
    made.spends["learner"] = [spend("learner", f"learner-{n}", 1, n) for n in range(150)]
    page = world.browser("office").get(f"{OFFICE}/use").text
    assert "많이 사용한 100명만" in page
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
        ("office", f"{OFFICE}/receipts.csv?content=1", {"content": "0"}),
    ],
)
def test_a_file_is_passed_on_as_a_file(world: World, login: str, path: str, asked_for: dict[str, str]) -> None:
    made = played(world)
    made.csv = f"\ufeffid,prompt\r\nrcpt_1,'=HYPERLINK(1)\r\nrcpt_2,{SCRIPT}\r\n"
    answer = world.browser(login).get(path)
    assert answer.content == made.csv.encode(), "not a byte is changed"
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="ai-use.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "x-key" not in answer.headers
    assert dict(world.asked[-1].url.params) == asked_for


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


# Hostile text

NAMES = (f"evil{SCRIPT}", f"=cmd|' /C calc'!A0{RTL}", "x" * 5000)
PROMPTS = (
    SCRIPT,
    json.dumps(
        {
            "messages": [
                {"role": SCRIPT, "content": f"{RTL}{SCRIPT}"},
                3,
                None,
                {"role": ["x"], "content": {"a": SCRIPT}},
            ]
        }
    ),
    '{"messages": [{"role": "user", "content": "\\ud800\\u0000\\u001b[31m"}]}',
    "[" * 100_000,
    '{"a":' * 900 + "1" + "}" * 900,
    "9" * 5000,
    '{"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": 3}, "y"]}]}',
    '{"messages": {"role": "user"}, "instructions": ["x"], "prompt": 0}',
    "null",
    "",
)


def hostile(made: PlayedGateway, prompt: str) -> None:
    """Everything that a learner, a model or a server outside may name, made hostile."""
    first, second, long = NAMES
    made.receipts = [
        receipt(
            2, model=first, upstream=second, endpoint=first, outcome=second, lab=first, prompt=prompt, answer=prompt
        ),
        receipt(1, model=long, learner="mina", answer_type="audio/wav;base64", answer="%%%"),
    ]
    made.spends = {group: [spend(group, name) for name in NAMES] for group in made.spends}
    made.status["upstreams"] = [
        {
            "name": first,
            "state": "open",
            "running": 0,
            "waiting": 0,
            "failures": 1,
            "last_error": second,
            "last_ok_at": None,
        }
    ]
    made.switch = {"ai": False, "set_by": second, "set_at": "2026-07-08T01:00:00Z"}


def pages_of(world: World, made: PlayedGateway) -> dict[str, str]:
    """Every page that shows AI use."""
    mine, theirs = (f"{base}/{call_of(made.receipts[0])}" for base in (MINE, CLASS))
    addresses = [
        ("mina", MINE), ("mina", mine), ("teacher", CLASS), ("teacher", f"{CLASS}/receipts"), ("teacher", theirs),
        ("teacher", f"{PREFIX}class/{COURSE}"), ("office", f"{OFFICE}/use"), ("mina", f"{MINE}/{call_of(made.receipts[1])}"),
    ]  # fmt: skip
    found = {path: world.browser(login).get(path) for login, path in addresses}
    assert {path: answer.status_code for path, answer in found.items()} == dict.fromkeys(found, 200)
    return {path: answer.text for path, answer in found.items()}


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: prompt[:20])
def test_hostile_text_is_text_on_every_page(world: World, prompt: str) -> None:
    made = played(world)
    hostile(made, prompt)
    for path, page in pages_of(world, made).items():
        assert SCRIPT not in page, path
        assert RTL not in page, path
        assert "\x1b" not in page, path
        page.encode("utf-8")


def test_without_the_escaping_a_prompt_would_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = played(world)
    hostile(made, SCRIPT)
    real = site.environment.__wrapped__

    def open_door(words: Any) -> Environment:
        environment = real(words)
        environment.autoescape = False
        return environment

    monkeypatch.setattr(site, "environment", open_door)
    pages = pages_of(world, made)
    assert sum(SCRIPT in page for page in pages.values()) >= 6


def test_without_visible_a_mark_would_turn_the_text_around(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = played(world)
    hostile(made, PROMPTS[1])
    real = site.environment.__wrapped__

    def blind(words: Any) -> Environment:
        environment = real(words)
        environment.filters["visible"] = str
        return environment

    monkeypatch.setattr(site, "environment", blind)
    assert sum(RTL in page for page in pages_of(world, made).values()) == 5


def test_signs_that_hide_are_spelled_out_and_text_stays() -> None:
    assert visible(f"가{RTL}b\u200f\u2066\ufeff\x00\ud800") == "가[U+202E]b[U+200F][U+2066][U+FEFF][U+0000][U+D800]"
    for text in ("줄\n바꿈\t칸", "👩‍💻", "שלום", "café"):
        assert visible(text) == text
    assert visible("a\r\nb") == "a\nb"


# What was asked and answered, as turns


def turns(
    prompt: Any = None, answer: Any = None, answer_type: str | None = "application/json"
) -> list[tuple[str, str]]:
    row = Receipt.model_validate(
        receipt(1, prompt=_text(prompt), answer=_text(answer), answer_type=answer_type),
    )
    return [(turn.role, turn.text) for turn in [*asked(row), *answered(row)]]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)


@pytest.mark.parametrize(
    ("prompt", "answer", "expected"),
    [
        (None, None, []),
        (
            {
                "messages": [
                    {"role": "system", "content": "s"},
                    {"role": "user", "content": [{"type": "text", "text": "u"}]},
                ]
            },
            {"choices": [{"message": {"role": "assistant", "content": "a"}}]},
            [("system", "s"), ("user", "u"), ("assistant", "a")],
        ),
        ([{"role": "user", "content": "only the messages"}], None, [("user", "only the messages")]),
        (
            {"instructions": "i", "input": "q"},
            {
                "text": {"format": 1},
                "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}],
            },
            [("system", "i"), ("user", "q"), ("assistant", "a")],
        ),
        (
            {"input": ["one", "two"]},
            {"data": 1},
            [("user", "one"), ("user", "two"), ("assistant", '{\n  "data": 1\n}')],
        ),
        ({"prompt": "a picture"}, None, [("user", "a picture")]),
        ({"model": "stt"}, {"text": "들은 말"}, [("input", '{\n  "model": "stt"\n}'), ("assistant", "들은 말")]),
        (None, "plain text", [("assistant", "plain text")]),
    ],
)
def test_turns_are_read_from_every_kind_of_call(prompt: Any, answer: Any, expected: list[tuple[str, str]]) -> None:
    assert turns(prompt, answer) == expected


def test_sound_is_told_and_not_shown() -> None:
    assert turns(answer="UklGRg==", answer_type="audio/wav;base64") == [("assistant", "audio/wav, 4 B")]


def test_deep_nesting_does_not_swell_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "[" * 300 + "1," * 20_000 + "1" + "]" * 300
    assert sum(len(text) for _, text in turns(deep)) == len(deep)
    monkeypatch.setattr(conversation, "DEEPEST", 1000)
    assert sum(len(text) for _, text in turns(deep)) > 200 * len(deep), "without the limit it would"
    monkeypatch.undo()
    for depth in range(860, 1000):  # where reading and writing run out of stack at different depths
        assert turns("[" * depth + "]" * depth)


def test_tool_calls_are_shown_as_json() -> None:
    call = {
        "choices": [
            {
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "function": {"name": "cut"}}],
                }
            }
        ]
    }
    assert '"name": "cut"' in turns(answer=call)[0][1]
