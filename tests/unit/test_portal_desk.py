"""The review desk: judging, two graders, the queue, names switched off, and the attacks on whoever looks at hostile work."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
import re
import time
import unicodedata
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from desk_class import CLIP, COURSE, LAB, RERUN, SRT, TASK, DeskClass, evidence, files
from fastapi.testclient import TestClient
from small_gradebook import ANSWER
from test_portal_pages import Finder
from test_portal_world import PNG, PREFIX, SCRIPT, World, gateway, receipt, seeded_records, world

from grader.records import journal, reviews
from grader.records.db import reading, writing
from grader.records.models import Person
from grader.records.state import learner_state
from hub_config.portal import desk_files, site
from hub_config.portal.desk_media import media_type, webvtt
from hub_config.portal.desk_names import VEIL, Veil, code
from hub_config.portal.desk_text import MOST_CHARACTERS, drafts_of, text_of
from hub_config.portal.security import Session

DESK = f"class/{COURSE}/labs/{LAB}/desk"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
HX = {"hx-request": "true"}


@pytest.fixture
def desk(world: World) -> DeskClass:
    world.answer = gateway()
    return DeskClass(world)


@pytest.fixture
def waiting(desk: DeskClass) -> tuple[DeskClass, str]:
    """A submission that waits for a person."""
    submission = desk.hand_in()
    desk.grade(submission)
    return desk, submission


def save(
    desk: DeskClass, submission: str, criterion: str = TASK, login: str = "teacher", **form: str
) -> httpx.Response:
    """Post a criterion's form as its page would, on what stands now where nothing else is said."""
    given = {"version": desk.standing(criterion=criterion).version, **form}
    return desk.world.post(
        desk.world.browser(login), f"{DESK}/{submission}/criteria/{criterion}", login, **given
    )  # fmt: skip


def page(desk: DeskClass, path: str = "", login: str = "teacher", lang: str = "ko", **headers: str) -> httpx.Response:
    return desk.world.browser(login, lang).get(f"{PREFIX}{DESK}{path}", headers=headers)


def state(desk: DeskClass, learner: str = "mina") -> tuple[str, float]:
    """Where the lab stands in the records, and with how many points."""
    with reading(desk.world.engine) as session:
        found = learner_state(session, COURSE, learner, desk.world.now)
    assert found is not None
    lab = found.labs[0]
    return lab.step, lab.grade.payload["points"] if lab.grade else -1


def test_a_save_is_in_the_gradebook_the_journal_and_the_grade_at_once(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    assert state(desk) == ("review", 50)
    answer = save(desk, submission, level="6", comment=" 흐름이 좋습니다.\r\n둘째 줄 ")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PREFIX}{DESK}/{submission}#judge"
    assert desk.in_gradebook() == (6, False, "흐름이 좋습니다.\n둘째 줄")
    assert state(desk) == ("review", 56), "another criterion still waits"
    save(desk, submission, ANSWER, other="2.5")
    assert state(desk) == ("graded", 58.5)
    with reading(desk.world.engine) as session:
        events = journal.events(session, COURSE, kind=reviews.SAVED)
        assert [(e.actor, e.subject, e.payload["submission"], e.payload["points"]) for e in events] == [
            ("teacher", "mina", submission, 6), ("teacher", "mina", submission, 2.5),
        ]  # fmt: skip
        assert journal.verify(session) is None
    save(desk, submission, level="6", comment="흐름이 좋습니다.\n둘째 줄")
    assert desk.world.events(reviews.SAVED) == 2, "the same once more is no event"
    shown = page(desk, f"/{submission}").text
    assert "6 / 8" in shown
    assert "teacher, " in shown


