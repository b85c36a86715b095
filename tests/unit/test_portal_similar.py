"""The page of what is alike: its words, hostile text in it, its button, and who never sees any of it."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import sys
import time

import pytest
from test_portal_world import COURSE, PREFIX, SCRIPT, World, seeded_records, world

LAB = f"class/{COURSE}/labs/rough-cut"
PAGE = f"{PREFIX}{LAB}/similar"


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (
            "ko",
            (
                "판정이 아닙니다",
                "같은 AI 답변이나 같은 자료를 쓴",
                "점수에는 반영되지 않으며",
                "살펴볼 제출물 1쌍",
                "71% 비슷함",
            ),
        ),
        (
            "en",
            (
                "never a verdict",
                "the same AI answer or the same material",
                "No score",
                "1 pair to look at",
                "71% alike",
            ),
        ),
    ],
)
def test_the_page_says_what_it_is_and_shows_both_sides(world: World, lang: str, told: tuple[str, ...]) -> None:
    world.release()
    mine = world.submit()
    world.compared("우산을 고치는 오후", mina=mine)
    page = world.browser("teacher", lang).get(PAGE).text
    for text in (*told, "우산을 고치는 오후", "우산을 고치는 오후 저도요.", "김미나", "clip.mp4"):
        assert text in page
    assert f'href="{PREFIX}learn/{COURSE}/receipts/{mine}"' in page
    assert f'href="{PREFIX}learn/{COURSE}/receipts/bbbbbbbb"' in page


def test_markup_and_signs_that_hide_are_text(world: World) -> None:
    world.compared(f"{SCRIPT} \u202e거꾸로 <img src=x onerror=alert(1)>")
    page = world.browser("teacher").get(PAGE).text
    assert SCRIPT not in page
    assert "<img" not in page
    assert "[U+202E]거꾸로" in page
    assert "이브&lt;script&gt;" in page
    assert "비교하지 못한 파일" in page


def test_what_has_come_since_is_told_and_a_broken_result_is_none(world: World) -> None:
    assert "아직 비교한 적이 없습니다." in world.browser("teacher").get(PAGE).text
    world.release()
    world.submit()
    world.submit("jun")
    world.compared("가")
    assert "2건이 새로 제출되었습니다" in world.browser("teacher").get(PAGE).text
    file = world.settings.courses_folder / COURSE / "similar" / "rough-cut.json"
    for content in (b"{", b"\xff", b'{"version": 1, "lab": "rough-cut", "receipts": {}, "pairs": [{"first": 3}]}'):
        file.write_bytes(content)
        assert "아직 비교한 적이 없습니다." in world.browser("teacher").get(PAGE).text


def test_the_button_starts_a_run_of_its_own_kind(world: World) -> None:
    done = 'import sys\nprint(\'{"finished": true, "graded": 3, "failed": 0}\')\nassert sys.argv[1:] == ["video-1", "rough-cut"]'
    world.start(similar_command=(sys.executable, "-c", done))
    answer = world.post(world.browser("teacher"), f"{LAB}/similar", "teacher")
    assert answer.headers["location"] == f"{PAGE}#run"
    until = time.monotonic() + 20
    while world.site.runs.latest(COURSE, "rough-cut").state == "running":
        assert time.monotonic() < until
        time.sleep(0.02)
    assert "비교를 마쳤습니다: 3건." in world.browser("teacher").get(PAGE).text
    assert "비교를 마쳤습니다" not in world.browser("teacher").get(f"{PREFIX}{LAB}").text, (
        "the lab's page tells of grades"
    )


def test_a_form_from_elsewhere_starts_nothing(world: World) -> None:
    client = world.browser("teacher")
    assert client.post(PAGE, data={"csrf": "x"}, headers={"origin": "http://portal.test"}).status_code == 403
    csrf = {"csrf": world.site.seals.csrf(world.session)}
    assert client.post(PAGE, data=csrf, headers={"origin": "http://evil.test"}).status_code == 403
    assert world.site.runs.latest(COURSE, "rough-cut") is None


def test_nothing_of_it_is_on_a_learners_or_the_offices_pages(world: World) -> None:
    world.release()
    receipt = world.submit()
    world.compared("비밀 구절", mina=receipt)
    for login, path in (
        ("mina", f"learn/{COURSE}"),
        ("mina", f"learn/{COURSE}/receipts/{receipt}"),
        ("office", f"office/hanbit/{COURSE}"),
    ):
        page = world.browser(login).get(PREFIX + path)
        assert page.status_code == 200
        assert "비밀 구절" not in page.text
        assert "유사도" not in page.text
        assert "/similar" not in page.text
