"""The wireframe checks on their own: hostile files, spec against picture, and the numbers of WCAG."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from labs.checks import CheckResult
from uiux_design import fonts
from uiux_design.__main__ import main
from uiux_design.brief import no_forbidden_claims, plain, required, says
from uiux_design.color import contrast, needed_contrast
from uiux_design.contrast import MOST_GIVEN_BACK, _seen, text_contrast
from uiux_design.disclosure import disclosed
from uiux_design.draft import ANSWER_FORMAT, from_answers
from uiux_design.draw import draw, text_height, wrap
from uiux_design.drawn import as_specified
from uiux_design.fonts import FontMissingError, find_fonts
from uiux_design.layout import layout, stack
from uiux_design.reference import build
from uiux_design.targets import target_size
from uiux_design.wireframe import (
    FILE,
    MAX_ELEMENT_HEIGHT,
    MAX_HEIGHT,
    PICTURE,
    Element,
    Role,
    Section,
    Wireframe,
    to_json,
)

LAB = Path(sys.modules["uiux_design"].__file__ or "").parent / "labs" / "landing_wireframe"
KEYS = {"needs": LAB / "server" / "details.ko.json", "claims": LAB / "server" / "claims.ko.json"}
CHECKS: list[Callable[[Path], CheckResult]] = [
    text_contrast,
    target_size,
    layout,
    as_specified,
    disclosed,
    lambda folder: required(folder, key=KEYS["needs"]),
    lambda folder: no_forbidden_claims(folder, key=KEYS["claims"]),
]
colours = st.from_regex(r"#[0-9A-F]{6}", fullmatch=True)
elements = st.builds(
    Element,
    id=st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True),
    section=st.sampled_from(["hero", "order", "elsewhere"]),
    role=st.sampled_from(["heading", "body", "button", "link", "image", "input"]),
    text=st.text(max_size=40),
    x=st.integers(-500, 900),
    y=st.integers(-500, 900),
    width=st.integers(1, 500),
    height=st.integers(1, 300),
    color=colours,
    background=st.none() | colours,
    size=st.integers(6, 96),
)
pages = st.builds(
    Wireframe,
    width=st.integers(1, 500),
    height=st.integers(1, 900),
    background=colours,
    sections=st.just((Section(id="hero", background="#FBF7EF"), Section(id="order", background="#FFFFFF"))),
    elements=st.lists(elements, max_size=9).map(tuple),
)
jsons: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return build("good", LAB, tmp_path / "good", "ko")


def page_of(folder: Path) -> Wireframe:
    return Wireframe.model_validate_json((folder / FILE).read_text("utf-8"))


def put(folder: Path, page: Wireframe, drawn: Wireframe | None = None) -> None:
    (folder / FILE).write_text(to_json(page), "utf-8")
    draw(drawn or page).save(folder / PICTURE)


def changed(page: Wireframe, element_id: str, **fields: Any) -> Wireframe:
    return page.model_copy(
        update={"elements": tuple(e.model_copy(update=fields) if e.id == element_id else e for e in page.elements)}
    )


def results(folder: Path) -> list[CheckResult]:
    return [check(folder) for check in CHECKS]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    spec=st.binary(max_size=300) | jsons.map(lambda value: json.dumps(value).encode()), picture=st.binary(max_size=200)
)
def test_no_check_raises_on_arbitrary_bytes(spec: bytes, picture: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / FILE).write_bytes(spec)
        (folder / PICTURE).write_bytes(b"\x89PNG\r\n\x1a\n" + picture)
        (folder / "ai_disclosure.md").write_bytes(spec)
        assert all(result.score < 1 for result in results(folder))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(page=pages)
def test_no_check_raises_on_arbitrary_pages_and_drawing_is_deterministic(page: Wireframe) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        put(folder, page)
        assert len(results(folder)) == len(CHECKS)
        if len(page.elements) >= 6:
            assert as_specified(folder).score == 1
        assert draw(page).tobytes() == draw(page).tobytes()


@settings(max_examples=40, deadline=None)
@given(page=pages)
def test_automatic_layout_leaves_no_overlap_and_nothing_outside(page: Wireframe) -> None:
    stacked = stack(page.model_copy(update={"width": 390, "elements": page.elements[:6]}))
    for first, second in zip(stacked.elements, stacked.elements[1:], strict=False):
        assert first.bottom < second.y
    assert all(e.x >= 16 and e.right <= 374 for e in stacked.elements)
    assert all(e.bottom <= stacked.height for e in stacked.elements) or stacked.height == MAX_HEIGHT
    for element in stacked.elements:
        assert element.height >= min(text_height(element, find_fonts()), MAX_ELEMENT_HEIGHT)
    assert Wireframe.model_validate_json(to_json(stacked)) == stacked


@settings(max_examples=60, deadline=None)
@given(answer=st.text(max_size=60) | jsons.map(json.dumps) | jsons.map(lambda j: json.dumps({"elements": [j, j]})))
def test_any_answer_of_an_ai_becomes_a_page_and_what_is_unreadable_is_told(answer: str) -> None:
    sections = (Section(id="hero", background="#FFFFFF"),)
    page, notes = from_answers({"hero": answer}, sections)
    assert page.height >= 844
    assert page.elements or notes or json.loads(answer) == {"elements": []}


def test_missing_files_are_results(tmp_path: Path) -> None:
    for result in results(tmp_path):
        assert result.score == 0
        assert all(finding.where and finding.right for finding in result.findings)


def test_a_blank_page_earns_nothing(tmp_path: Path) -> None:
    put(tmp_path, Wireframe(height=844))
    assert [result.score for result in results(tmp_path)] == [0] * len(CHECKS)


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#FFFFFF", 21.0),
        ("#767676", "#FFFFFF", 4.54),
        ("#FFFFFF", "#7DB58D", 2.37),
        ("#FFFFFF", "#FFFFFF", 1.0),
    ],
)
def test_contrast_is_wcags(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.01)
    assert contrast(second, first) == contrast(first, second)


@pytest.mark.parametrize(
    ("size", "bold", "needed"), [(23, False, 4.5), (24, False, 3), (18, True, 4.5), (19, True, 3), (16, False, 4.5)]
)
def test_large_text_needs_less(size: int, bold: bool, needed: float) -> None:
    assert needed_contrast(size, bold=bold) == needed


@pytest.mark.parametrize("size", [12, 14, 16, 22, 32])
@pytest.mark.parametrize("role", ["body", "button", "input", "heading", "link"])
@pytest.mark.parametrize(("ink", "ground"), [("#767676", "#FFFFFF"), ("#FFFFFF", "#7DB58D"), ("#23302A", "#FBF7EF")])
def test_contrast_measured_in_the_picture_is_that_of_the_specification(
    size: int, role: Role, ink: str, ground: str
) -> None:
    element = Element(
        id="a", section="s", role=role, text="한글 글자 Abc 123", x=10, y=10, width=300, height=60, color=ink,
        background=ground, size=size,
    )  # fmt: skip
    image = draw(Wireframe(height=100, background="#000000", elements=(element,)))
    assert _seen(image, image, element, contrast(ink, ground)) == pytest.approx(contrast(ink, ground), rel=0.01)


@given(ink=colours, size=st.integers(12, 40))
@settings(max_examples=40, deadline=None)
def test_what_soft_edges_take_never_makes_weak_letters_pass(ink: str, size: int) -> None:
    element = Element(
        id="a", section="s", role="body", text="매월 5일 box", x=10, y=10, width=300, height=70, color="#000000",
        background="#FFFFFF", size=size,
    )  # fmt: skip
    said = Wireframe(height=100, elements=(element,))
    lying = draw(changed(said, "a", color=ink))
    seen = _seen(lying, draw(said), element, 21.0)
    assert seen is None or seen <= contrast(ink, "#FFFFFF") * MOST_GIVEN_BACK


def test_a_specification_that_lies_about_contrast_is_measured_in_the_picture(good: Path) -> None:
    page = page_of(good)
    put(good, page, drawn=changed(page, "story-2", color="#D0D0D0"))
    result = text_contrast(good)
    assert result.score == 0.75
    assert (result.findings[0].where or "").startswith("story-2")
    assert result.findings[0].picture


def test_text_that_the_picture_does_not_show_is_no_contrast(good: Path) -> None:
    page = page_of(good)
    put(good, page, drawn=changed(page, "order-4", text=""))
    assert text_contrast(good).score == 0.75


def test_a_retouched_picture_is_seen_inside_and_between_elements(good: Path) -> None:
    image = Image.open(good / PICTURE)
    ImageDraw.Draw(image).rectangle((0, 395, 389, 412), fill="#7DB58D")
    image.save(good / PICTURE)
    assert as_specified(good).score == 0.5
    page = page_of(good)
    put(good, page, drawn=changed(page, "order-1", text="첫 상자 5,900원"))
    assert as_specified(good).findings[0].where == "order-1 “첫 상자 9,900원”"


@pytest.mark.parametrize(
    ("element_id", "fields", "faults"),
    [
        ("order-2", {"y": 560}, 1),  # overlaps the button
        ("hero-4", {"x": 40}, 1),  # leaves the frame
        ("hero-2", {"height": 40}, 1),  # its text needs two lines
        ("hero-2", {"text": "가" * 400}, 1),
        ("story-4", {"y": 3900}, 2),  # leaves the frame, and is read after what follows
    ],
)
def test_layout_faults(good: Path, element_id: str, fields: dict[str, Any], faults: int) -> None:
    put(good, changed(page_of(good), element_id, **fields))
    result = layout(good)
    assert len(result.findings) == faults
    assert result.score == 1 - 0.25 * faults


def test_a_link_may_be_smaller_than_a_button_but_not_than_the_standard(good: Path) -> None:
    put(good, changed(page_of(good), "footer-2", height=24))
    assert target_size(good).score == 1
    put(good, changed(page_of(good), "footer-2", height=23))
    assert target_size(good).score == 0.75


@pytest.mark.parametrize(
    ("text", "term", "said"),
    [
        ("매월 19,900원", "9,900원", False),
        ("첫 상자 9900 원", "9,900원", True),
        ("숙 면을 부르는", "숙면", True),
        ("숙\u200b면", "숙면", True),
        ("ＦＲＥＥ box", "free", True),
        ("caffeine-free tea", "free", True),
        ("carefree", "free", False),
        ("19,900 won", "9,900 won", False),
        ("Sleeping well", "sleep", True),
    ],
)
def test_words_are_compared_as_a_reader_sees_them(text: str, term: str, said: bool) -> None:
    assert says(text, term) is said


@given(st.text(max_size=60))
def test_plain_text_is_stable(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_the_payment_terms_far_from_the_button_get_half(good: Path) -> None:
    page = page_of(good)
    far = changed(changed(page, "footer-1", text=page.elements[7].text), "order-4", text="매월 5일에 보냅니다.")
    put(good, far)
    result = required(good, key=KEYS["needs"])
    assert result.score == pytest.approx((0.5 + 1 + 1) / 3)
    assert "60px" in (result.findings[0].right.ko if result.findings[0].right else "")


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunk(b"zTXt", c) for c in chunks) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        _png(60_000, 60_000),  # a decompression bomb
        _png(390, 4001),
        _png(390, 844, b"a\0\0" + zlib.compress(b"\0" * 80_000_000)),  # a text that unpacks to 80 MB
        b"GIF89a" + b"\0" * 50,
        b"\0" * 6_000_000,
    ],
)
def test_hostile_pictures_are_refused(good: Path, data: bytes) -> None:
    (good / PICTURE).write_bytes(data)
    for check in (text_contrast, as_specified):
        result = check(good)
        assert result.score == 0
        assert result.findings[0].where == PICTURE


def test_a_link_out_of_the_submission_is_not_followed(good: Path, tmp_path: Path) -> None:
    (good / FILE).rename(tmp_path / "elsewhere.json")
    (good / FILE).symlink_to(tmp_path / "elsewhere.json")
    assert target_size(good).score == 0


@pytest.mark.slow
@pytest.mark.long
def test_the_largest_page_is_bounded(tmp_path: Path) -> None:
    element = {"section": "hero", "role": "body", "text": "가" * 400, "x": 0, "y": 0, "width": 800, "height": 1000,
               "color": "#000000", "background": "#FFFFFF", "size": 96}  # fmt: skip
    page = {"width": 800, "height": MAX_HEIGHT, "elements": [{**element, "id": f"e{n}"} for n in range(60)]}
    (tmp_path / FILE).write_text(json.dumps(page), "utf-8")
    draw(Wireframe.model_validate({**page, "elements": page["elements"][:1]})).save(tmp_path / PICTURE)  # type: ignore[index]
    for result in results(tmp_path):
        assert len(result.findings) <= 20
    page["elements"] = [*page["elements"], {**element, "id": "one-more"}]  # type: ignore[misc]
    (tmp_path / FILE).write_text(json.dumps(page), "utf-8")
    assert layout(tmp_path).findings[0].where == f"{FILE}: elements"


def test_fonts_come_from_the_named_folder_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = find_fonts()
    for path in (pair.regular, pair.bold):
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.setenv(fonts.VARIABLE, str(tmp_path))
    assert find_fonts().regular.parent == tmp_path


def test_without_a_korean_font_it_says_what_to_do(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "KNOWN", ())
    fonts._find.cache_clear()
    try:
        with pytest.raises(FontMissingError, match="PRACTICUM_FONTS"):
            draw(page_of(good))
        for check in (text_contrast, layout, as_specified):
            result = check(good)
            assert result.score == 0
            assert "PRACTICUM_FONTS" in result.findings[0].found.ko
    finally:
        fonts._find.cache_clear()


def test_lines_break_between_words_and_inside_a_word_only_where_it_must() -> None:
    element = Element(id="a", section="s", role="body", text="하동에서 오는 차\n상자", x=0, y=0, width=120, height=90, color="#000000", size=20)  # fmt: skip
    lines = wrap(element, find_fonts())
    assert "".join(lines).replace(" ", "") == "하동에서오는차상자"
    assert lines[-1] == "상자"
    assert wrap(element.model_copy(update={"width": 30}), find_fonts())[0] == "하"


def test_the_command_line_prints_findings(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(good / FILE), "--lang", "en"]) == 0
    put(good, changed(page_of(good), "order-3", background="#7DB58D"))
    assert main(["check", str(good / FILE), "--lang", "en"]) == 1
    assert "2.4:1" in capsys.readouterr().out


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "uiux_design", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "check" in done.stdout


def test_the_answer_format_is_a_strict_schema() -> None:
    item = ANSWER_FORMAT["json_schema"]["schema"]["properties"]["elements"]["items"]
    assert set(item["required"]) <= set(item["properties"])
    assert set(item["properties"]) | {"id", "section"} == set(Element.model_fields)