def test_points_can_be_taken_back_and_it_waits_again(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    save(desk, submission, level="6")
    save(desk, submission, level="", comment="다시 보겠습니다.")
    assert desk.in_gradebook() == (None, True, "다시 보겠습니다.")
    assert save(desk, submission, level="other").status_code == 303
    assert state(desk) == ("review", 50)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"level": "other", "other": "8.5"}, "0부터 8 사이"),
        ({"level": "-1"}, "0부터 8 사이"),
        ({"level": "nan"}, "0부터 8 사이"),
        ({"level": "other", "other": "많이"}, "숫자로"),
        ({"level": "6", "other": "3"}, "하나만 남기세요"),
        ({"level": "6", "comment": "글" * 5_001}, "5,000자"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_stays_in_the_form(
    waiting: tuple[DeskClass, str], form: dict[str, str], said: str
) -> None:
    desk, submission = waiting
    answer = save(desk, submission, **{"comment": "남아야 하는 글", **form})
    assert answer.status_code == 422
    assert said in answer.text
    assert form.get("comment", "남아야 하는 글") in answer.text
    assert desk.in_gradebook() == (None, True, None)
    part = desk.world.browser("teacher")
    csrf = desk.world.site.seals.csrf(desk.world.session)
    given = {"csrf": csrf, "version": desk.standing().version, **form}
    url = f"{PREFIX}{DESK}/{submission}/criteria/{TASK}"
    answer = part.post(url, data=given, headers={"origin": "http://portal.test", **HX})
    assert answer.status_code == 422
    assert said in answer.text
    assert "<html" not in answer.text


def test_what_another_grader_saved_is_not_overwritten_unseen(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    with writing(desk.world.engine) as session:
        session.add(Person(login="both", name="정민수"))
    seen = desk.standing().version
    save(desk, submission, login="both", level="8", comment="먼저 본 사람")
    refused = save(desk, submission, version=seen, level="3", comment="나중에 본 사람")
    assert refused.status_code == 409
    assert "정민수 님이 8점을 주었습니다." in refused.text
    assert "먼저 본 사람" in refused.text
    assert "나중에 본 사람" in refused.text, "what was typed is still there"
    assert desk.in_gradebook() == (8, False, "먼저 본 사람")
    over = re.search(r'name="over" value="(\w+)"', refused.text)
    assert over
    save(desk, submission, version=seen, over=over[1], level="3", comment="나중에 본 사람")
    assert desk.in_gradebook() == (3, False, "나중에 본 사람")


def test_a_page_is_told_what_another_grader_saved_and_else_nothing(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    shown = page(desk, f"/{submission}").text
    asked = next(url for url in re.findall(r'hx-get="([^"]+/now[^"]+)"', shown) if f"/{TASK}/" in url)
    asked = asked.replace("&amp;", "&")
    teacher = desk.world.browser("teacher")
    assert teacher.get(asked).status_code == 204
    save(desk, submission, login="both", level="0")
    told = teacher.get(asked)
    assert told.status_code == 200
    assert "both 님이 0점을 주었습니다." in told.text
    assert f'name="version" value="{desk.standing().version}"' not in told.text, "a save of this form is still refused"
    taken = teacher.get(f"{PREFIX}{DESK}/{submission}/criteria/{TASK}").text
    assert re.search(r'value="0" checked', taken)


def test_formgraders_change_shows_as_formgraders(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    seen = desk.standing().version
    save(desk, submission, level="6")
    with desk.book() as book:
        book.find_grade(TASK, LAB, LAB, "mina").manual_score = 5
        book.db.commit()
    assert "formgrader에서 바뀌었습니다." in save(desk, submission, version=seen, level="8").text
    shown = page(desk, f"/{submission}").text
    assert "formgrader에서 입력" in shown
    assert 'value="5"' in shown


def test_what_formgrader_changed_of_the_machines_points_can_be_confirmed_or_taken_back(
    waiting: tuple[DeskClass, str],
) -> None:
    desk, submission = waiting
    assert 'criteria/plays"' not in page(desk, f"/{submission}").text
    with desk.book() as book:
        book.find_grade("plays", LAB, LAB, "mina").manual_score = 2
        book.db.commit()
    assert 'criteria/plays"' in page(desk, f"/{submission}").text
    csrf = desk.world.site.seals.csrf(Session("token-teacher", "session-teacher"))
    form = {"csrf": csrf, "version": desk.standing(criterion="plays").version, "other": ""}
    answer = desk.world.browser("teacher").post(
        f"{PREFIX}{DESK}/{submission}/criteria/plays", data=form, headers={"origin": "http://portal.test", **HX}
    )
    assert (answer.status_code, answer.headers["hx-refresh"]) == (204, "true")
    assert desk.in_gradebook(criterion="plays")[:2] == (None, False)
    assert state(desk)[1] == 50, "the machine's points again"


def test_an_answer_left_empty_has_the_machines_points_and_may_get_a_persons(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    with desk.book() as book:
        grade = book.find_grade(ANSWER, LAB, LAB, "mina")
        grade.auto_score, grade.needs_manual_grade = 0, False
        book.db.commit()
    assert "답을 쓰지 않음" in page(desk, f"/{submission}").text
    save(desk, submission, ANSWER, other="0", comment="다음에는 꼭 써 보세요.")
    assert desk.in_gradebook(criterion=ANSWER) == (0, False, "다음에는 꼭 써 보세요.")
    assert "답을 쓰지 않음" not in page(desk, f"/{submission}").text


def test_points_of_an_earlier_submission_are_kept_and_marked(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    save(desk, submission, level="6", comment="첫 제출에 쓴 의견")
    desk.world.now += timedelta(hours=1)
    newer = desk.hand_in()
    assert "새 제출물이 들어왔습니다" in page(desk, f"/{submission}").text
    assert "아직 채점 전입니다" in page(desk, f"/{newer}").text
    desk.grade(newer)
    with desk.book() as book:
        book.find_grade(TASK, LAB, LAB, "mina").needs_manual_grade = True  # as grading leaves it
        book.db.commit()
    shown = page(desk, f"/{newer}").text
    assert "제출물이 바뀌었습니다" in shown
    assert "첫 제출에 쓴 의견" in shown
    assert f'href="{PREFIX}{DESK}/{submission}"' in shown
    assert "이전 제출물입니다" in page(desk, f"/{submission}").text
    assert save(desk, submission, level="3").status_code == 400, "the earlier one cannot be judged any more"
    save(desk, newer, level="6", comment="첫 제출에 쓴 의견")
    assert "제출물이 바뀌었습니다" not in page(desk, f"/{newer}").text
    assert desk.in_gradebook()[:2] == (6, False)


def test_the_queue_tells_who_waits_and_leads_on(desk: DeskClass) -> None:
    assert "아직 제출물이 없습니다" in page(desk).text
    given = {who: desk.hand_in(who) for who in ("mina", "jun", "eve")}
    for who in ("mina", "jun"):
        desk.grade(given[who], who)
    shown = page(desk).text
    assert "직접 채점할 제출물이 2개" in shown
    assert [shown.count(word) for word in (">자동 채점 대기<", ">강사 채점 대기<")] == [1, 2]
    for criterion in (TASK, ANSWER):
        save(desk, given["mina"], criterion, other="1", level="other")
    only = page(desk, "?show=waiting").text
    assert given["jun"] in only
    assert given["mina"] not in only
    for query, follows in (("", "eve"), ("?show=waiting", "jun")):
        shown = page(desk, f"/{given['mina']}{query}").text
        assert f'rel="next" href="{PREFIX}{DESK}/{given[follows]}{query}"' in shown
        assert 'rel="prev"' not in shown


def test_a_lab_without_a_gradebook_still_shows_what_was_handed_in(world: World) -> None:
    world.release()
    submission = world.submit()
    shown = world.browser("teacher").get(f"{PREFIX}{DESK}/{submission}")
    assert shown.status_code == 200
    assert "아직 채점 전입니다" in shown.text


def test_a_form_of_another_session_or_page_is_refused(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    browser, path = desk.world.browser("teacher"), f"{PREFIX}{DESK}/{submission}/criteria/{TASK}"
    for data, origin in (({}, "http://portal.test"), ({"csrf": "x"}, "http://portal.test")):
        assert browser.post(path, data=data, headers={"origin": origin}).status_code == 403
    csrf = desk.world.site.seals.csrf(desk.world.session)
    assert browser.post(path, data={"csrf": csrf}, headers={"origin": "http://evil.test"}).status_code == 403
    assert desk.world.post(browser, f"{DESK}/blind", "jun", to="on").status_code == 403
    assert desk.in_gradebook() == (None, True, None)
    assert desk.world.events(reviews.BLIND) == 0


@pytest.mark.parametrize("login", ["mina", "jun", "office", "stranger"])
def test_nobody_else_reads_or_writes_at_the_desk(waiting: tuple[DeskClass, str], login: str) -> None:
    desk, submission = waiting
    for path in ("files/0", "captions/1", "pictures/plays/0", f"criteria/{TASK}", f"criteria/{TASK}/now", "ai"):
        assert page(desk, f"/{submission}/{path}", login).status_code == 403, path
    assert save(desk, submission, login=login, level="8").status_code == 403
    assert desk.world.post(desk.world.browser(login), f"{DESK}/blind", login, to="on").status_code == 403
    assert desk.in_gradebook() == (None, True, None)


def test_another_courses_or_labs_address_does_not_lead_to_a_submission(waiting: tuple[DeskClass, str]) -> None:
    desk, submission = waiting
    teacher = desk.world.browser("teacher")
    for place in ("class/other-1/labs/rough-cut", f"class/{COURSE}/labs/captions", f"class/{COURSE}/labs/.."):
        for rest in ("", "/files/0", "/ai", f"/criteria/{TASK}"):
            answer = teacher.get(f"{PREFIX}{place}/desk/{submission}{rest}")
            assert answer.status_code in (403, 404), (place, rest)
    for number in ("99", "-1", "../0", "..%2f..%2fgradebook.db"):
        assert page(desk, f"/{submission}/files/{number}").status_code in (400, 404, 405), number


# What a browser gets of a file.


def number_of(desk: DeskClass, submission: str, name: str) -> int:
    return [entry.path for entry in desk.receipt(submission).manifest.files].index(name)


def served(desk: DeskClass, submission: str, name: str, query: str = "", **headers: str) -> httpx.Response:
    return page(desk, f"/{submission}/files/{number_of(desk, submission, name)}{query}", **headers)


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
        environment = site._environment(desk.world.site.words["ko"])
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


def hunt(text: str, people: dict[str, str]) -> list[str]:
    """The names and logins that a page gives away."""
    return [
        word
        for login, name in people.items()
        for word in (login, name)
        if re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", text)
    ]


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_with_names_off_no_page_of_the_desk_has_one(desk: DeskClass, lang: str) -> None:
    people = {"mina": "김미나", "jun": "이준"}
    told = "김미나(mina)가 이준과 함께 만들었습니다."
    given = {}
    for who, name in people.items():
        content = files(**{
            "ai_disclosure.md": told.encode(), f"{name}-{who}.hwp": b"x", "cutlist.json": f'{{"by": "{who}"}}'.encode(),
            "captions.ko.srt": SRT.replace("가죽", name).encode(), "evidence.json": evidence(f"{name}의 공방", f"{who} 공방"),
        })  # fmt: skip
        given[who] = desk.hand_in(who, content)
        desk.grade(given[who], who, found=f"{name}의 화면")
    prompt = json.dumps({"messages": [{"role": "user", "content": told}]}, ensure_ascii=False)
    calls = [receipt(number, who, prompt=prompt) for number, who in enumerate(people, 1)]
    desk.world.answer.receipts = calls  # type: ignore[attr-defined]
    paths = ["", "?show=waiting"]
    for number, submission in enumerate(given.values(), 1):
        paths += [
            f"/{submission}",
            f"/{submission}/ai",
            f"/{submission}/ai/rcpt_{number:024x}",
            f"/{submission}/criteria/{TASK}",
        ]
        paths += [f"/{submission}/captions/{number_of(desk, submission, 'captions.ko.srt')}"]
    assert all(hunt(page(desk, path, lang=lang).text, people) for path in paths if "criteria" not in path)

    answer = desk.world.post(desk.world.browser("teacher"), f"{DESK}/blind", "teacher", to="on")
    assert answer.headers["location"] == f"{PREFIX}{DESK}"
    for path in paths:
        shown = page(desk, path, lang=lang)
        assert shown.status_code == 200
        assert hunt(f"{shown.text}{dict(shown.headers)}", people) == [], path
    for who, submission in given.items():
        kept = served(desk, submission, f"{people[who]}-{who}.hwp", "?download=true")
        assert kept.headers["content-disposition"].endswith('.hwp"')
        assert hunt(str(dict(kept.headers)), people) == []
        assert code(submission) in page(desk).text
        refused = save(desk, submission, level="99")
        assert hunt(refused.text, people) == []
    order = re.findall(r'<th scope="row"><a href="[^"]+/(\w{32})"', page(desk).text)
    assert order == sorted(given.values(), key=code)
    with reading(desk.world.engine) as session:
        (event,) = journal.events(session, COURSE, kind=reviews.BLIND)
    assert (event.actor, event.payload) == ("teacher", {"lab": LAB, "on": True})
    desk.world.post(desk.world.browser("both"), f"{DESK}/blind", "both", to="off")
    assert "김미나" in page(desk).text


def test_a_name_is_taken_out_of_text_and_other_words_stay() -> None:
    veil = Veil({"mina": "김미나", "jun": "이준", "x": "밥"})
    assert (
        veil("김미나가 Mina@x.kr로 terminal을 열고 밥을 jun_2와") == "○○○가 ○○○@○○○.kr로 terminal을 열고 밥을 jun_2와"
    )
    assert veil(unicodedata.normalize("NFD", "김미나")) == "○○○", "as a Mac writes it"
    assert Veil({})("김미나") == "김미나"


def test_taking_a_whole_classs_names_out_of_a_long_text_is_quick() -> None:
    veil = Veil({f"learner{n}": f"훈련생{n}" for n in range(200)})
    began = time.monotonic()
    assert VEIL in veil("편집 초안을 훈련생17이 검토했습니다. " * 10_000)
    assert time.monotonic() - began < 1
