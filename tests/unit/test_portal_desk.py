"""The review desk: judging, two graders, the queue, and who may look."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from desk_class import COURSE, LAB, TASK, DeskClass
from desk_page import DESK, HX, desk, page, save, state, waiting
from small_gradebook import ANSWER
from test_portal_world import PREFIX, World, seeded_records, world

from grader.records import journal, reviews
from grader.records.db import reading, writing
from grader.records.models import Person
from hub_config.portal.security import Session


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
