"""Due times on the pages: set and extended by an instructor with a reason, and shown wherever a learner or a class looks."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from test_portal_server import HAND_IN, Server
from test_portal_world import COURSE, NOW, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import deadlines
from grader.records.db import reading
from grader.records.deadlines import Deadline
from labs.manifest import LatePolicy, Terms

LEARN, CLASS = f"{PREFIX}learn/{COURSE}", f"{PREFIX}class/{COURSE}"
PAGE = f"class/{COURSE}/labs/rough-cut/deadline"
DUE = {
    "due": "2026-07-09T18:00", "grace_minutes": "10", "policy": "percent", "percent_per_day": "10", "at_most_days": "3",
    "attempts": "0", "reason": "실습실 공사",
}  # fmt: skip
EXTENSION = {"learner": "mina", "until": "2026-07-12T18:00", "reason": '병원 "진료"'}
#: 18:00 in Seoul on 9 July.
AT = datetime(2026, 7, 9, 9, 0, tzinfo=UTC)


@pytest.fixture
def teacher(world: World) -> World:
    """The course with a lab that is handed out."""
    world.release()
    return world


def post(world: World, path: str = "", who: str = "teacher", **form: str) -> httpx.Response:
    return world.post(world.browser(who), f"{PAGE}{path}", who, **form)


def page(world: World, who: str = "teacher", address: str = f"{PREFIX}{PAGE}", lang: str = "ko") -> str:
    return world.browser(who, lang).get(address).text


def of(world: World, learner: str = "") -> Deadline:
    with reading(world.engine) as session:
        return deadlines.deadlines_of(session, COURSE).of("rough-cut", learner)


def extend(world: World, **changed: str) -> httpx.Response:
    return post(world, "/extensions", **{**EXTENSION, **changed})


def test_a_due_time_is_set_in_the_institutions_time(teacher: World) -> None:
    answer = post(teacher, **DUE)
    assert answer.headers["location"] == f"{PREFIX}{PAGE}?done=set"
    assert of(teacher).due_at == AT
    assert of(teacher).terms == Terms()
    shown = page(teacher, address=f"{PREFIX}{PAGE}?done=set")
    for told in ("마감을 설정했습니다.", "7월 9일 (목) 18:00", "하루 늦을 때마다 점수의 10%씩, 최대 30%까지 감점합니다.",
                 'value="2026-07-09T18:00"', "실습실 공사", "기록: teacher"):  # fmt: skip
        assert told in shown
    assert "Each day late takes off 10% of the points, at most 30%." in page(teacher, lang="en")


def test_a_due_time_may_be_none_and_terms_alone_leave_its_seconds(teacher: World) -> None:
    standing = of(teacher).due_at
    assert standing is not None
    post(teacher, **{**DUE, "due": "2026-07-11T10:00", "attempts": "2"})
    assert (of(teacher).due_at, of(teacher).terms.attempts) == (standing, 2)
    post(teacher, **{**DUE, "due": " "})
    assert of(teacher).due_at is None
    assert "마감 없음" in page(teacher)
    assert "연장할 수 없습니다. 먼저 마감을 설정하세요." in page(teacher)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reason": " "}, "나중에 알아볼 수 있도록 사유를 입력하세요."),
        ({"due": "tomorrow"}, "2026-07-10 18:00처럼"),
        ({"due": "0001-01-01T00:00"}, "2026-07-10 18:00처럼"),
        ({"due": "2026-07-09T18:00+00:00"}, "2026-07-10 18:00처럼"),
        ({"percent_per_day": "101"}, "감점률은 0~100%,"),
        ({"grace_minutes": "-1"}, "정수로 입력하세요."),
        ({"at_most_days": "1.5"}, "정수로 입력하세요."),
        ({"attempts": "many"}, "정수로 입력하세요."),
        ({"policy": "forgive"}, "정수로 입력하세요."),
    ],
)
def test_a_refused_due_time_keeps_what_was_typed(teacher: World, change: dict[str, str], told: str) -> None:
    form = {**DUE, **change}
    answer = post(teacher, **form)
    assert answer.status_code == 422
    assert told in answer.text
    for name in ("due", "grace_minutes", "percent_per_day", "at_most_days", "attempts"):
        assert f'name="{name}"' in answer.text
        assert f'value="{form[name]}"' in answer.text
    assert teacher.events(deadlines.SET) == 0


def test_a_time_that_the_clocks_skip_is_refused(teacher: World) -> None:
    with teacher.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE institution SET time_zone = 'Europe/Berlin' WHERE id = 'hanbit'")
    assert post(teacher, **{**DUE, "due": "2027-03-28T02:30"}).status_code == 422
    assert post(teacher, **{**DUE, "due": "2027-03-28T03:30"}).status_code == 303
    assert of(teacher).due_at == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


def test_an_extension_is_given_listed_and_taken_back(teacher: World) -> None:
    assert extend(teacher).headers["location"].endswith("?done=extended")
    assert of(teacher, "mina").due_at == datetime(2026, 7, 12, 9, 0, tzinfo=UTC)
    assert of(teacher, "jun").due_at == of(teacher).due_at
    shown = page(teacher)
    assert "7월 12일 (일) 18:00까지" in shown
    assert "병원 &#34;진료&#34;" in shown
    assert "마감 연장 1명" in page(teacher, address=f"{CLASS}/labs/rough-cut")
    answer = post(teacher, "/withdrawals", learner="mina", reason="")
    assert answer.status_code == 422
    assert "사유를 입력하세요" in answer.text
    answer = post(teacher, "/withdrawals", learner="mina", reason="잘못 입력")
    assert answer.headers["location"].endswith("?done=withdrawn")
    assert of(teacher, "mina").due_at == of(teacher).due_at
    shown = page(teacher)
    assert "마감을 연장한 훈련생이 없습니다." in shown
    for told in ("마감 연장 취소", "잘못 입력", "김미나"):
        assert told in shown, "what was changed stays readable"
    assert "이미 취소된 연장입니다." in post(teacher, "/withdrawals", learner="mina", reason="또").text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"learner": "stranger"}, "이 과정의 훈련생을 선택하세요."),
        ({"until": "2026-07-10T18:00"}, "과정의 마감보다 늦어야 합니다."),
        ({"until": ""}, "2026-07-10 18:00처럼"),
        ({"reason": ""}, "사유를 입력하세요."),
    ],
)
def test_a_refused_extension_keeps_what_was_typed(teacher: World, change: dict[str, str], told: str) -> None:
    form = {**EXTENSION, **change}
    answer = extend(teacher, **change)
    assert answer.status_code == 422
    assert told in answer.text
    assert f'value="{form["until"]}"' in answer.text
    assert form["reason"].replace('"', "&#34;") in answer.text
    if form["learner"] == "mina":
        assert '<option value="mina" selected>' in answer.text
    assert teacher.events(deadlines.EXTENDED) == 0


def test_only_an_instructor_with_our_own_form_changes_a_deadline(teacher: World) -> None:
    for path, form in (("", DUE), ("/extensions", EXTENSION), ("/withdrawals", EXTENSION)):
        for who in ("mina", "office", "stranger"):
            assert post(teacher, path, who, **form).status_code == 403
        browser = teacher.browser("teacher")
        forged = browser.post(f"{PREFIX}{PAGE}{path}", data={**form, "csrf": "x"}, headers={"origin": "https://evil"})
        assert forged.status_code == 403
        nowhere = f"class/{COURSE}/labs/nothing/deadline{path}"
        assert teacher.post(browser, nowhere, "teacher", **form).status_code == 404
    assert teacher.events(deadlines.SET) == teacher.events(deadlines.EXTENDED) == 0


def test_a_script_in_a_reason_is_text(teacher: World) -> None:
    extend(teacher, reason=SCRIPT)
    for shown in (page(teacher), page(teacher, "mina", LEARN)):
        assert SCRIPT not in shown
        assert "&lt;script&gt;" in shown


def test_a_learner_sees_due_time_terms_and_their_own_extension(teacher: World) -> None:
    post(teacher, **DUE)
    extend(teacher)
    for address in (LEARN, f"{PREFIX}{HAND_IN}"):
        mine = page(teacher, "mina", address)
        for told in (
            "7월 12일 (일) 18:00",
            "연장됨",
            "원래 마감은 7월 9일 (목) 18:00",
            "병원 &#34;진료&#34;",
            "최대 30%",
        ):
            assert told in mine
    others = page(teacher, "jun", LEARN)
    assert "7월 9일 (목) 18:00" in others
    assert "병원" not in others
    roster = page(teacher, address=CLASS)
    assert "마감 7/9" in roster
    assert "연장됨" in roster
    assert "7월 12일 (일) 18:00까지 연장" in page(teacher, address=f"{CLASS}/labs/rough-cut")


def late_work(world: World) -> str:
    """mina hands in a day late and gets 65 of 100 with the penalty in it; the receipt."""
    post(world, **DUE)
    world.now = AT + timedelta(days=1)
    receipt = world.submit()
    world.grade(receipt, 65)
    world.feedback(receipt)
    return receipt


def test_late_work_says_before_off_and_after_everywhere(teacher: World) -> None:
    receipt = late_work(teacher)
    home = page(teacher, "mina", LEARN)
    for told in ("58.5 / 100", "지각 감점 −6.5", "1일 늦음, 10% 감점", "58.5 / 100점, 지각 제출 감점 6.5점 반영, 확정"):
        assert told in home
    told = page(teacher, "mina", f"{LEARN}/feedback/{receipt}")  # the feedback's own 80 of 100
    for part in ("감점 전 점수", ">80<", "−8<", "72 / 100", "1일 늦음, 10% 감점"):
        assert part in told
    proof = page(teacher, "mina", f"{LEARN}/receipts/{receipt}")
    assert "7월 9일 (목) 18:00" in proof
    assert "1일 늦음" in proof
    for address in (CLASS, f"{CLASS}/labs/rough-cut"):
        assert "1일 늦음" in page(teacher, address=address)
        assert "58.5 / 100" in page(teacher, address=address)
    assert "1 day late, 10% taken off" in page(teacher, address=f"{CLASS}/labs/rough-cut", lang="en")


def test_an_extension_after_feedback_shows_at_once(teacher: World) -> None:
    receipt = late_work(teacher)
    extend(teacher)
    told = page(teacher, "mina", f"{LEARN}/feedback/{receipt}")
    assert "80 / 100" in told
    assert "감점" not in told
    assert "65 / 100" in page(teacher, "mina", LEARN)
    assert "기한 안" in page(teacher, "mina", f"{LEARN}/receipts/{receipt}")
    office = page(teacher, "office", f"{PREFIX}office/hanbit/{COURSE}/people/mina")
    assert "마감 연장" in office
    assert "병원 &#34;진료&#34;" in office


def test_handing_in_late_is_told_beforehand(teacher: World) -> None:
    teacher.answer = Server()
    post(teacher, **DUE)
    assert "마감이 지났습니다" not in page(teacher, "mina", f"{PREFIX}{HAND_IN}")
    teacher.now = NOW + timedelta(hours=1)
    teacher.submit()
    teacher.now = AT + timedelta(days=1, seconds=1)
    shown = page(teacher, "mina", f"{PREFIX}{HAND_IN}")
    assert "지금 제출하면 지각 제출입니다: 2일 늦음, 20% 감점." in shown
    assert "앞서 낸 제출물은 감점이 더 적습니다." in shown
    teacher.answer = lambda request: httpx.Response(503)
    assert "마감 지남" in page(teacher, "jun", LEARN)
    assert "마감 지남" not in page(teacher, "mina", LEARN)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"policy": "refuse"}, "마감(7월 9일 18:00)이 지나 제출할 수 없습니다."),
        ({"policy": "none", "attempts": "1"}, "1번까지 제출할 수 있는데 모두 사용했습니다."),
    ],
)
def test_what_is_not_taken_is_told_beforehand_and_asks_no_server(
    teacher: World, change: dict[str, str], told: str
) -> None:
    teacher.answer = server = Server()
    post(teacher, **{**DUE, **change})
    teacher.submit()
    teacher.now = AT + timedelta(minutes=10, seconds=1)
    shown = page(teacher, "mina", f"{PREFIX}{HAND_IN}")
    assert told in shown
    assert "제출하기</button>" not in shown
    answer = teacher.post(teacher.browser("mina"), HAND_IN, "mina")
    assert answer.status_code == 409
    assert told in answer.text
    assert "POST assignments/submit" not in server.asked
    extend(teacher)
    post(teacher, **{**DUE, **change, "attempts": "0"})
    assert "제출하기</button>" in page(teacher, "mina", f"{PREFIX}{HAND_IN}")


def test_a_lab_that_is_closed_is_not_the_next_lab(teacher: World) -> None:
    assert "다음 실습" in page(teacher, "mina", LEARN)
    post(teacher, **{**DUE, "policy": "refuse"})
    teacher.now = AT + timedelta(days=1)
    assert "다음 실습" not in page(teacher, "mina", LEARN)
