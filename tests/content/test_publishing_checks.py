"""The pack's checks: tables of cases from the trade, and attacks that must end in a result, soon."""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import publishing
from labs.catalog import read_pack
from labs.checks import CheckResult, load_check
from labs.spec import resolve_params
from publishing.__main__ import main
from publishing.brief import read_brief
from publishing.comparables import from_the_list
from publishing.disclosure import complete
from publishing.drafting import DRAFTED, Draft, messages, read_draft, response_format, save_draft, saved_draft
from publishing.facts import agrees_with_brief
from publishing.manuscript import sheets, squares
from publishing.numbers import dates, quantities
from publishing.page import one_page, pitch, required_parts
from publishing.proposal import compose, parse, sentences, titles
from publishing.reference import build
from publishing.sources import quotes_stand

LAB = read_pack("publishing", Path(publishing.__file__).parent).labs[0]
LEARNER, SERVER = LAB.folder / "learner", LAB.folder / "server"
LIST = ["B12", "B13", "B14"]


def facts_of(folder: Path, lang: str, parts: dict[str, str]) -> CheckResult:
    """The good proposal with some parts changed, compared with the memo."""
    build(LAB.folder / "reference" / "good.yaml", LAB.folder, folder, lang)
    old = {part.id: part.text for part in parse((folder / "proposal.md").read_text("utf-8")) if part.id}
    (folder / "proposal.md").write_text(compose({**old, **parts}, lang), "utf-8")
    return agrees_with_brief(folder, key=SERVER / f"key.{lang}.yaml", brief=LEARNER / f"brief.{lang}.md")


WRONG = [
    ("ko", "format", "- 신국판, 320쪽, 정가 16,800원", "256"),
    ("ko", "format", "- 신국판, 256쪽, 정가 1만 8,500원", "16,800"),
    ("ko", "format", "- 사륙판(152×225mm), 256쪽, 정가 16,800원", "신국판"),
    ("ko", "schedule", "- 견본 원고 2027. 1. 15.\n- 완성 원고 2027. 3. 31.\n- 출간 2027. 6. 18.", "2027-04-30"),
    ("ko", "schedule", "- 견본 원고 2027-01-15\n- 완성 원고 2027-04-30\n- 출간 2027년 4월 30일", "2027-06-18"),
    ("ko", "pitch", "베스트셀러 작가가 들려주는 우산 이야기", "베스트셀러"),
    ("ko", "pitch", "우산 고치는 방법을 차근차근 알려 주는 책", "실용서"),
    ("ko", "reader", "30~40대 직장인과 어린이 독자", "어린이"),
    ("ko", "reader", "20대 대학생", "30"),
    ("ko", "author", "한도경. 전작 『젖은 신발을 말리는 법』. 수상 경력: 물결에세이상", "받지 못했습니다"),
    ("ko", "author", "한도경. 전작 『마른 신발을 적시는 법』", "젖은 신발을 말리는 법"),
    ("ko", "author", "한도영. 전작 『젖은 신발을 말리는 법』", "한도경"),
    ("ko", "author", "한도경. 전작 『젖은 신발을 말리는 법』은 수만 부가 팔렸습니다.", "700부"),
    ("ko", "author", "한도경. 『젖은 신발을 말리는 법』. 독자의 87%가 추천합니다.", "지우세요"),
    ("en", "format", "- 152 × 225 mm, 320 pages, 16,800 won", "256"),
    ("en", "format", "- 152 × 225 mm, 256 pages, KRW 18,500", "16,800"),
    ("en", "pitch", "A bestselling author on umbrellas.", "bestseller"),
    ("en", "author", "Han Dogyeong, winner of the Mulgyeol Essay Prize. *How to Dry Wet Shoes*.", "did not win"),
    ("en", "author", "Han Dogyeong. *How to Dry Wet Shoes* sold thousands of copies.", "700"),
    ("en", "schedule", "Sample 15 January 2027\nFull manuscript 31 March 2027\nPublication 18 June 2027", "2027-04-30"),
]

