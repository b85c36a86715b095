"""Asking for a correction and answering: in time or by the office, once, with a reason, and never one's own."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from test_portal_world import COURSE, FIRST, PEOPLE, PREFIX, SCRIPT, World, seeded_records, world

from grader.records import attend, corrections, decisions, frozen, journal
from grader.records.db import reading, writing
from grader.records.models import TrainingDayRow
from grader.records.state import find_course, learner_state
from grader.roles import Caller

LEARN, CLASS = f"learn/{COURSE}", f"class/{COURSE}"
YESTERDAY, BEFORE = "2026-07-07", "2026-07-06"
ASKED = {"day": YESTERDAY, "check_in": "09:00", "check_out": "18:00", "reason": "단말기가 꺼져 있었습니다."}


def ask(world: World, login: str = "mina", **form: str) -> str:
    """Send a request; gives what the page says where it was refused, else nothing."""
    answer = world.post(world.browser(login), f"{LEARN}/attendance/ask", login, **{**ASKED, **form})
    if answer.status_code == 303:
        month = form.get("day", YESTERDAY)[:7]
        assert answer.headers["location"] == f"{PREFIX}{LEARN}/attendance?month={month}&done=asked"
        return ""
    return answer.text


def request_id(world: World) -> str:
    with reading(world.engine) as session:
        return corrections.requests_in(session, COURSE)[-1].id


def grant(world: World, login: str = "teacher", **form: str) -> Any:
    fields = {"learner": "mina", "request": request_id(world), **ASKED, "reason": "강의실 기록과 같습니다.", **form}
    return world.post(world.browser(login), f"{CLASS}/correct", login, **fields)


def refuse(world: World, login: str = "teacher", reason: str = "그날 오지 않았습니다.") -> Any:
    return world.post(world.browser(login), f"{CLASS}/requests/{request_id(world)}/refuse", login, reason=reason)


def my_page(world: World, login: str = "mina") -> str:
    return world.browser(login).get(f"{PREFIX}{LEARN}/attendance").text


def status(world: World, number: int = 1) -> str:
    with reading(world.engine) as session:
        state = learner_state(session, COURSE, "mina", world.now)
    assert state is not None
    return state.attendance.verdicts[number].status


def test_a_request_is_seen_granted_and_answered(world: World) -> None:
    assert status(world) == "absent"
    assert ask(world) == ""
    nav = world.browser("teacher").get(PREFIX + CLASS).text
    assert re.search(r'정정 요청 <span class="badge todo num">1<', nav), "the count in the class's navigation"
    waiting = world.browser("teacher").get(f"{PREFIX}{CLASS}/requests").text
    for told in ("김미나", "단말기가 꺼져 있었습니다.", "입실 09:00", "퇴실 18:00", "강사 처리 기한: 7월 8일"):
        assert told in waiting
    form = world.browser("teacher").get(f"{PREFIX}{CLASS}/correct?request={request_id(world)}").text
    assert 'id="check_in" name="check_in" type="time" value="09:00"' in form
    assert status(world) == "absent", "looking grants nothing"
    assert grant(world).headers["location"] == f"{PREFIX}{CLASS}/requests?done=granted"
    assert status(world) == "attended"
    page = my_page(world)
    assert "승인" in page
    assert "강의실 기록과 같습니다." in page
    with reading(world.engine) as session:
        event = journal.events(session, COURSE, kind=attend.CORRECTED)[-1]
        assert journal.verify(session) is None
    assert (event.actor, event.payload["request"]) == ("teacher", request_id(world))


def test_a_refusal_has_a_reason_that_the_learner_reads(world: World) -> None:
    ask(world)
    empty = refuse(world, reason="  ")
    assert empty.status_code == 422
    assert "반려 사유를 적으세요." in empty.text
    assert refuse(world).headers["location"] == f"{PREFIX}{CLASS}/requests?done=refused"
    assert "그날 오지 않았습니다." in my_page(world)
    assert status(world) == "absent"
    assert ask(world) == "", "after a refusal one may ask again"


@pytest.mark.parametrize("first", [grant, refuse])
@pytest.mark.parametrize("then", [grant, refuse])
def test_a_request_is_answered_once(world: World, first: Any, then: Any) -> None:
    ask(world)
    first(world)
    again = then(world)
    assert again.status_code == 422
    assert "이미 처리된 요청입니다." in again.text


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"reason": " "}, "사유를 입력하세요."),
        ({"day": "2026-07-09"}, "이 과정의 훈련일이 아닙니다."),
        ({"day": "2026-07-11"}, "이 과정의 훈련일이 아닙니다."),
        ({"day": "x"}, "이 과정의 훈련일이 아닙니다."),
        ({"check_in": "", "check_out": ""}, "하나 이상을 입력하세요."),
        ({"check_in": "19:00"}, "퇴실 시각은 입실 시각보다 늦어야 합니다."),
        ({"excuse_kind": "boredom"}, "목록에서 고르세요."),
        ({"outings": "11:00"}, "11:00-11:40, 15:00-15:20처럼"),
    ],
)
def test_a_request_that_cannot_be_is_refused_and_kept_as_typed(world: World, form: dict[str, str], told: str) -> None:
    page = ask(world, **form)
    assert told in page
    assert form.get("check_out", "18:00") in page
    assert world.events(corrections.REQUESTED) == 0


def test_one_request_for_a_day_waits_at_a_time_and_five_are_enough(world: World) -> None:
    for _ in range(corrections.MOST_A_DAY):
        assert ask(world) == ""
        assert "이미 처리를 기다리고" in ask(world)
        refuse(world)
    assert "강사에게 직접 문의하세요." in ask(world)
    assert ask(world, day="2026-07-08") == ""


def test_after_the_deadline_the_office_answers_and_the_instructor_does_not(world: World) -> None:
    assert ask(world, day=BEFORE) == "", "who was ill for a week may still ask"
    page = world.browser("teacher").get(f"{PREFIX}{CLASS}/requests").text
    assert "훈련기관이 처리합니다." in page
    assert "확인하고 승인" not in page
    for answer in (grant(world, day=BEFORE), refuse(world)):
        assert answer.status_code == 422
        assert "훈련기관만 정정할 수 있습니다." in answer.text
    assert "확인하고 승인" in world.browser("office").get(f"{PREFIX}{CLASS}/requests").text
    assert grant(world, "office", day=BEFORE).status_code == 303
    assert status(world, 0) == "attended"


def test_the_deadline_is_the_programmes(world: World) -> None:
    """The day after, to its last second in the institution's zone."""
    ask(world)
    world.now = world.now.replace(hour=14, minute=59, second=59)
    assert "확인하고 승인" in world.browser("teacher").get(f"{PREFIX}{CLASS}/requests").text
    world.now += timedelta(seconds=1)
    assert "확인하고 승인" not in world.browser("teacher").get(f"{PREFIX}{CLASS}/requests").text


