"""What the review desk shows of hostile work: clips, pictures, texts, captions and links of a learner."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest
from desk_class import CLIP, LAB, RERUN, DeskClass, evidence, files
from desk_page import DESK, ESCAPED, desk, number_of, page, save, served, waiting
from played_gateway import receipt
from small_gradebook import ANSWER
from test_portal_pages import Finder
from test_portal_world import PREFIX, SCRIPT, seeded_records, world

from hub_config.portal import desk_files, site
from hub_config.portal.desk_media import media_type, webvtt
from hub_config.portal.desk_text import MOST_CHARACTERS, drafts_of, text_of


def test_a_clip_comes_in_ranges_and_as_nothing_but_a_clip(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    part = served(desk, submission, "final.mp4", range="bytes=4-11")
    assert (part.status_code, part.content) == (206, b"ftypisom")
    assert part.headers["content-range"] == f"bytes 4-11/{len(CLIP)}"
    assert part.headers["content-type"] == "video/mp4"
    assert part.headers["x-content-type-options"] == "nosniff"
    assert part.headers["content-security-policy"].startswith("default-src 'none'; sandbox")
    kept = served(desk, submission, "final.mp4", "?download=true")
    assert kept.headers["content-type"] == "application/octet-stream"
    assert kept.headers["content-disposition"] == 'attachment; filename="final.mp4"'
    policy = page(desk, f"/{submission}").headers["content-security-policy"]
    assert policy.startswith("default-src 'self';"), "clips and pictures come from here only"


HTML = f"<!doctype html>{SCRIPT}".encode()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("video", HTML), ("video", SVG), ("image", SVG), ("image", HTML), ("video", b"\0\0\0\x18ftypavif" + HTML),
        ("image", b""), ("video", b"\x89PNG\r\n\x1a\n"), ("document", CLIP), ("json", b"\x89PNG\r\n\x1a\n"),
        ("image", b"<?xml version='1.0'?>" + SVG), ("image", b"RIFF0000WAVE" + HTML), ("video", b"ftyp" + HTML),
    ],
)  # fmt: skip
def test_what_only_says_that_it_is_media_is_none(tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert media_type(kind, tmp_path / "f") is None


@pytest.mark.parametrize(
    ("kind", "start", "told"),
    [
        ("image", b"\x89PNG\r\n\x1a\n", "image/png"), ("image", b"\xff\xd8\xff", "image/jpeg"), ("image", b"GIF89a", "image/gif"),
        ("image", b"RIFF0000WEBP", "image/webp"), ("video", b"\0\0\0\x18ftypmp42", "video/mp4"),
        ("video", b"\x1a\x45\xdf\xa3\x01webm", "video/webm"),
    ],
)  # fmt: skip
def test_a_polyglot_is_served_as_the_media_that_it_begins_as(
    tmp_path: Path, kind: str, start: bytes, told: str
) -> None:
    (tmp_path / "f").write_bytes(start + b"/*" + HTML)
    assert media_type(kind, tmp_path / "f") == told


@pytest.mark.parametrize("defended", [True, False])
def test_html_named_as_a_clip_is_a_download(desk: DeskClass, monkeypatch: pytest.MonkeyPatch, defended: bool) -> None:
    submission = desk.hand_in(content=files(**{"final.mp4": HTML}))
    if not defended:
        monkeypatch.setattr(desk_files, "media_type", lambda *_: "text/html")
    answer = served(desk, submission, "final.mp4")
    assert (answer.headers["content-type"] == "application/octet-stream") is defended
    assert answer.headers.get("content-disposition", "").startswith("attachment") is defended
    assert ("<video" in page(desk, f"/{submission}").text) is not defended


@pytest.mark.parametrize("defended", [True, False])
def test_a_script_in_any_text_stays_text(desk: DeskClass, monkeypatch: pytest.MonkeyPatch, defended: bool) -> None:
    hostile = files(**{
        "captions.ko.srt": f"1\n00:00:00,000 --> 00:00:01,000\n{SCRIPT}\n".encode(), "cutlist.json": SCRIPT.encode(),
        "ai_disclosure.md": f"# {SCRIPT}\n[x](javascript:alert(1))".encode(), "evidence.json": evidence(SCRIPT, f"{SCRIPT}!"),
        f"{SCRIPT[:8]}.txt": b"x",
    })  # fmt: skip
    submission = desk.hand_in(content=hostile)
    desk.grade(submission, found=SCRIPT)
    save(desk, submission, level="3", comment=f"</textarea>{SCRIPT}")
    asked = f'{{"messages": [{{"role": "user", "content": "{SCRIPT}"}}]}}'
    desk.world.answer.receipts = [receipt(1, model=SCRIPT, prompt=asked)]  # type: ignore[attr-defined]
    if not defended:
        environment = site.environment(desk.world.site.words["ko"])
        monkeypatch.setattr(environment, "autoescape", False)
        monkeypatch.setattr(environment, "cache", None)
    shown = page(desk, f"/{submission}").text + page(desk, f"/{submission}/ai/rcpt_{1:024x}").text
    assert (SCRIPT in shown) is not defended
    if defended:
        assert shown.count(ESCAPED) >= 8
        assert "javascript:" not in "".join(re.findall(r'(?:href|src)="[^"]*"', shown))


def test_every_page_of_the_desk_is_clean_markup_in_both_languages(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    for lang in ("ko", "en"):
        for path in ("", f"/{submission}", f"/{submission}/ai"):
            found, text = Finder(), page(desk, path, lang=lang).text
            found.feed(text)
            assert (found.inline, found.outside) == ([], []), path
            assert len(found.ids) == len(set(found.ids)), path
            assert set(found.fields) <= found.labels, path
            assert text.count("<h1") == 1


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("ko", ["결과물 4개 중 2개 재현", "17번째 코드 칸에서 멈췄습니다: NameError", "AI 호출 4번에 기록된 답", "기록에 없는 AI 호출 1번",
                "똑같은 파일", "같은 내용", ">다름<", "만들어지지 않음", "점수에는 반영되지 않습니다"]),
        ("en", ["2 of 4 results came out again", "It stopped at code cell 17: NameError", "from the recording: 4", "refused: 1",
                "The same file", "The same content", ">Different<", "Not made", "It counts for no points"]),
    ],
)  # fmt: skip
def test_what_came_of_executing_the_notebook_again_is_shown(
    waiting: tuple[DeskClass, str], lang: str, said: list[str]
) -> None:
    desk, submission = waiting
    page = desk.world.browser("teacher", lang).get(f"{PREFIX}{DESK}/{submission}").text
    for words in said:
        assert words in page
    desk.grade(submission, rerun=RERUN.model_copy(update={"error": SCRIPT, "recorded": "none"}))
    page = desk.world.browser("teacher", lang).get(f"{PREFIX}{DESK}/{submission}").text
    assert ESCAPED in page
    assert SCRIPT not in page
    newer = desk.hand_in()
    assert said[0] not in desk.world.browser("teacher", lang).get(f"{PREFIX}{DESK}/{newer}").text


def test_a_huge_text_is_capped_with_a_note(desk: DeskClass) -> None:
    submission = desk.hand_in(content=files(**{"ai_disclosure.md": "가".encode() * 3_000_000}))
    shown = page(desk, f"/{submission}").text
    assert len(shown) < 3 * MOST_CHARACTERS
    assert "파일이 더 깁니다" in shown


def test_hostile_evidence_makes_no_long_page_and_no_long_wait(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    items = [{"id": f"{n}", "ai": "a\n" * 9_000, "final": "b\n" * 9_000, "decision": "edited"} for n in range(60)]
    file.write_text(json.dumps({"items": items}))
    drafts, more = drafts_of(file)
    assert len(drafts) + more == 60
    assert sum(len(draft.lines) for draft in drafts) < 3_000
    assert all(draft.cut for draft in drafts)
    nested = json.dumps(
        {"items": [{"id": "x", "ai": "[" * 900 + "]" * 900, "final": "[" * 9_000, "decision": "edited"}]}
    )
    for content in ('{"items": 1}', "[" * 100_000, "", '{"items": [{"ai": 1}]}', nested):
        file.write_text(content)
        drafts, more = drafts_of(file)
        assert sum(len(line) for draft in drafts for _, line in draft.lines) < 30_000
    assert drafts_of(None) == ((), 0)


def test_a_draft_is_compared_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(evidence("하나\n-- 둘\n셋", "하나\n++ 둘\n셋"))
    (draft,), more = drafts_of(file)
    assert [line for line in draft.lines if line[0] != "@"] == [
        (" ", "하나"),
        ("-", "-- 둘"),
        ("+", "++ 둘"),
        (" ", "셋"),
    ]
    assert (draft.cut, more) == (False, 0)


@pytest.mark.parametrize(
    ("raw", "text"),
    [("가나".encode("cp949"), "가나"), ("\ufeff가".encode(), "가"), (b"\xff\xfe\xfa", None), (b"a\0b", "none")],
)
def test_text_is_read_in_the_codes_that_learners_use(tmp_path: Path, raw: bytes, text: str | None) -> None:
    (tmp_path / "f").write_bytes(raw)
    shown = text_of(tmp_path / "f")
    assert shown is None if text == "none" else shown is not None and (text is None or shown.text == text)


def test_captions_become_a_track_of_times_and_plain_text(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    track = page(desk, f"/{submission}/captions/{number_of(desk, submission, 'captions.ko.srt')}")
    assert track.headers["content-type"].startswith("text/vtt")
    assert "sandbox" in track.headers["content-security-policy"]
    assert "00:00:00.500 --> 00:00:02.000\n가죽은 &lt;b&gt;천천히&lt;/b&gt; 길듭니다" in track.text
    assert page(desk, f"/{submission}/captions/{number_of(desk, submission, 'final.mp4')}").status_code == 404
    hostile = (
        "WEBVTT\n\nSTYLE\n::cue { background: url(//evil) }\n\nREGION\nid:x\n\n00:01.000 --> 00:02.000 line:0\n<c.x>ok"
    )
    assert webvtt(hostile) == "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n&lt;c.x&gt;ok\n"


def test_a_link_in_the_courses_folder_leads_nowhere(waiting: tuple[DeskClass, str], tmp_path: Path) -> None:
    desk, submission = waiting
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"cells": [{"metadata": {"nbgrader": {"grade_id": ANSWER}}, "source": "비밀"}]}))
    notebook = desk.root / "autograded" / "mina" / LAB / f"{LAB}.ipynb"
    notebook.unlink()
    notebook.symlink_to(secret)
    assert "비밀" not in page(desk, f"/{submission}").text
    for content in ("{}", "[1]", "{", '{"id": 3'):
        (notebook.parent / "practicum-receipt.json").write_text(content)
        assert page(desk, f"/{submission}").status_code == 200


# Names switched off.
