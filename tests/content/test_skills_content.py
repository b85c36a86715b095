"""What the skills checks measure by: cut lists against a transcript, mended pages, and mended texts in other words."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skills_submissions import CHECKS, LANGS, build, graded

from labs.catalog import find_lab
from labs.texts import UserError
from publishing.mending import mended as mended_text
from video_content import paper_edit
from video_content.cuts import FILE, Range
from video_content.paper_edit import read_cuts, read_transcript, save_cuts

FILM = find_lab("film-check-before").folder
KEYS = {"key": FILM / "server" / "cuts.yaml", "transcript": FILM / "learner" / "transcript.ko.json"}
#: Right in other words than the reference's, by form and language; each puts right one faulty sentence.
OTHER_WORDS = {
    ("book-check-before", "ko"): {
        "S2": ["아홉 해 동안 등대를 돌봤다."],
        "S5": ["혼자 밤을 새우지 않는다.", "박문호, 이정임과 번갈아 밤을 지킨다."],
        "S10": ["출간일은 4/23."],
    },
    ("book-check-before", "en"): {
        "S2": ["The author is in the ninth year here."],
        "S5": ["The author does not keep watch alone.", "One is never alone at night: they take turns."],
        "S10": ["Out April 23."],
    },
    ("book-check-after", "ko"): {
        "S3": ["서른여섯 편의 글."],
        "S6": ["따라 할 수 있는 조리법은 없다.", "요리책이 아니다."],
        "S7": ["10월 17일 출간."],
    },
    ("book-check-after", "en"): {
        "S3": ["Thirty-six pieces."],
        "S6": ["There are no recipes to follow.", "It is not a cookbook."],
        "S7": ["Out on 17th of October."],
    },
}


def cutlist(folder: Path, *cuts: tuple[float, float]) -> Path:
    ranges = [{"start": start, "end": end} for start, end in cuts]
    (folder / FILE).write_text(json.dumps({"source": "interview", "ranges": ranges}), "utf-8")
    return folder


def test_cuts_are_typed_as_people_type_them(tmp_path: Path) -> None:
    assert read_cuts("3.0 - 7.2\n\n12~15.2초\n 19–23.6 s ", "x").ranges == (
        Range(start=3, end=7.2), Range(start=12, end=15.2), Range(start=19, end=23.6),
    )  # fmt: skip
    assert "8.0" in save_cuts(tmp_path, "2 - 10", "ko")


@pytest.mark.parametrize("bad", ["3.0", "7.2 - 3.0", "00:03 - 00:07", "a - b", "3 - 3", "-3 - 7", "9" * 400 + " - 3"])
def test_a_cut_that_cannot_be_read_is_named_and_nothing_is_written(bad: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        read_cuts(f"1 - 2\n{bad}", "x")
    assert "2번째 줄" in save_cuts(tmp_path, f"1 - 2\n{bad}", "ko")
    assert "no cut yet" in save_cuts(tmp_path, " \n", "en")
    assert "Line 2" in save_cuts(tmp_path, f"1 - 2\n{bad}", "en")
    assert list(tmp_path.iterdir()) == []


def test_a_sentence_that_another_makes_right_may_stay_with_it(tmp_path: Path) -> None:
    alone = paper_edit.drops_lines(cutlist(tmp_path, (2.9, 7.3), (24.0, 27.0), (37.5, 41.7)), **KEYS)
    assert alone.score == 0.5
    assert alone.findings[0].where == "L08"
    whole = cutlist(tmp_path, (2.9, 7.3), (24.0, 30.0), (37.5, 41.7))
    assert paper_edit.drops_lines(whole, **KEYS).score == 1


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.tuples(st.floats(0, 60), st.floats(0.1, 30)), max_size=12))
def test_no_cut_list_breaks_a_check_and_none_outside_a_clips_length_scores(
    cuts: list[tuple[float, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = cutlist(tmp_path_factory.mktemp("cuts"), *((start, start + long) for start, long in cuts))
    results = [
        paper_edit.keeps_lines(folder, **KEYS), paper_edit.drops_lines(folder, **KEYS),
        paper_edit.between_words(folder, transcript=KEYS["transcript"]),
        paper_edit.length(folder, min_seconds=18, max_seconds=22),
    ]  # fmt: skip
    if not 8 <= sum(long for _start, long in cuts) <= 40.01:
        assert [result.score for result in results] == [0, 0, 0, 0]


@pytest.mark.parametrize("form", ["before", "after"])
def test_the_languages_of_a_transcript_have_the_same_lines_at_the_same_times(form: str) -> None:
    folder = find_lab(f"film-check-{form}").folder / "learner"
    ko, en = (
        [(one["id"], one["start"], one["end"]) for one in read_transcript(folder / f"transcript.{lang}.json")]
        for lang in LANGS
    )
    assert ko == en
    assert all(before[2] <= after[1] for before, after in pairwise(ko))


def ux_score(folder: Path, lab_id: str = "ux-check-before") -> dict[str, float]:
    return {key: one.points for key, one in graded(find_lab(lab_id), folder, "ko").items() if key.startswith("mended")}


@pytest.fixture
def page(tmp_path: Path) -> dict[str, Any]:
    build(find_lab("ux-check-before"), "good", tmp_path, "ko")
    found: dict[str, Any] = json.loads((tmp_path / "wireframe.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize(
    ("element", "fields", "screen"),
    [
        ("info-2", None, 26.2),  # thrown away is not mended
        ("book-2", {"height": 43}, 26.2),
        ("top-4", {"y": 300}, 20.4),  # inside the frame, but on the picture, which was sound
        ("foot-1", {"color": "#F0F0F0"}, 29.2),
        ("foot-1", {"text": "문의"}, 29.2),
    ],
)
def test_what_is_broken_or_thrown_away_costs(
    element: str, fields: dict[str, Any] | None, screen: float, page: dict[str, Any], tmp_path: Path
) -> None:
    page["elements"] = [
        {**one, **(fields or {})} if one["id"] == element else one
        for one in page["elements"] if one["id"] != element or fields is not None
    ]  # fmt: skip
    (tmp_path / "wireframe.json").write_text(json.dumps(page), "utf-8")
    assert ux_score(tmp_path)["mended-screen"] == screen


@pytest.mark.parametrize(("lab_id", "lang"), list(OTHER_WORDS))
def test_a_text_put_right_in_other_words_is_right(lab_id: str, lang: str, tmp_path: Path) -> None:
    lab = find_lab(lab_id)
    draft = json.loads((lab.folder / "learner" / f"blurb.{lang}.json").read_text("utf-8"))
    for number, ways in OTHER_WORDS[lab_id, lang].items():
        for said in ways:
            text = " ".join([*draft[: int(number[1:]) - 1], said, *draft[int(number[1:]) :]])
            (tmp_path / "blurb.md").write_text(text, "utf-8")
            result = mended_text(tmp_path, key=lab.folder / "server" / "mend.yaml", lang=lang, max_chars=2_000)
            assert result.score == pytest.approx(0.2), (number, said, result)


@pytest.mark.parametrize("lang", LANGS)
def test_the_source_sheet_in_place_of_the_text_is_no_text(lang: str, tmp_path: Path) -> None:
    for lab in (lab for lab in CHECKS if lab.pack == "publishing"):
        sheet = (lab.folder / "learner" / f"sheet.{lang}.md").read_text("utf-8")
        (tmp_path / "blurb.md").write_text(sheet, "utf-8")
        assert graded(lab, tmp_path, lang)["mended"].points == 0