RIGHT = [
    ("ko", "format", "- 판형: 신국판\n- 쪽수: 256\n- 정가: 16,800"),
    ("ko", "schedule", "- 견본 원고 2027. 1. 15.\n- 완성 원고 2027-04-30\n- 출간 예정일은 2027년 6월 18일입니다."),
    ("ko", "schedule", "- 견본 원고 1월 15일, 완성 원고 4월 30일, 출간 6월 18일"),
    ("ko", "reader", "물건을 오래 쓰려는 30~40대 직장인. 어린이책이나 실용서가 아닙니다."),
    ("ko", "author", "한도경. 전작 『젖은 신발을 말리는 법』(2021) 700부. 물결에세이상은 받지 못했습니다."),
    ("en", "format", "- Trim size: 152 x 225 mm\n- Pages: 256\n- Price: 16,800"),
    ("en", "schedule", "Sample January 15, 2027; full manuscript April 30, 2027; publication June 18, 2027"),
    (
        "en",
        "author",
        "Han Dogyeong, *How to Dry Wet Shoes* (2021). A finalist who did not win the Mulgyeol Essay Prize.",
    ),
]


@pytest.mark.parametrize(("lang", "part", "text", "right"), WRONG)
def test_a_contradiction_or_invention_costs_points_and_says_what_is_right(
    lang: str, part: str, text: str, right: str, tmp_path: Path
) -> None:
    result = facts_of(tmp_path, lang, {part: text})
    told = [f.right.in_(lang) for f in result.findings if not f.ok and f.right]
    assert result.score <= 0.75
    assert any(right in one for one in told), told


@pytest.mark.parametrize(("lang", "part", "text"), RIGHT)
def test_the_same_fact_in_other_words_costs_nothing(lang: str, part: str, text: str, tmp_path: Path) -> None:
    result = facts_of(tmp_path, lang, {part: text})
    assert [f.found.in_(lang) for f in result.findings if not f.ok] == []
    assert result.score == 1


def test_a_wrong_price_is_one_fault_and_not_a_missing_price_too(tmp_path: Path) -> None:
    assert facts_of(tmp_path, "ko", {"format": "- 신국판, 256쪽, 정가 18,500원"}).score == 0.75


@pytest.mark.parametrize(("lang", "text"), [("ko", "- 128×188mm"), ("en", "- 128 × 188 mm")])
def test_a_wrong_trim_size_is_one_fault(lang: str, text: str, tmp_path: Path) -> None:
    rest = {"ko": ", 256쪽, 정가 16,800원", "en": ", 256 pages, 16,800 won"}
    assert facts_of(tmp_path, lang, {"format": text + rest[lang]}).score == 0.75


def test_a_fact_hidden_in_an_endless_sentence_is_found(tmp_path: Path) -> None:
    assert facts_of(tmp_path, "ko", {"reader": "우산 " * 600 + "정가 99,000원"}).score == 0.75


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("정가 16,800원", 16800, "won"),
        ("1만 6,800원", 16800, "won"),
        ("3만 부", 30000, "copies"),
        ("4부 구성", 4, "parts"),
        ("쪽수: 256", 256, "pages"),
        ("256-page", 256, "pages"),
        ("₩16,800", 16800, "won"),
        ("2 thousand copies", 2000, "copies"),
        ("11년째", 11, "years"),
    ],
)
def test_quantities(text: str, value: float, unit: str) -> None:
    assert [(q.value, q.unit) for q in quantities(text)] == [(value, unit)]


@pytest.mark.parametrize("text", ["2027년 6월 18일", "2027. 6. 18.", "2027-06-18", "18 June 2027", "June 18, 2027"])
def test_dates(text: str) -> None:
    (date,) = dates(text)
    assert date.agrees("2027-06-18")
    assert not date.agrees("2027-06-19")
    assert quantities(text) == []


def test_sentences_do_not_end_in_titles_or_dates() -> None:
    assert sentences("- 『왜? 왜! 왜.』는 2027. 6. 18. 나옵니다. 좋습니다!") == [
        "『왜? 왜! 왜.』는 2027. 6. 18. 나옵니다.",
        "좋습니다!",
    ]
    assert titles("『가』, 《나》, *Da*, **bold**") == ["가", "나", "Da"]


