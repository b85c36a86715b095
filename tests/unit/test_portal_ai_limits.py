"""The office's page of AI limits: what is shown, what is refused and how, who may, undoing, and two officers at once."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
import threading

import httpx
import pytest
from played_gateway import PlayedGateway, gateway, held
from sqlalchemy import select
from test_portal_world import COURSE, ORIGIN, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import ai_limits
from grader.records.db import reading
from grader.records.models import Event
from hub_config.ai_limits import Installation
from hub_config.portal import ai_limits as pages
from hub_config.settings import Settings

HERE = "office/hanbit/ai/limits"
FIELDS = ("krw", "krw_per_day", "tokens", "tokens_per_day")


@pytest.fixture
def played(world: World, monkeypatch: pytest.MonkeyPatch) -> PlayedGateway:
    """A gateway that takes over what it is handed, as the real one does."""
    monkeypatch.setattr(pages, "TRY_SECONDS", 0.0)
    made = world.answer = gateway()

    def hand_over() -> bool:
        for account, event in ai_limits.newest(changes(world)).items():
            told = event.payload["limit"] or {"krw": 3000 if account.kind == "learner" else None}
            made.limits = [
                line for line in made.limits if (line["account"], line["lab"]) != (account.kind, account.lab)
            ]
            made.limits.append(held(account.kind, account.lab, **told))
        return True

    installed = Settings(data=world.folder / "var", port=64_000)
    world.ai = Installation(lambda: installed, hand_over, installed.receipts_path)
    world.start()
    return made


def changes(world: World) -> list[Event]:
    with reading(world.engine) as session:
        return ai_limits.changes(session, "hanbit")


def send(world: World, path: str = "learner", login: str = "office", **form: str) -> httpx.Response:
    return world.post(world.browser(login), f"{HERE}/{path}", login, **form)


def follow(world: World, answer: httpx.Response) -> str:
    assert answer.status_code == 303, answer.text[-600:]
    page = world.browser("office").get(answer.headers["location"])
    assert page.status_code == 200
    return page.text


def test_the_page_says_each_limit_where_it_comes_from_and_what_is_spent(world: World, played: PlayedGateway) -> None:
    page = world.browser("office").get(PREFIX + HERE).text
    for told in ("기관 전체", "과정마다", "훈련생 1인, 한 과정에서", "3,000", "기본값", "1,234", "한도 없음"):
        assert told in page, told
    assert f'href="{PREFIX}{HERE}?course={COURSE}"' in page
    played.limits[-1]["used_up"] = 2
    of_run = world.browser("office").get(f"{PREFIX}{HERE}?course={COURSE}").text
    for told in ("훈련생 1인, 실습 인터뷰 1차 편집", "실습에서 정함", "전체 과정과 같음"):
        assert told in of_run, told
    assert "자막" not in of_run, "a lab without AI has no limit"
    assert f'href="{PREFIX}{HERE}' in world.browser("office").get(f"{PREFIX}office/hanbit/ai/use").text


def test_a_change_is_an_event_holds_at_once_and_can_be_undone(world: World, played: PlayedGateway) -> None:
    page = follow(world, send(world, krw="1,500", tokens_per_day=" ４0000 "))
    for told in (
        "전체 금액(원) <span",
        ">3,000<",
        ">1,500<",
        "하루 토큰",
        ">40,000<",
        "지금부터 이 한도가 적용됩니다",
        "담당자가 정함",
        "office",
    ):
        assert told in page, told
    (event,) = changes(world)
    assert event.payload["limit"] == {"krw": 1500, "tokens": None, "krw_per_day": None, "tokens_per_day": 40000}
    assert event.payload["was"]["krw"] == 3000
    assert (event.actor, event.at, event.course_id) == ("office", world.now, "")
    second = follow(world, send(world, krw="9", seen=event.id))
    assert "이 변경 취소" in second
    newest = changes(world)[0]
    assert ">1,500<" in follow(world, send(world, act="undo", seen=newest.id))
    assert changes(world)[0].payload["limit"] == event.payload["limit"], "undoing brings back what was before"
    back = follow(world, send(world, act="back", seen=changes(world)[0].id))
    assert "설정대로" in back
    assert "기본값" in back
    assert changes(world)[0].payload["limit"] is None
    assert len(changes(world)) == 4, "nothing of it is forgotten"


def test_the_first_change_undone_lets_the_settings_decide(world: World, played: PlayedGateway) -> None:
    follow(world, send(world, krw="7"))
    assert "기본값" in follow(world, send(world, act="undo", seen=changes(world)[0].id))


def test_a_limit_of_one_course_and_lab_names_both(world: World, played: PlayedGateway) -> None:
    page = follow(world, send(world, "lab", course=COURSE, lab="rough-cut", krw="0"))
    assert "훈련생 1인, 실습 인터뷰 1차 편집" in page
    (event,) = changes(world)
    assert (event.course_id, event.payload["lab"], event.payload["limit"]["krw"]) == (COURSE, "rough-cut", 0)
    assert event.payload["was"]["krw"] == 300, "what the lab itself said"


@pytest.mark.parametrize(
    "typed", ["-1", "1.5", "천 원", "1000000000000001", "9" * 40, SCRIPT, "0x10", "1e3", "\x00", "٣a"]
)
def test_what_is_no_number_is_refused_at_its_field_and_kept(world: World, played: PlayedGateway, typed: str) -> None:
    for name in FIELDS:
        answer = send(world, krw="5", **{name: typed}) if name != "krw" else send(world, krw=typed)
        assert answer.status_code == 422
        assert f'id="{name}-problem"' in answer.text
        assert answer.text.count('aria-invalid="true"') == 1
        assert SCRIPT not in answer.text
        shown = re.search(rf'<input id="{name}"[^>]* value="([^"]*)"', answer.text)
        assert shown
        assert shown[1] == typed.replace("<", "&lt;").replace(">", "&gt;")
        assert name == "krw" or 'value="5"' in answer.text, "what was right is kept too"
    assert changes(world) == []


def test_the_same_limit_again_records_nothing(world: World, played: PlayedGateway) -> None:
    for form in ({"krw": "3000"}, {"act": "back"}, {"act": "undo"}):
        answer = send(world, **form)
        assert answer.status_code == 200
        assert "바뀐 것이 없습니다" in answer.text
    assert changes(world) == []


def test_two_officers_at_once_the_second_sees_what_the_first_did(world: World, played: PlayedGateway) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda krw=krw: answers.append(send(world, krw=krw).status_code)) for krw in "12345678"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, *[409] * 7], "one of them was first"
    (event,) = changes(world)
    refused = send(world, krw="77")
    assert refused.status_code == 409
    for told in (
        "다른 사람이 이 한도를 바꾸어",
        'value="77"',
        f'value="{event.id}"',
        f">{event.payload['limit']['krw']}<",
    ):
        assert told in refused.text, told
    follow(world, send(world, krw="77", seen=event.id))
    assert changes(world)[0].payload["limit"]["krw"] == 77


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("learner", {"course": "other-1"}), ("learner", {"course": "nowhere"}), ("lab", {}), ("lab", {"course": COURSE}),
        ("lab", {"course": COURSE, "lab": "captions"}), ("lab", {"course": COURSE, "lab": SCRIPT}), ("institution", {"course": COURSE}),
        ("learner", {"lab": "rough-cut"}), ("everything", {}),
    ],
)  # fmt: skip
def test_an_account_that_the_records_do_not_know_has_no_limit(
    world: World, played: PlayedGateway, path: str, form: dict[str, str]
) -> None:
    answer = send(world, path, krw="1", **form)
    assert answer.status_code in (400, 404)
    assert SCRIPT not in answer.text
    assert world.browser("office").get(f"{PREFIX}{HERE}/{path}", params=form).status_code in (400, 404)
    assert changes(world) == []


@pytest.mark.parametrize("login", ["mina", "teacher", "stranger", "service", None])
def test_only_the_office_sees_and_changes_limits(world: World, played: PlayedGateway, login: str | None) -> None:
    browser = world.browser(login)
    assert browser.get(PREFIX + HERE).status_code == (303 if login in ("service", None) else 403)
    assert world.post(browser, f"{HERE}/learner", login or "office", krw="1").status_code == 403
    assert changes(world) == []


def test_a_form_from_elsewhere_changes_nothing(world: World, played: PlayedGateway) -> None:
    browser = world.browser("office")
    csrf = world.site.seals.csrf(world.session)
    for form, origin in (({"csrf": csrf}, "https://elsewhere.example"), ({}, ORIGIN), ({"csrf": "0" * 64}, ORIGIN)):
        answer = browser.post(f"{PREFIX}{HERE}/learner", data={**form, "krw": "1"}, headers={"origin": origin})
        assert answer.status_code == 403
    assert browser.get(f"{PREFIX}{HERE}/learner?krw=1&act=set").status_code == 200
    assert changes(world) == []


def test_a_gateway_that_is_away_or_holds_to_another_limit_is_said(world: World, played: PlayedGateway) -> None:
    installed = Settings(data=world.folder / "var", port=64_000)
    world.ai = Installation(lambda: installed, lambda: False, installed.receipts_path)
    world.start()
    page = follow(world, send(world, krw="1500"))
    assert "적용을 아직 확인하지 못했습니다" in page
    assert "아직 적용되지 않음" in page
    shown = world.browser("office").get(f"{PREFIX}{HERE}/learner").text
    assert "게이트웨이에는 다른 한도가 적용되고 있습니다" in shown
    assert "지금부터 이 한도가 적용됩니다" not in page
    world.answer = lambda request: httpx.Response(503)
    page = follow(world, send(world, krw="1600", seen=changes(world)[0].id))
    assert "적용을 아직 확인하지 못했습니다" in page
    assert "AI 게이트웨이가 응답하지 않습니다" in page
    assert ">1,600<" in page, "what was set is shown all the same"


def test_a_disk_that_is_full_loses_no_change(world: World, played: PlayedGateway) -> None:
    def full() -> bool:
        raise OSError(28, "No space left on device")

    installed = Settings(data=world.folder / "var", port=64_000)
    world.ai = Installation(lambda: installed, full, installed.receipts_path)
    world.start()
    assert "적용을 아직 확인하지 못했습니다" in follow(world, send(world, krw="1500"))
    assert len(changes(world)) == 1