def test_a_request_grants_only_its_own_day_and_learner(world: World) -> None:
    ask(world)
    for form in ({"day": "2026-07-08"}, {"learner": "jun"}):
        answer = grant(world, **form)
        assert answer.status_code == 422
        assert "그런 요청이 없습니다." in answer.text
    assert grant(world, request="0" * 32).status_code == 422


def test_nobody_corrects_their_own_attendance(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who learns and teaches in one course."""
    monkeypatch.setitem(PEOPLE, "mina", Caller("mina", groups=frozenset({f"nbgrader-{COURSE}", f"formgrade-{COURSE}"})))
    ask(world)
    for answer in (grant(world, "mina"), grant(world, "mina", request=""), refuse(world, "mina")):
        assert answer.status_code == 422
        assert "자기 출결은 스스로 정정할 수 없습니다." in answer.text


@pytest.mark.parametrize("login", ["mina", "jun", "stranger"])
def test_only_staff_answers(world: World, login: str) -> None:
    ask(world)
    assert grant(world, login).status_code == 403
    assert refuse(world, login).status_code == 403
    assert (world.events(attend.CORRECTED), world.events(corrections.REFUSED)) == (0, 0)


def test_an_office_of_another_institution_answers_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEOPLE, "office", Caller("office", groups=frozenset({"institution-far"})))
    ask(world)
    assert grant(world, "office").status_code == 403
    assert refuse(world, "office").status_code == 403
    assert world.browser("office").get(f"{PREFIX}{CLASS}/signs").status_code == 403


@pytest.mark.parametrize("login", ["teacher", "office", "stranger", "both"])
def test_only_a_learner_asks(world: World, login: str) -> None:
    answer = world.post(world.browser(login), f"{LEARN}/attendance/ask", login, **ASKED)
    assert answer.status_code == 403


def test_a_frozen_decision_refuses_requests_and_answers(world: World) -> None:
    ask(world)
    with writing(world.engine) as session:
        payload = {"outcome": "not_completed"}
        journal.append(
            session, frozen.FROZEN, actor="office", course=COURSE, subject="mina", payload=payload, at=world.now
        )
    assert "확정되어 있습니다" in ask(world, day="2026-07-08")
    for answer in (grant(world), refuse(world)):
        assert answer.status_code == 400
        assert "확정되어 있습니다" in answer.text


def test_a_script_in_a_reason_or_an_evidence_is_text_everywhere(world: World) -> None:
    ask(world, reason=f"사유 {SCRIPT}", excuse_kind="illness", evidence=SCRIPT)
    pages = [
        my_page(world),
        world.browser("teacher").get(f"{PREFIX}{CLASS}/requests").text,
        world.browser("teacher").get(f"{PREFIX}{CLASS}/correct?request={request_id(world)}").text,
    ]
    refuse(world, reason=f"아니요 {SCRIPT}")
    for page in (*pages, my_page(world), world.browser("teacher").get(f"{PREFIX}{CLASS}/requests").text):
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_an_excuse_has_a_kind_with_its_caps_and_can_be_taken_back(world: World) -> None:
    form = {"check_in": "", "check_out": "", "request": "", "excuse_kind": "death_sibling", "evidence": "2026-118"}
    assert grant_without_request(world, day=YESTERDAY, **form).status_code == 303
    assert status(world) == "excused"
    assert grant_without_request(world, "office", day=BEFORE, **form).status_code == 303
    found = [status(world, number) for number in (0, 1)]
    assert found == ["excused", "absent"], "one day is the most for that kind"
    back = {**form, "excuse_kind": "-", "evidence": ""}
    assert grant_without_request(world, "office", day=BEFORE, **back).status_code == 303
    assert [status(world, number) for number in (0, 1)] == ["absent", "excused"]


def grant_without_request(world: World, login: str = "teacher", **form: str) -> Any:
    fields = {"learner": "mina", **ASKED, "reason": "서류 확인", **form}
    return world.post(world.browser(login), f"{CLASS}/correct", login, **fields)


def test_outings_are_entered_replaced_and_taken_away(world: World) -> None:
    shown = []
    for outings in ("11:00-11:40, 15:00~15:20", "", "13:00 – 13:30", "-"):
        assert grant_without_request(world, outings=outings).status_code == 303
        line = re.search(r'<li id="d-2026-07-07">.*?<p><span class="dayline num">(.*?)</p>', my_page(world), re.S)
        assert line
        shown.append(re.findall(r"외출 (\d\d:\d\d–\d\d:\d\d)", line[1]))
    assert shown == [["11:00–11:40", "15:00–15:20"], ["11:00–11:40", "15:00–15:20"], ["13:00–13:30"], []]


# --- the calendar ------------------------------------------------------------------------------------------------------


def test_the_calendar_says_what_each_day_counts_as_and_how_many_absences_are_left(world: World) -> None:
    world.attended("mina", FIRST)
    page = my_page(world)
    for told in (
        "2026년 7월",
        "출석",
        "결석",
        "입실 09:00",
        "입실 기록이 없습니다.",
        "결석 가능 일수",
        "540분 중 540분",
    ):
        assert told in page
    assert page.count('class="good"><a href="#d-') == 1
    staff = world.browser("teacher").get(f"{PREFIX}{CLASS}/learners/mina").text
    assert "입실 09:00" in staff
    assert "출결 정정 요청</h2>" not in staff
    assert f'href="{PREFIX}{CLASS}/learners/mina">김미나</a>' in world.browser("teacher").get(PREFIX + CLASS).text


def test_days_are_told_by_the_month_and_the_calendar_and_requests_lead_to_theirs(world: World) -> None:
    def days(page: str) -> list[str]:
        return re.findall(r'<li id="d-(.{10})">', page)

    here = f"{PREFIX}{LEARN}/attendance"
    with writing(world.engine) as session:
        session.add_all(
            TrainingDayRow(course_id=COURSE, day=date(2026, month, 3), starts=time(9), ends=time(18))
            for month in (6, 8)
        )
        find_course(session, COURSE).starts_on, find_course(session, COURSE).ends_on = (
            date(2026, 6, 3),
            date(2026, 8, 3),
        )
    page, browser = my_page(world), world.browser("mina")
    assert days(page) == [f"2026-07-{day:02}" for day in (10, 9, 8, 7, 6)], "today's month"
    assert 'href="#d-2026-07-07"' in page
    assert f'href="{here}?month=2026-06#d-2026-06-03"' in page
    assert f'href="{here}?month=2026-08#d-2026-08-03"' in page
    june = browser.get(f"{here}?month=2026-06").text
    assert days(june) == ["2026-06-03"]
    assert "dayline" not in june, "of a day without a check-in there is no line to show"
    ways = r'rel="(?:prev|next)" href="([^"]+)"'
    assert re.findall(ways, page) == [f"{here}?month=2026-06#days", f"{here}?month=2026-08#days"]
    assert re.findall(ways, june) == [f"{here}?month=2026-07#days"]
    assert days(browser.get(f"{here}?day=2026-06-03").text) == ["2026-06-03"], "the day that a correction is asked for"
    for unknown in ("2025-07", "x", "%00"):
        assert days(browser.get(f"{here}?month={unknown}").text) == days(page)
    assert not ask(world, day="2026-06-03")
    assert f'<a href="{here}?month=2026-06#d-2026-06-03">6월 3일 (수)</a>' in my_page(world), "among the requests"
    staff = f"{PREFIX}{CLASS}/learners/mina"
    shown = world.browser("teacher").get(f"{staff}?month=2026-06").text
    assert days(shown) == ["2026-06-03"]
    assert f'href="{staff}?month=2026-07#d-2026-07-06"' in shown
    world.now = datetime(2026, 5, 1, tzinfo=UTC)
    assert days(my_page(world)) == ["2026-06-03"], "before the course, its first month"


def test_somebody_who_is_not_in_the_course_has_no_calendar(world: World) -> None:
    assert world.browser("teacher").get(f"{PREFIX}{CLASS}/learners/stranger").status_code == 403
    assert world.browser("mina").get(f"{PREFIX}{CLASS}/learners/jun").status_code == 403