def test_manuscript_paper_counts_squares_as_printers_do() -> None:
    assert squares("가나다") == 4
    assert squares("2027년") == 1 + 2 + 1
    assert sheets("가" * 199) == 1.0
    assert sheets("\n".join(["가"] * 10)) == 1.0


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_example_that_learners_see_passes_its_own_rules(lang: str, tmp_path: Path) -> None:
    (tmp_path / "proposal.md").write_bytes((LEARNER / f"example.{lang}.md").read_bytes())
    params = {c.id: resolve_params(c.params, lang, LEARNER, SERVER) for c in LAB.lab.criteria}
    assert required_parts(tmp_path).score == 1
    assert one_page(tmp_path, **params["one-page"]).score == 1
    assert pitch(tmp_path, **params["pitch"]).score == 1


@pytest.mark.parametrize(
    ("line", "score"),
    [
        ("- 『고무줄로 묶은 계절』(서이안, 느티의자, 2022)\n- 『동네 구두 병원』(문가람, 2023)", 1),
        ("- 고무줄로 묶은 계절, 서이안\n- 동네 구두 병원, 문가람", 1),
        ("- 『고무줄로 묶은 계절』(문가람)\n- 『동네 구두 병원』(문가람)", 0.5),
        ("- 『고무줄로 묶은 계절』(서이안, 2019)\n- 『동네 구두 병원』(문가람)", 0.5),
        ("- 『고무줄로 묶은 계절』(서이안)", 0.5),
        ("- 『세상의 모든 우산』(김아무개)", 0),
    ],
)
def test_comparables(line: str, score: float, tmp_path: Path) -> None:
    (tmp_path / "proposal.md").write_text(f"## 유사 도서\n{line}\n", "utf-8")
    result = from_the_list(tmp_path, brief=LEARNER / "brief.ko.md", lines=LIST)
    assert result.score == pytest.approx(score, abs=0.2)
    assert (result.score == 1) == (score == 1)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"claim": "정가 99원이라는 말", "line": "B17", "quote": "정가 16,800원으로"}, "기획서에 없는"),
        ({"claim": "신국판, 256쪽", "line": "B17", "quote": "정가 18,500원으로 정했다"}, "라는 말이 없습니다"),
        ({"claim": "신국판, 256쪽", "line": "B99", "quote": "정가 16,800원으로"}, "라는 말이 없습니다"),
        ({"claim": "신국판, 256쪽", "line": "B06", "quote": "그 밖의 판매 수치는 없습니다."}, "대한 말이 아닙니다"),
    ],
)
def test_a_source_that_does_not_stand_is_named(entry: dict[str, str], told: str, tmp_path: Path) -> None:
    (tmp_path / "proposal.md").write_text("## 판형\n- 신국판, 256쪽\n", "utf-8")
    (tmp_path / "facts.json").write_text(json.dumps({"facts": [entry]}), "utf-8")
    result = quotes_stand(tmp_path, brief=LEARNER / "brief.ko.md")
    assert result.score == 0
    assert any(told in finding.found.ko for finding in result.findings)


def run_all(folder: Path, lang: str) -> list[CheckResult]:
    return [
        CheckResult.model_validate(load_check(c.check)(folder, **resolve_params(c.params, lang, LEARNER, SERVER)))
        for c in LAB.lab.criteria
        if c.check and c.check.startswith("publishing.")
    ]


ANY_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["facts", "claim", "line", "quote", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
PIECES = [
    "## 저자\n",
    "## Pitch\n",
    "## 유사 도서\n",
    "『",
    "』",
    "*",
    "2027",
    "년 ",
    "월",
    "3만",
    "부 ",
    ". ",
    "- ",
    "1. ",
    "원",
    ",",
    "\n",
    "수상",
    "물결에세이상",
    "June ",
]
PROPOSAL = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join)


