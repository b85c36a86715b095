"""Comparing submissions: what the same, a copied and an unrelated work say; and that nobody's own is not counted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from grader.similarity import texts
from grader.similarity.fingerprints import fingerprint, material_marks
from grader.similarity.pairs import find_pairs, passages
from grader.similarity.prints import MAX_MARKS, Kind, Part, Print, Wanted
from grader.similarity.result import MAX_EXCERPT, Pair
from grader.similarity.thresholds import COMMON_CLASS, THRESHOLDS

#: Four writers on four things, as learners write.
KOREAN = {
    "ann": "동네 책방은 문을 닫은 뒤에도 불을 켜 둡니다. 늦게 퇴근하는 사람이 창가에 서서 표지를 읽고 갈 수 있게 하려는 것입니다. "
    "주인은 아침마다 유리에 남은 손자국을 닦으면서 어젯밤에는 몇 명이 머물렀는지 헤아려 봅니다.",
    "bob": "배추를 절일 때는 소금보다 물의 온도가 더 중요합니다. 겨울 물에 담그면 줄기가 숨이 죽지 않아 하룻밤이 더 걸립니다. "
    "할머니는 손등으로 물을 재어 보고 한 바가지씩 더운물을 부었습니다.",
    "eve": "버스가 끊긴 시골 정류장에 도서관 차가 섭니다. 두 주에 한 번 오는 그 차를 기다리며 아이들은 빌린 책의 쪽수를 접어 두었습니다. "
    "기사님은 접힌 자국을 펴지 않고 그대로 다음 마을로 가져갑니다.",
    "zoe": "새 앱의 첫 화면에는 단추를 하나만 두었습니다. 사용자가 무엇을 누를지 고르느라 멈추는 시간을 재어 보니 네 초가 넘었기 때문입니다. "
    "나머지 기능은 아래로 밀어 올리면 나타나게 하고 글자를 키웠습니다.",
}


def part(text: str, kind: Kind = "document", path: str = "work.md", lang: str = "ko") -> Part:
    marks = sorted(set(texts.units_of(texts.plain(text), lang).marks()))
    return Part(path=path, kind=kind, sha256="", marks=tuple(marks[:MAX_MARKS]), text=texts.plain(text))


def prints(**written: str) -> list[Print]:
    return [Print(receipt=f"r-{who}", learner=who, parts=(part(text),)) for who, text in written.items()]


def the_pair(found: list[Pair]) -> tuple[str, str, float]:
    (pair,) = found
    return pair.first, pair.second, pair.parts[0].share


def test_unrelated_korean_texts_stay_far_below_and_the_same_is_one() -> None:
    assert find_pairs(prints(**KOREAN)) == []
    copied = prints(**KOREAN, yun=KOREAN["bob"].upper().replace(" ", "   ").replace(".", "!"))
    assert the_pair(find_pairs(copied)) == ("bob", "yun", 1.0)


def test_a_copy_with_words_changed_is_found_with_the_passages_that_stayed() -> None:
    reworded = KOREAN["ann"].replace("창가에", "유리창 앞에").replace("아침마다", "이튿날이면")
    (pair,) = find_pairs(prints(ann=KOREAN["ann"], bob=KOREAN["bob"], yun=f"머리말을 새로 썼습니다. {reworded}"))
    assert (pair.first, pair.second) == ("ann", "yun")
    assert THRESHOLDS["document"].share < pair.parts[0].share < 1
    longest = pair.parts[0].passages[0]
    assert longest.first.startswith("유리에 남은 손자국을"), "in whole words, where the changed ones end"
    assert longest.first in texts.plain(KOREAN["ann"])
    assert longest.second in texts.plain(reworded)


def test_what_was_handed_out_does_not_count() -> None:
    brief = KOREAN["zoe"]
    written = prints(ann=f"{brief} {KOREAN['ann']}", bob=f"{brief} {KOREAN['bob']}")
    assert find_pairs(written), "without the brief known, quoting it looks like copying"
    assert find_pairs(written, texts.units_of(texts.plain(brief), "ko").marks()) == []


def test_what_most_of_a_class_has_does_not_count_and_two_of_a_small_class_still_do() -> None:
    draft = KOREAN["zoe"]
    written = {who: f"{draft} {text}" for who, text in KOREAN.items() if who != "zoe"}
    assert len(find_pairs(prints(**written))) == 3, "three are too few to say what everybody has"
    assert find_pairs(prints(**written, yun=f"{draft} 저는 처음부터 다시 썼습니다.")) == []
    # Half of the class is not most of it: two who copied in a class of four are found.
    two = {"ann": KOREAN["ann"], "bob": KOREAN["ann"], "eve": KOREAN["eve"], "zoe": KOREAN["zoe"]}
    assert len(two) == COMMON_CLASS
    assert the_pair(find_pairs(prints(**two))) == ("ann", "bob", 1.0)


def test_too_little_to_compare_is_no_pair() -> None:
    assert find_pairs(prints(ann="네, 확인했습니다.", bob="네, 확인했습니다.")) == []


words = st.lists(st.sampled_from(" ".join(KOREAN.values()).split()), min_size=40, max_size=60, unique=True).map(
    " ".join
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["ann", "bob", "eve", "yun", "zoe"]), words, min_size=2), st.randoms())
def test_order_changes_nothing_and_a_share_is_a_share(written: dict[str, str], chance: object) -> None:
    made = prints(**written)
    turned = sorted(made, key=lambda _one: chance.random())  # type: ignore[attr-defined]
    found = find_pairs(made)
    assert found == find_pairs(turned)
    for pair in found:
        assert pair.first < pair.second
        assert all(0 <= one.share <= 1 for one in pair.parts)


@settings(max_examples=40, deadline=None)
@given(words, words)
def test_two_compared_say_the_same_from_both_sides_and_the_same_is_whole(one: str, other: str) -> None:
    assert the_pair(find_pairs(prints(ann=one, bob=one)))[2] == 1.0
    there, back = find_pairs(prints(ann=one, bob=other)), find_pairs(prints(ann=other, bob=one))
    assert [pair.parts[0].share for pair in there] == [pair.parts[0].share for pair in back]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=3000), st.text(max_size=3000), st.sampled_from(["ko", "en"]))
def test_any_text_is_cut_without_breaking(one: str, other: str, lang: str) -> None:
    first, second = (texts.units_of(texts.plain(text), lang) for text in (one, other + one))
    for found in passages(first, second, first.marks()):
        assert len(found.first) <= MAX_EXCERPT
        assert len(found.second) <= MAX_EXCERPT


def test_captions_are_compared_by_their_words_not_their_times() -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\n안녕하세요. 공방입니다.\n\n2\n00:00:02,000 --> 00:00:04,000\n45,000원입니다.\n"
    assert (
        texts.spoken(srt)
        == texts.spoken(srt.replace("00:00:0", "00:00:1"))
        == "안녕하세요. 공방입니다. 45,000원입니다."
    )


@pytest.mark.parametrize(
    "content", ["\n" * 4_000_000, " \n" * 2_000_000, "9" * 4_000_000, "-->" * 1_000_000, "가" * 1_600_000]
)
@pytest.mark.alone
@pytest.mark.parametrize("kind", ["captions", "document"])
def test_a_text_made_to_be_slow_is_not(tmp_path: Path, content: str, kind: Kind) -> None:
    (tmp_path / "c.srt").write_text(content, "utf-8")
    began = time.monotonic()
    found = fingerprint(tmp_path, Wanted(path="c.srt", kind=kind), "ko")
    assert not found.problem
    assert time.monotonic() - began < 5


@pytest.mark.alone
def test_passages_of_texts_that_repeat_themselves_are_found_in_time() -> None:
    one = texts.units_of("가" * 10_000 + "나다" * 5_000, "ko")
    other = texts.units_of("나다" * 5_000 + "가나" * 500 + "가" * 9_000, "ko")
    began = time.monotonic()
    assert passages(one, other, one.marks())
    assert time.monotonic() - began < 5


def test_a_structure_keeps_its_likeness_when_values_change(tmp_path: Path) -> None:
    cuts = [{"start": 1.5 * n, "end": 1.5 * n + 1.2, "line": f"L{n:02}"} for n in range(8)]
    other = [{"start": 1.9 * n, "end": 1.9 * n + 0.7, "line": f"L{n * 2:02}"} for n in range(8)]
    edited = [{**cut, "line": "L99"} if n == 3 else cut for n, cut in enumerate(cuts)]
    made = []
    for who, ranges in (("ann", cuts), ("bob", other), ("eve", edited)):
        (tmp_path / "cutlist.json").write_text(json.dumps({"ranges": ranges}))
        found = fingerprint(tmp_path, Wanted(path="cutlist.json", kind="json"), "ko")
        made.append(Print(receipt=who, learner=who, parts=(found,)))
    (pair,) = find_pairs(made)
    assert (pair.first, pair.second) == ("ann", "eve")
    assert "start: 6.0" in pair.parts[0].passages[0].first, "where: the ranges that stayed"


def test_in_the_evidence_only_what_the_learner_wrote_counts(tmp_path: Path) -> None:
    def evidence(final: str, reason: str) -> Part:
        item = {"id": "a", "ai": KOREAN["zoe"], "final": final, "decision": "edited", "reason": reason}
        (tmp_path / "evidence.json").write_text(json.dumps({"items": [item]}))
        return fingerprint(tmp_path, Wanted(path="evidence.json", kind="json"), "ko")

    made = [
        Print(receipt=who, learner=who, parts=(evidence(f"{KOREAN['zoe']} {KOREAN[who]}", "이유"),))
        for who in ("ann", "bob")
    ]
    assert find_pairs(made) == [], "the same AI answer is in both, and both changed it"
    assert set(made[0].parts[0].marks).isdisjoint(texts.units_of(texts.plain(KOREAN["zoe"]), "ko").marks())


def drawing(path: Path, seed: int, size: tuple[int, int] = (390, 844)) -> Path:
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for n in range(9):
        left, top = (seed * 37 + n * 61) % 240, (seed * 53 + n * 97) % 760
        draw.rectangle((left, top, left + 120, top + 30 + (seed + n) % 40), fill=(n * 20, 60, 120))
    image.save(path)
    return path


def test_a_picture_saved_smaller_and_worse_is_found_and_another_is_not(tmp_path: Path) -> None:
    made = []
    for seed in (1, 2, 3):
        drawing(tmp_path / "w.png", seed)
        made.append(fingerprint(tmp_path, Wanted(path="w.png", kind="image"), "ko"))
    with Image.open(drawing(tmp_path / "again.png", 1)) as image:
        image.resize((260, 563)).save(tmp_path / "w.png", "JPEG", quality=40)
    made.append(fingerprint(tmp_path, Wanted(path="w.png", kind="image"), "ko"))
    (pair,) = find_pairs([Print(receipt=w, learner=w, parts=(p,)) for w, p in zip("abcd", made, strict=True)])
    assert (pair.first, pair.second) == ("a", "d")
    assert pair.parts[0].share > 0.85
    assert not pair.parts[0].identical


@pytest.mark.parametrize(
    ("kind", "name", "content"),
    [
        ("json", "a.json", b"[" * 200_000 + b"]" * 200_000),
        ("json", "a.json", b'{"n": ' + b"9" * 100_000 + b"}"),
        ("json", "evidence.json", b'{"items": 3}'),
        ("json", "a.json", b"\xff\xfe\x00"),
        ("document", "a.md", b"\xff\xfe\x00"),
        ("image", "a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 100),
        ("image", "a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("video", "a.mp4", b"#EXTM3U\nfile:///etc/passwd\n"),
        ("video", "a.exe", b"MZ"),
        ("document", "a.md", b"x" * 6_000_000),
    ],
)
def test_a_broken_file_has_no_fingerprint_and_is_named(tmp_path: Path, kind: Kind, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = fingerprint(tmp_path, Wanted(path=name, kind=kind), "ko")
    assert found == Part(path=name, kind=kind, problem="unreadable")


def test_links_are_not_followed_and_what_is_missing_says_so(tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text(KOREAN["ann"], "utf-8")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "a.md").symlink_to(secret)
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.md")
    for name in ("a.md", "up/secret.md", "../secret.md", "none.md", "pipe.md"):
        assert fingerprint(folder, Wanted(path=name, kind="document"), "ko").problem == "missing", name
    assert material_marks(folder, "ko") == set(), "nor in the material"


def test_a_very_long_text_is_sampled_and_still_compared() -> None:
    long = " ".join(f"{n}번째 줄에는 {n * 7919 % 1000}와 {n * 104729 % 977}이 적혀 있습니다." for n in range(900))
    other = " ".join(f"{n}번 칸에서 {n * 7907 % 1000}만큼 {n * 104723 % 977}로 옮겨 갔다." for n in range(900))
    one, two = part(long), part(f"{other[:2500]} {long}")
    assert len(one.marks) == len(two.marks) == MAX_MARKS
    made = [
        Print(receipt=who, learner=who, parts=(p,)) for who, p in (("ann", one), ("bob", two), ("eve", part(other)))
    ]
    pairs = {(pair.first, pair.second): pair.parts[0].share for pair in find_pairs(made)}
    assert pairs.keys() == {("ann", "bob")}
    assert 0.75 < pairs["ann", "bob"] <= 1


def test_a_class_of_three_hundred_is_compared_in_seconds() -> None:
    def work(n: int) -> Print:
        marks = tuple(sorted(texts.mark(f"{n} {m}") for m in range(900)))
        parts = tuple(Part(path=f"{p}.md", kind="document", marks=marks, text="") for p in range(4))
        return Print(receipt=str(n), learner=f"{n:03}", parts=parts)

    made = [work(n) for n in range(300)]
    started = time.monotonic()
    assert find_pairs(made) == []
    seconds = time.monotonic() - started
    print(f"{seconds:.1f} s")
    assert seconds < 60
