"""The paper: one page in both languages, whatever people are called; what they wrote is text; the code leads to the page."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import typst
import zxingcpp
from pydantic import ValidationError

from grader.certificates.facts import CertificateFacts, PassedLab, Unit, masked
from grader.certificates.paper import NotPrintable, pdf
from hub_config import assets
from labs.texts import LANGUAGES, Lang, Text

URL = "https://lab.example.kr/services/portal/verify/Zk3v9QmT1xY7LpWc8sRb2dNfGhJ"
CODE = '#import "x": * ] \\ $a_b$ *b* `c` <d> #eval("1+1") // /*'


def facts(**changed: Any) -> CertificateFacts:
    """A certificate as an institution would issue it."""
    given = {
        "number": "2026-DEMO-0001", "name": "김하늘", "institution_id": "demo", "salt": "0" * 32,
        "institution": Text(ko="한빛 실습 훈련원", en="Hanbit Practice Institute"),
        "programme": Text(ko="2026 AI 전환 훈련", en="AI transition training 2026"),
        "course_id": "ai-work-ko", "course": Text(ko="영상 실무자를 위한 AI 활용", en="AI at work for video"),
        "starts_on": date(2026, 7, 6), "ends_on": date(2026, 7, 10), "hours": 40, "issued_on": date(2026, 7, 13),
        "units": (Unit(id="captioning", title=Text(ko="자막 제작", en="Captioning"), framework=Text(ko="영상", en="Video")),),
        "labs": (PassedLab(id="rough-cut", title=Text(ko="인터뷰 1차 편집", en="Rough cut"), sha256="ab" * 32),),
        "verify_url": URL,
    }  # fmt: skip
    return CertificateFacts.model_validate({**given, **changed})


def printed(given: CertificateFacts, lang: Lang = "ko") -> bytes:
    return pdf(given, lang, assets.fonts())


def pages(document: bytes) -> list[str]:
    """The text of each page, as a reader copies it."""
    with pypdfium2.PdfDocument(document) as opened:
        return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in opened]


def one_page(document: bytes) -> str:
    found = pages(document)
    assert len(found) == 1
    return found[0]


def test_it_says_what_is_certified_in_both_languages() -> None:
    korean, english = (one_page(printed(facts(name_en="Kim Haneul"), lang)) for lang in LANGUAGES)
    for said in ("제 2026-DEMO-0001 호", "수 료 증", "김하늘 (Kim Haneul)", "영상 실무자를 위한 AI 활용", "2026년 7월 6일",
                 "40시간", "2026년 7월 13일", "한빛 실습 훈련원", "직인", "자막 제작", "인터뷰 1차 편집", URL):  # fmt: skip
        assert said in korean
    for said in ("No. 2026-DEMO-0001", "Kim Haneul (김하늘)", "6 July 2026 – 10 July 2026", "40 hours", "Captioning"):
        assert said in english


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_code_on_the_paper_leads_to_the_page(lang: Lang) -> None:
    with pypdfium2.PdfDocument(printed(facts(), lang)) as opened:
        picture = opened[0].render(scale=2).to_pil()
    (found,) = zxingcpp.read_barcodes(picture)
    assert found.text == URL


def test_the_same_facts_print_the_same_bytes_with_metadata_and_one_embedded_font() -> None:
    first = printed(facts())
    assert printed(facts()) == first
    with pypdfium2.PdfDocument(first) as opened:
        told = opened.get_metadata_dict()
        fonts = {obj.get_font().get_base_name() for obj in opened[0].get_objects(filter=[1])}
    assert told["Title"] == "수료증 2026-DEMO-0001"
    assert told["CreationDate"].startswith("D:20260713")
    assert {name.partition("+")[2] or name for name in fonts} <= {
        f"Pretendard-{w}" for w in ("Regular", "SemiBold", "Bold")
    }
    assert b"<pdfaid:part>2" in first
    assert b"<pdfuaid:part>1" in first


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_people_wrote_is_text_and_never_code(lang: Lang) -> None:
    hostile = Text(ko=CODE, en=CODE)
    said = one_page(printed(facts(name=CODE, course=hostile, programme=hostile, institution=hostile), lang))
    whole = " ".join(said.split())
    assert whole.count(CODE) == 4


def test_a_file_that_a_name_asks_for_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    unsafe = typst.compile(f'#set text(font: "Pretendard")\n#read("{tmp_path}/secret.txt")'.encode(), root="/",
                           font_paths=[str(assets.fonts())], ignore_system_fonts=True, format="pdf")  # fmt: skip
    assert isinstance(unsafe, bytes)
    assert one_page(unsafe) == "the secret", "a name that is pasted into the template is evaluated"
    said = one_page(printed(facts(name=f'#read("{tmp_path}/secret.txt")')))
    assert "the secret" not in said
    assert "#read" in said.replace("\u200b", "")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ["가" * 120, "W" * 120, "Nguyễn Thị Hồng " * 7, "한 " * 60])
def test_long_names_and_titles_stay_on_one_page(name: str, lang: Lang) -> None:
    long = Text(ko="매우 긴 제목 " * 40, en="W" * 300)
    many = [f"꽤 긴 제목의 실습 {number}번" for number in range(40)]
    given = facts(
        name=name, course=long, programme=long, institution=long,
        units=[Unit(id="u", title=Text(ko=title, en=title), framework=long) for title in many],
        labs=[PassedLab(id="l", title=Text(ko=title, en=title), sha256="0" * 64) for title in many],
    )  # fmt: skip
    document = printed(given, lang)
    said = one_page(document)
    assert (said.count("외 ") == 2) if lang == "ko" else (said.count(" more") == 2)
    with pypdfium2.PdfDocument(document) as opened:
        page = opened[0]
        width, height = page.get_size()
        edges = [obj.get_bounds() for obj in page.get_objects(filter=[1])]
        (found,) = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
    margin = 60
    assert all(left > margin and right < width - margin for left, _, right, _ in edges)
    assert all(bottom > margin and top < height - margin for _, bottom, _, top in edges)
    assert found.text == URL


def test_signs_that_hide_or_turn_text_are_taken_out() -> None:
    given = facts(name="\u202e김\u0000하\u200b늘\n\t ", course=Text(ko="과\u2066정", en="course\u0007"))
    assert (given.name, given.course.ko, given.course.en) == ("김하늘", "과정", "course")
    with pytest.raises(ValidationError, match="name"):
        facts(name="\u202e \u0000")


@pytest.mark.parametrize("name", ["金하늘", "สมชาย", "하늘😀"])
def test_a_sign_that_the_font_lacks_is_named(name: str) -> None:
    with pytest.raises(NotPrintable) as refused:
        printed(facts(name=name))
    assert "글꼴에 없는 글자" in refused.value.text.ko
    assert any(sign in refused.value.text.en for sign in name)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("김하늘", "김○늘"),
        ("이준", "이○"),
        ("남궁민수", "남○○수"),
        ("Alex Morgan", "A○○○ M○○○○○"),
        ("Cher", "C○○○"),
        ("김", "김"),
    ],
)
def test_a_masked_name_shows_its_owner_only(name: str, shown: str) -> None:
    assert masked(name) == shown


def test_facts_survive_their_file() -> None:
    given = facts(name_en="Kim Haneul")
    assert CertificateFacts.model_validate_json(given.model_dump_json()) == given
    with pytest.raises(ValidationError, match="ends after it starts"):
        facts(ends_on=date(2026, 7, 5))


def test_no_word_is_cut_where_it_fits_a_line() -> None:
    said = one_page(printed(facts()))
    assert "충족하여" in said
    assert "수료하였으므로" in said
