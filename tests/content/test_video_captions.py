"""Captions: what is written is read back, nothing crashes the reader, and each rule finds its slip where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from video_content.captions import Cue, characters, line_length, no_overlap, parse, reading_speed, timecode, write
from video_content.render import wrap
from video_content.wording import likeness

WORDS = st.lists(
    st.text("가나다라마바사abc,.", min_size=1, max_size=9).filter(lambda w: not w.isdecimal()), min_size=1, max_size=12
)
CUES = st.lists(
    st.tuples(st.integers(0, 3_000_000), st.integers(1, 60_000), WORDS),
    max_size=8,
).map(lambda rows: [Cue(a / 1000, (a + d) / 1000, (" ".join(words),)) for a, d, words in rows])


@given(CUES)
def test_what_is_written_is_read_back(cues: list[Cue]) -> None:
    read, problems = parse(write(cues))
    assert not problems
    assert [(timecode(c.start), timecode(c.end), c.lines) for c in read] == [
        (timecode(c.start), timecode(c.end), c.lines) for c in cues
    ]


@given(st.text(max_size=400))
def test_no_text_crashes_the_reader(text: str) -> None:
    cues, problems = parse(text)
    assert all(cue.end > cue.start and cue.lines for cue in cues)
    assert bool(cues or problems) == bool(text.strip()) or not any(line.strip() for line in text.splitlines())


@given(
    st.lists(
        st.sampled_from(["1", "00:00:01,000 --> 00:00:02,000", "-->", "99:99:99,999 --> 0", "말", ""]), max_size=30
    )
)
def test_broken_blocks_are_findings(lines: list[str]) -> None:
    cues, problems = parse("\n".join(lines))
    assert all(p.where and p.where.startswith("line ") and not p.ok for p in problems)
    assert all(0 <= cue.start < cue.end for cue in cues)


@given(WORDS, st.integers(4, 42))
def test_wrapped_lines_fit_and_lose_nothing(words: list[str], width: int) -> None:
    lines = wrap(" ".join(words), width)
    assert all(characters(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(words)


def srt(folder: Path, *blocks: str) -> Path:
    (folder / "c.srt").write_text("\n\n".join(blocks), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("가" * 16, True),
        ("가" * 17, False),
        ("가\n나", True),
        ("가\n나\n다", False),
        ("<i>" + "가" * 16 + "</i>", True),
    ],
)
def test_lines_and_characters(tmp_path: Path, text: str, whole: bool) -> None:
    folder = srt(tmp_path, f"1\n00:00:01,000 --> 00:00:09,000\n{text}")
    assert (line_length(folder, file="c.srt", max_characters=16).score == 1) is whole


@pytest.mark.parametrize(("seconds", "whole"), [("03,000", True), ("02,999", True), ("02,500", False)])
def test_reading_speed_counts_spaces(tmp_path: Path, seconds: str, whole: bool) -> None:
    folder = srt(tmp_path, f"1\n00:00:02,000 --> 00:00:{seconds}\n열두 자를 세어 봅니다")
    assert (reading_speed(folder, file="c.srt", max_cps=12).score == 1) is whole


def test_an_overlap_is_found_with_its_time(tmp_path: Path) -> None:
    folder = srt(tmp_path, "1\n00:00:01,000 --> 00:00:03,000\n가", "2\n00:00:02,900 --> 00:00:04,000\n나")
    result = no_overlap(folder, file="c.srt")
    assert result.score < 1
    assert result.findings[0].where == "00:00:02,900"


@pytest.mark.parametrize("check", [no_overlap])
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"hello", b"1\n00:00:05,000 --> 00:00:01,000\nx", b"-" * 1_000_001]
)
def test_a_broken_file_scores_nothing_and_says_why(tmp_path: Path, check: object, content: bytes) -> None:
    (tmp_path / "c.srt").write_bytes(content)
    for result in (
        no_overlap(tmp_path, file="c.srt"),
        reading_speed(tmp_path, file="c.srt", max_cps=12),
        line_length(tmp_path, file="c.srt", max_characters=16),
    ):
        assert result.score == 0
        assert result.findings
    assert no_overlap(tmp_path, file="none.srt").score == 0


def test_hesitations_make_no_difference_but_words_do() -> None:
    assert likeness("아, 그게… 음, 주차는 안 됩니다.", "주차는 안 됩니다") == 1
    assert likeness("Oh, um, well, you can't park here.", "you can't park here") == 1
    assert likeness("주차는 안 됩니다", "주말에는 쉽니다") < 0.8