@settings(max_examples=60, deadline=None)
@given(
    proposal=PROPOSAL.map(str.encode) | st.binary(max_size=200),
    facts=ANY_JSON.map(lambda d: json.dumps(d).encode()) | st.binary(max_size=80),
    lang=st.sampled_from(["ko", "en"]),
)
def test_no_check_ever_raises(proposal: bytes, facts: bytes, lang: str) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in (("proposal.md", proposal), ("facts.json", facts), ("ai_disclosure.md", proposal)):
            (folder / file).write_bytes(data)
        for result in run_all(folder, lang):
            assert 0 <= result.score <= 1
            assert result.findings


HOSTILE = [
    "#" + " " * 19_000,
    "." * 19_000,
    "1 " * 9_000,
    "『" * 6_000,
    "만 " * 4_000 + "부",
    "2027. " * 3_000,
    "*a" * 9_000,
    "\n".join(["## 저자", *["1"] * 9_000]),
    "상 수상 " * 2_000,
    "3" * 19_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_proposal_is_judged_within_seconds(text: str, tmp_path: Path) -> None:
    for heading in ("## 저자\n", "## 유사 도서\n", ""):
        (tmp_path / "proposal.md").write_text(heading + text, "utf-8")
        (tmp_path / "facts.json").write_text(
            json.dumps({"facts": [{"claim": "1" * 400, "line": "B01", "quote": "x" * 400}] * 100})
        )
        started = time.process_time()
        run_all(tmp_path, "ko")
        assert time.process_time() - started < 4


def test_missing_files_are_results(tmp_path: Path) -> None:
    assert [result.score for result in run_all(tmp_path, "ko")] == [0] * 7


@given(content=st.text(max_size=200) | ANY_JSON.map(json.dumps))
@settings(max_examples=60, deadline=None)
def test_any_answer_of_an_ai_gives_every_part(content: str) -> None:
    draft = read_draft(content)
    assert tuple(draft) == DRAFTED
    assert parse("\n".join(draft.values()))[1:] == []


def test_an_answer_that_was_cut_off_keeps_what_came_through() -> None:
    draft = read_draft(
        '{"한 줄 소개": "하나", "저자": {"이름": "한도경", "전작": ""}, "목차": ["1부", "2부"], "일정": ["견본'
    )
    assert draft["pitch"] == "하나"
    assert draft["author"] == "- 이름: 한도경"
    assert draft["contents"] == "- 1부\n- 2부"
    assert draft["schedule"] == ""


def test_a_kept_draft_comes_back_for_the_same_wish_only(tmp_path: Path) -> None:
    draft = save_draft(tmp_path, Draft("wish", "model", read_draft('{"Pitch": "One."}'), 1.5, 7))
    assert saved_draft(tmp_path, "wish") == draft
    assert saved_draft(tmp_path, "another") is None
    (tmp_path / "draft.json").write_text('{"wish": [', "utf-8")
    assert saved_draft(tmp_path, "wish") is None


def test_messages_carry_the_whole_memo_and_the_wish() -> None:
    brief = read_brief(LEARNER / "brief.ko.md")
    assert list(brief) == [f"B{number:02}" for number in range(1, 22)]
    said = messages("ko", "부탁", brief)[-1]["content"]
    assert all(text in said for text in brief.values())
    assert said.endswith("부탁")
    assert response_format("ko")["json_schema"]["schema"]["required"][0] == "한 줄 소개"


def test_disclosure_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "ai_disclosure.md").write_text("## 사용한 AI\n실습 서버의 기본 모델\n## AI가 한 일\n\n", "utf-8")
    result = complete(tmp_path)
    assert result.score == 0.25
    assert sum(not finding.ok for finding in result.findings) == 3


def test_the_command_prints_findings_and_answers_by_its_exit_code(tmp_path: Path, capsys: Any) -> None:
    build(LAB.folder / "reference" / "good.yaml", LAB.folder, tmp_path, "ko")
    brief = ["--brief", str(LEARNER / "brief.ko.md"), "--comparables", *LIST]
    files = [str(tmp_path / name) for name in ("proposal.md", "facts.json", "ai_disclosure.md")]
    assert main(["check", *files, *brief]) == 0
    build(LAB.folder / "reference" / "fail-pitch.yaml", LAB.folder, tmp_path, "ko")
    assert main(["check", files[0]]) == 1
    assert "한 문장으로 줄이세요" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "other.txt")]) == 2
