"""An instructor's class and the office: the code, corrections, grading runs, decisions with their evidence."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from played_gateway import gateway
from sqlalchemy import text
from test_portal_world import COURSE, FIRST, PREFIX, World, seeded_records, world

from grader.records import announcements, attend, corrections, door, exemptions
from grader.records import deadlines as records
from grader.records.db import reading, writing
from grader.records.state import find_course, learner_state
from hub_config.portal import change_form, deadlines
from hub_config.portal import door as portal_door
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.runs import Progress, Run, RunBoard, after
from hub_config.portal.shared import Shared

CLASS = f"class/{COURSE}"
FORM = {
    "learner": "jun",
    "day": "2026-07-07",
    "check_in": "09:00",
    "check_out": "18:00",
    "reason": "출석부",
}


def test_the_class_screen_shows_the_code_and_who_came(world: World) -> None:
    teacher = world.browser("teacher")
    code = world.code()
    page = teacher.get(f"{PREFIX}{CLASS}/code").text
    assert f"{code[:3]} {code[3:]}" in page
    assert re.search(r'<progress max="30" value="30"', page)
    assert f'hx-get="{PREFIX}{CLASS}/code/live"' in page
    assert f'hx-get="{PREFIX}{CLASS}/code/arrivals"' in page
    assert "입실 0명 / 전체 3명" in page
    world.post(world.browser("mina"), f"learn/{COURSE}/check", "mina", code=code)
    world.now += timedelta(seconds=31)
    live = teacher.get(f"{PREFIX}{CLASS}/code/live").text
    assert f"{code[:3]} {code[3:]}" not in live
    arrivals = teacher.get(f"{PREFIX}{CLASS}/code/arrivals").text
    assert "입실 1명 / 전체 3명" in arrivals
    assert "지각 1명" in arrivals
    assert "아직 오지 않음 2명" in arrivals
    assert arrivals.index("김미나") < arrivals.index("이준")
    assert "<html" not in live + arrivals


def test_there_is_no_code_without_a_training_day(world: World) -> None:
    world.now = datetime(2026, 7, 12, 1, 0, tzinfo=UTC)
    page = world.browser("teacher").get(f"{PREFIX}{CLASS}/code").text
    assert "출석 코드가 없습니다" in page
    assert "<progress" not in page


def test_the_roster_shows_marks_labs_and_ai_calls(world: World) -> None:
    world.answer = gateway(calls=5)
    world.release()
    world.grade(world.submit(), 70)
    world.attended("mina", FIRST)
    world.post(world.browser("mina"), f"learn/{COURSE}/check", "mina", code=world.code())
    page = world.browser("teacher").get(PREFIX + CLASS).text
    row = page[page.index("김미나") :]
    row = row[: row.index("</tr>")]
    for told in ("10:00", "1 / 4", "70 / 100", ">5<", "진행 중"):
        assert told in row
    assert {r.headers["authorization"] for r in world.asked if r.url.path == "/spend"} == {"Bearer token-teacher"}


def test_a_rosters_cell_says_what_is_out_of_the_ordinary_and_else_the_points(world: World) -> None:
    def cell(learner: str) -> str:
        page = world.browser("teacher").get(PREFIX + CLASS).text
        row = page[page.index(f"/learners/{learner}") :]
        found = re.search(r'<td role="cell" data-label="인터뷰[^"]*">(.*?)</td>', row, re.DOTALL)
        assert found
        return " ".join(re.sub("<[^>]+>", " ", found[1]).split())

    assert cell("mina") == "공개 전"
    world.release()
    assert cell("mina") == "제출 전"
    receipt = world.submit()
    assert cell("mina") == "자동 채점 대기"
    world.grade(receipt, 80, final=False)
    assert cell("mina") == "강사 채점 대기 80 / 100"
    world.grade(receipt, 80)
    assert cell("mina") == "80 / 100"
    world.grade(receipt, 20)
    assert cell("mina") == "20 / 100 미달"
    with writing(world.engine) as session:
        exemptions.exempt(
            session, find_course(session, COURSE), "mina", "rough-cut", reason="경력", actor="office", now=world.now
        )
    assert cell("mina") == "면제 20 / 100"
    assert cell("jun") == "제출 전"


def test_a_correction_is_recorded_with_its_reason(world: World) -> None:
    answer = world.post(world.browser("teacher"), f"{CLASS}/correct", "teacher", **FORM)
    assert answer.headers["location"] == f"{PREFIX}{CLASS}?done=corrected"
    with reading(world.engine) as session:
        state = learner_state(session, COURSE, "jun", world.now)
    assert state is not None
    assert state.attendance.verdicts[1].status == "attended"
    assert state.attendance.verdicts[1].minutes_present == 540


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reason": "  "}, "정정 사유를 입력하세요."),
        ({"learner": "stranger"}, "이 과정의 훈련생을 선택하세요."),
        ({"day": "2026-07-25"}, "이 과정의 훈련일이 아닙니다."),
        ({"day": "yesterday"}, "이 과정의 훈련일이 아닙니다."),
        ({"check_in": "", "check_out": ""}, "하나 이상을 입력하세요."),
        ({"check_in": "18:00", "check_out": "09:00"}, "퇴실 시각은 입실 시각보다 늦어야 합니다."),
        ({"check_in": "nine"}, "09:00처럼"),
        ({"outings": "11-12"}, "11:00-11:40, 15:00-15:20처럼"),
        ({"outings": "12:00-11:00"}, "복귀 시각은 외출 시각보다 늦어야 합니다."),
        ({"excuse_kind": "boredom"}, "목록에서 고르세요."),
        ({"day": "2026-07-06"}, "훈련기관만 정정할 수 있습니다."),
    ],
)
def test_a_refused_correction_keeps_what_was_typed(world: World, change: dict[str, str], told: str) -> None:
    form = {**FORM, "evidence": '진단서 "12"', **change}
    answer = world.post(world.browser("teacher"), f"{CLASS}/correct", "teacher", **form)
    assert answer.status_code == 422
    assert told in answer.text
    assert f'value="{form["check_in"]}"' in answer.text
    assert form["reason"] in answer.text
    assert "진단서 &#34;12&#34;" in answer.text
    if form["learner"] == "jun":
        assert '<option value="jun" selected>' in answer.text
    assert world.events(attend.CORRECTED) == 0


def grading(lines: str, code: int = 0) -> tuple[str, ...]:
    """A command that writes what a grading run writes."""
    return (
        sys.executable,
        "-c",
        f"import sys\nprint({lines!r}, flush=True)\nassert len(sys.argv) == 3\nsys.exit({code})",
    )


def finish(world: World) -> None:
    until = time.monotonic() + 20
    while world.site.runs.latest(COURSE, "rough-cut").state == "running":
        assert time.monotonic() < until, "the run did not end"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("kind", "told"), [("grade", "채점을 마쳤습니다: 3건."), ("feedback", "피드백을 공개했습니다: 3건.")]
)
def test_a_run_reports_its_end(world: World, kind: str, told: str) -> None:
    lines = '{"done": 1, "failed": 0, "total": 3, "learner": "mina", "message": ""}\nnoise\n[1]\n'
    world.start(**{f"{kind}_command": grading(lines + '{"finished": true, "graded": 3, "failed": 1}')})
    answer = world.post(world.browser("teacher"), f"{CLASS}/labs/rough-cut/{kind}", "teacher")
    assert answer.status_code == 303
    finish(world)
    polled = world.browser("teacher").get(f"{PREFIX}{CLASS}/labs/rough-cut/run")
    assert 'data-state="finished"' in polled.text, "asking ends, and the page fetches the new grades"
    page = world.browser("teacher").get(f"{PREFIX}{CLASS}/labs/rough-cut").text
    assert told in page
    assert "1건은 처리하지 못했습니다." in page


@pytest.mark.parametrize(
    "command",
    [
        grading('{"finished": true, "graded": 3, "failed": 0}', code=3),
        grading('{"finished": true, "graded": 3, "failed": 0}', code=1),
        grading('{"finished": true, "graded": 3, "failed": 1}', code=2),
        grading('{"done": 1, "total": 3}'),
        ("/nowhere/to/be/found",),
    ],
)
def test_a_run_that_breaks_says_so(world: World, command: tuple[str, ...]) -> None:
    world.start(grade_command=command)
    world.post(world.browser("teacher"), f"{CLASS}/labs/rough-cut/grade", "teacher")
    finish(world)
    page = world.browser("teacher").get(f"{PREFIX}{CLASS}/labs/rough-cut/run").text
    assert "작업이 도중에 중단되었습니다." in page
    assert 'data-state="broken"' in page, "asking ends with the run"


def test_one_run_at_a_time_and_its_progress(tmp_path: object) -> None:
    script = 'import sys, time\nprint(\'{"done": 1, "total": 4, "learner": "mina"}\', flush=True)\ntime.sleep(60)'
    board = RunBoard(Shared())
    command = (sys.executable, "-c", script)
    now = datetime(2026, 7, 8, tzinfo=UTC)
    assert board.start("grade", command, COURSE, "rough-cut", now)
    assert not board.start("feedback", command, COURSE, "rough-cut", now)

    def run() -> Run:
        latest = board.latest(COURSE, "rough-cut")
        assert latest is not None
        return latest

    until = time.monotonic() + 20
    while run().progress.total == 0 and time.monotonic() < until:
        time.sleep(0.02)
    told = run().progress
    assert (told.done, told.total, told.learner) == (1, 4, "mina")
    board.stop()
    while run().state == "running" and time.monotonic() < until:
        time.sleep(0.02)
    assert run().state == "broken"


def test_a_run_that_ended_with_failed_submissions_is_finished_and_tells_why(world: World) -> None:
    lines = (
        '{"done": 1, "failed": 1, "total": 4, "learner": "mina", "cause": "time_limit", "seconds_left": 12.5}\n'
        '{"done": 1, "failed": 2, "total": 4, "learner": "eve", "cause": "a cause of another version"}\n'
        '{"done": 1, "failed": 3, "total": 4, "learner": "jun", "cause": "time_limit", "seconds_left": -1}\n'
        '{"finished": true, "graded": 1, "failed": 3, "causes": {"time_limit": 2, "news": 1}}'
    )
    world.start(grade_command=grading(lines, code=1))
    world.post(world.browser("teacher"), f"{CLASS}/labs/rough-cut/grade", "teacher")
    finish(world)
    run = world.site.runs.latest(COURSE, "rough-cut")
    assert run.progress.summary == [("time_limit", 2), ("other", 1)]
    for lang, texts in (("ko", ("제한 시간 초과", "그 밖의 이유")), ("en", ("Over the time limit", "Another reason"))):
        page = world.browser("teacher", lang).get(f"{PREFIX}{CLASS}/labs/rough-cut").text
        assert 'data-state="finished"' in page
        for why in texts:
            assert why in page


def test_causes_are_counted_line_by_line_until_the_command_sums_them_up() -> None:
    progress = Progress()
    for line in (
        '{"done": 2, "failed": 1, "total": 9, "cause": "memory_limit", "seconds_left": 30}',
        '{"done": 2, "failed": 2, "total": 9, "cause": "memory_limit"}',
        '{"done": 3, "failed": 2, "total": 9}',
        '{"seconds_left": NaN}',
        '{"causes": {"time_limit": -4}}',
    ):
        progress = after(progress, line)
    assert progress.causes == {"memory_limit": 2}
    assert (progress.ended, progress.remaining, progress.seconds_left) == (5, 4, 30)
    assert after(progress, '{"finished": true, "causes": {"time_limit": 2}}').causes == {"time_limit": 2}


def test_only_a_lab_of_the_course_reaches_the_command(world: World) -> None:
    for lab in ("--force", "nothing", "extra%00"):
        answer = world.post(world.browser("teacher"), f"{CLASS}/labs/{lab}/grade", "teacher")
        assert answer.status_code == 404
        assert world.site.runs.latest(COURSE, lab) is None


def test_learners_cannot_grade_or_correct(world: World) -> None:
    for path in ("correct", "labs/rough-cut/grade", "labs/rough-cut/feedback", "labs/rough-cut/similar"):
        assert world.post(world.browser("mina"), f"{CLASS}/{path}", "mina", **FORM).status_code == 403
    assert world.site.runs.latest(COURSE, "rough-cut") is None


def test_the_lab_page_lists_receipts_and_leads_to_formgrader(world: World) -> None:
    world.release()
    receipt = world.submit()
    world.grade(receipt, 0, note="채점할 수 없는 노트북입니다.")
    page = world.browser("teacher").get(f"{PREFIX}{CLASS}/labs/rough-cut").text
    assert f"{PREFIX}learn/{COURSE}/receipts/{receipt}" in page
    account = f"formgrader~{COURSE}"
    assert f"/hub/spawn/{account}?next=%2Fuser%2F{account}%2Fformgrader%2Fgradebook%2Frough-cut" in page
    assert "채점할 수 없는 노트북입니다." in page


def test_a_decision_names_the_events_it_rests_on(world: World) -> None:
    world.release()
    receipt = world.submit()
    world.grade(receipt, 70)
    world.attended("mina", FIRST)
    office, address = world.browser("office"), f"{PREFIX}office/hanbit/{COURSE}"
    page = office.get(address).text
    card = page[page.index("김미나") :]
    card = card[: card.index("</details>")]
    for told in ("근거 기록", "70 / 100점, 확정", "충족", "미충족"):
        assert told in card
    assert f'href="{address}/people/mina#basis-' in card, "it leads to the events"
    record = office.get(f"{address}/people/mina").text
    basis = record[record.index('id="basis-') : record.index('id="events-title"')]
    for told in (receipt, "출결 정정", "성적 기록", "출석부 확인"):
        assert told in basis
    assert "수료 불가" in page, "somebody who cannot reach the days any more"


def test_the_office_sees_its_runs_and_a_broken_journal(world: World) -> None:
    for day in (FIRST, FIRST + timedelta(days=1)):
        world.attended("mina", day)
    office, english = world.browser("office"), world.browser("office", "en")

    def shown() -> set[bool]:
        pages = [office.get(f"{PREFIX}office/{path}").text for path in ("hanbit", f"hanbit/{COURSE}")]
        assert all("첫 기록부터 끝까지 마지막으로 검사한 때: 7월 8일 (수) 10:00" in page for page in pages)
        return {"기록 원장의 무결성이 깨졌습니다" in page for page in pages}

    page = office.get(f"{PREFIX}office/hanbit").text
    assert "영상 편집 과정" in page
    assert "기록 원장이 정상입니다." in page
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE event SET actor = 'somebody' WHERE seq = 1"))
    assert shown() == {False}, "further back than what is new: shown at the next whole walk"
    world.site.journal.whole()
    assert shown() == {True}
    assert "event 1 (attendance.corrected, " in english.get(f"{PREFIX}office/hanbit").text
    assert "1번 기록(attendance.corrected, " in office.get(f"{PREFIX}office/hanbit").text


@pytest.mark.parametrize(
    "attack", ["DELETE FROM event WHERE seq = 2", "UPDATE event SET hash = previous WHERE seq = 2"]
)
def test_a_journal_whose_end_is_not_what_it_was_is_seen_at_once(world: World, attack: str) -> None:
    office = world.browser("office")
    for day in (FIRST, FIRST + timedelta(days=1)):
        world.attended("mina", day)
    assert "기록 원장이 정상입니다." in office.get(f"{PREFIX}office/hanbit").text
    with world.engine.begin() as connection:
        connection.execute(text(attack))
    assert "2번" in office.get(f"{PREFIX}office/hanbit").text


def test_every_refusal_of_the_records_has_its_sentence() -> None:
    modules = (announcements, attend, corrections, records, door, deadlines, change_form, portal_door)
    sources = [Path(module.__file__).read_text("utf-8") for module in modules]
    named = r'(?:Refused\(|REFUSALS\[)"(\w+)"[)\]]|"(already_checked_out)"'
    reasons = {"".join(found) for source in sources for found in re.findall(named, source)}
    assert len(reasons) >= 20
    assert reasons | set(door.WHY_NOT.values()) == set(REFUSALS)
