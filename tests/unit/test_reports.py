"""Reports of a small class, held against numbers counted by hand; files read back; formulas that stay text."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
from openpyxl import load_workbook
from small_course import COURSE, DAYS, MONDAY_TEN
from sqlalchemy import Engine
from sqlalchemy.event import listen

from grader.allowance import DISCLAIMER
from grader.deadlines import Lateness
from grader.records import attend, enrolments, exemptions, work
from grader.records.blobs import Manifest
from grader.records.db import reading, writing
from grader.records.estimates import allowance_of, allowances_of
from grader.records.models import Person
from grader.records.state import course_state, find_course
from grader.records.work import GradeReport
from grader.reports.attendance import attendance_sheet
from grader.reports.completion import completion_list
from grader.reports.counts import Counts, count, together
from grader.reports.course import Call, Class, class_of
from grader.reports.csv_file import BYTE_ORDER_MARK, csv_of
from grader.reports.institution import Line, institution_sums
from grader.reports.log import training_log
from grader.reports.table import Column, Report, Table, percent_of
from grader.reports.transcript import transcript
from grader.reports.units import unit_statement
from grader.reports.words import shown
from grader.reports.xlsx_file import FONT, xlsx_of
from labs.texts import Text

#: Friday of the last day, 20:00 in Seoul.
AFTER = datetime(2026, 7, 10, 11, 0, tzinfo=UTC)
#: What ann did: a whole day, late, early, nothing, excused. Bob came on Monday only, and Thursday half an hour.
ANN = [
    (time(9), time(18), None),
    (time(9, 30), time(18), None),
    (time(9), time(16), None),
    None,
    (None, None, "예비군"),
]
BOB = [(time(9), time(18), None), None, None, (time(9), time(9, 30), None), None]


@pytest.fixture
def room(engine: Engine) -> Class:
    with writing(engine) as session:
        run = find_course(session, COURSE)
        for login, days in (("ann", ANN), ("bob", BOB)):
            for day, entered in zip(DAYS, days, strict=True):
                if entered:
                    came, went, excused = entered
                    attend.correct(session, run, login=login, day=day, instructor="eve", reason="출석부", now=AFTER,
                                   check_in=came, check_out=went, excused=excused)  # fmt: skip
        work.release(session, run, "rough-cut", Manifest(files=()), actor="eve", due_at=None, now=MONDAY_TEN)
        receipt = work.submit(
            session, run, "rough-cut", Manifest(files=()), learner="ann", now=datetime(2026, 7, 7, 5, tzinfo=UTC)
        )
        report = GradeReport(submission=receipt.id, points=72.5, max_points=100, final=True)
        work.record_grade(session, COURSE, report, actor="grader", now=AFTER)
    return room_of(engine)


def room_of(engine: Engine, as_of: datetime = AFTER) -> Class:
    with reading(engine) as session:
        return class_of(course_state(session, COURSE, as_of), as_of, instructors=["이브"], ai={"ann": Call(12, 3400)})


def rows(report: Report, at: int = 0) -> list[tuple[Any, ...]]:
    return [tuple(cell.ko if isinstance(cell, Text) else cell for cell in row) for row in report.tables[at].rows]


def test_the_sheet_has_a_mark_for_each_day_and_sums_counted_by_hand(room: Class) -> None:
    sheet = attendance_sheet(room, date(2026, 7, 1))
    assert rows(sheet) == [
        (1, "안나", "ann", "○", "△", "▽", "/", "공", 3, 1, 1, 1, 1, 0),
        (2, "밥", "bob", "○", "/", "/", "/", "/", 1, 4, 0, 0, 0, 0),
    ]
    assert sheet.tables[0].totals is not None
    assert sheet.tables[0].totals[3:] == (2, 1, 1, 0, 1, 4, 5, 1, 1, 1, 0)
    assert [column.title.ko for column in sheet.tables[0].columns[3:8]] == [
        "6\n월",
        "7\n화",
        "8\n수",
        "9\n목",
        "10\n금",
    ]
    marks = {row[at] for row in rows(sheet) for at in range(3, 8)}
    assert all(mark in sheet.notes[0].ko for mark in marks)  # the legend tells every mark


@pytest.mark.parametrize(
    ("cell", "kind", "told"),
    [(3420, "count", "3,420"), (1_234_567, "count", "1,234,567"), (1_234_567.5, "hours", "1,234,567.5"), (8.0, "hours", "8"),
     (93, "percent", "93%"), (66.67, "percent", "66.67%"), (-0.27, "points", "-0.27"), (0, "count", "0"), (100, "count", "100")],
)  # fmt: skip
def test_a_page_writes_numbers_as_the_spreadsheet_does(cell: float, kind: Any, told: str) -> None:
    assert shown(cell, kind, "ko") == told


def test_a_month_without_training_days_is_an_empty_sheet(room: Class) -> None:
    sheet = attendance_sheet(room, date(2026, 8, 1))
    assert rows(sheet) == [(1, "안나", "ann", 0, 0, 0, 0, 0, 0), (2, "밥", "bob", 0, 0, 0, 0, 0, 0)]


def test_as_known_before_it_shows_nothing_that_came_later(room: Class, engine: Engine) -> None:
    before = attendance_sheet(room_of(engine, datetime(2026, 7, 9, 11, tzinfo=UTC)), date(2026, 7, 1))
    assert [row[3:8] for row in rows(before)] == [("/", "/", "/", "/", "")] * 2
    assert before.tables[0].totals is not None
    assert before.tables[0].totals[3:8] == (0, 0, 0, 0, None), "a day to come counts nobody yet"


def test_the_unit_statement_counts_events_into_absences(room: Class) -> None:
    found = rows(unit_statement(room))
    assert found[0][3:] == (1, DAYS[0], DAYS[-1], 5, 3, 1, 2, 0, 4, 80)
    assert found[1][3:] == (1, DAYS[0], DAYS[-1], 5, 1, 0, 0, 0, 1, 20)
    assert rows(unit_statement(room, date(2026, 8, 6))) == []


def paid_rows(engine: Engine, as_of: datetime = AFTER) -> tuple[Report, list[tuple[Any, ...]]]:
    with reading(engine) as session:
        state = course_state(session, COURSE, as_of)
        report = unit_statement(class_of(state, as_of, allowances=allowances_of(session, state, as_of)))
    return report, rows(report, 1)


@pytest.fixture
def long_course(room: Class, engine: Engine) -> None:
    """A course that is long enough to be paid for, outside the capital area."""
    with writing(engine) as session:
        run = find_course(session, COURSE)
        run.hours, run.place_class = 400, "elsewhere"


@pytest.mark.usefixtures("long_course")
def test_the_unit_statement_estimates_what_is_paid_and_says_how(engine: Engine) -> None:
    report, (ann, bob) = paid_rows(engine)
    # Four credited days of nine hours; bob was credited one day of five, less than 80 %.
    assert ann[:9] == (1, "안나", "ann", 1, DAYS[0], DAYS[-1], 40_000, 40_000, 80_000)
    assert ann[9].splitlines() == [
        "훈련장려금(하루 5시간 이상): 4일 × 10,000원 = 40,000원, 한도 200,000원 → 예상액 40,000원",
        "특별훈련수당(비수도권): 4일 × 10,000원 = 40,000원, 한도 200,000원 → 예상액 40,000원",
    ]
    assert bob[6:] == (0, 0, 0, "단위기간 출석률 80% 미달: 훈련일 5일 중 인정 1일 → 예상액 0원")
    assert report.tables[1].totals is not None
    assert report.tables[1].totals[6:9] == (40_000, 40_000, 80_000)
    assert DISCLAIMER in report.notes
    assert all("예상액" in column.title.ko for column in report.tables[1].columns if column.kind == "krw")
    head, *_ = [
        line
        for line in csv.reader(StringIO(csv_of(report, "ko").decode()))
        if line[2:3] == ["ann"] and "원" in line[-1]
    ]
    assert head[6:9] == ["40000", "40000", "80000"]
    sheet = load_workbook(BytesIO(xlsx_of(report, "ko"))).worksheets[1]
    assert [cell.value for cell in sheet[2]][6:9] == [40_000, 40_000, 80_000]
    assert sheet["I2"].number_format == "#,##0"
    assert any(cell.value == DISCLAIMER.ko for cell in sheet["A"])


@pytest.mark.usefixtures("long_course")
def test_a_flag_ends_the_estimate_from_when_it_is_known_and_for_its_learner_alone(engine: Engine) -> None:
    with writing(engine) as session:
        run = find_course(session, COURSE)
        later = AFTER + timedelta(hours=2)
        for login in ("ann", "bob"):
            exemptions.flag(
                session, run, login, "survey_missing", unit=DAYS[0], reason="안내함", actor="office", now=later
            )
        exemptions.flag(
            session, run, "bob", "survey_missing", unit=DAYS[0], cleared=True, reason="제출", actor="office", now=later
        )
    assert paid_rows(engine)[1][0][8] == 80_000
    ann, bob = paid_rows(engine, later)[1]
    assert ann[6:] == (0, 0, 0, "단위기간 설문 미제출: 안내함 → 예상액 0원")
    assert "설문" not in bob[9]


@pytest.mark.usefixtures("long_course")
def test_a_unit_that_is_not_over_says_so_beside_its_amount(engine: Engine) -> None:
    assert paid_rows(engine, MONDAY_TEN)[1][0][9].startswith("지금까지의 예상액(남은 훈련일 5일)")


def test_the_estimates_of_a_run_are_one_read_and_those_of_the_learners_page(engine: Engine, room: Class) -> None:
    asked: list[str] = []
    with reading(engine) as session:
        state = course_state(session, COURSE, AFTER)
        listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        found = allowances_of(session, state, AFTER)
        assert sum("FROM event" in statement for statement in asked) == 1, asked
        for learner in state.learners:
            assert found[learner.login] == allowance_of(session, state.run, learner, state.days, state.rules)


def test_the_completion_list_tells_what_was_needed_and_found(room: Class) -> None:
    found = rows(completion_list(room))
    assert found[0] == (1, "안나", "ann", 4, 4, 5, 80, "1 / 1", "수료", None, None)
    assert found[1] == (2, "밥", "bob", 1, 4, 5, 20, "0 / 1", "수료 불가", None, None)


def test_the_transcript_tells_labs_hours_and_ai_use(room: Class) -> None:
    report = transcript(room, room.learners[0])
    assert rows(report, 0) == [
        ("rough-cut", "필수", "채점 확정", date(2026, 7, 7), 72.5, 100, None, "통과", 1.0),
        ("book-proposal", "선택", "배포 전", None, None, None, None, None, 1.0),
    ]
    # 540 + 510 + 420 minutes of five days of 540.
    assert rows(report, 1) == [
        ("훈련일", 5),
        ("인정 일수", 4),
        ("출석률(%)", 80),
        ("참여 시간", 24.5),
        ("전체 훈련시간", 45.0),
    ]
    assert rows(report, 2) == [("AI 호출", 12), ("토큰", 3400)]
    assert rows(transcript(room, room.learners[1]), 2) == [("AI 호출", 0), ("토큰", 0)]
    away = transcript(replace(room, ai=None), room.learners[0])
    assert rows(away, 2) == [("AI 호출", None), ("토큰", None)]
    assert "읽을 수 없습니다" in away.notes[0].ko


def test_an_exempted_lab_says_so(room: Class, engine: Engine) -> None:
    with writing(engine) as session:
        exemptions.exempt(
            session, find_course(session, COURSE), "bob", "rough-cut", reason="경력", actor="office", now=AFTER
        )
    bob = room_of(engine).learners[1]
    assert rows(transcript(room, bob))[0][2] == "면제"


def test_the_log_names_who_was_missing_and_what_was_done(room: Class) -> None:
    found = rows(training_log(room, date(2026, 7, 1)))
    assert len(found) == 5
    assert found[1] == (DAYS[1], time(9), time(18), 9.0, "가, rough-cut", 2, 1, 1, 0, "밥", "안나", None, "이브", None)
    assert found[2][9:12] == ("밥", None, "안나")
    assert rows(training_log(room, date(2026, 7, 1), only=DAYS[0])) == found[:1]


def test_the_log_tells_no_day_that_is_still_to_come(engine: Engine) -> None:
    assert len(rows(training_log(room_of(engine, MONDAY_TEN), date(2026, 7, 1)))) == 1


def test_counts_add_up_to_the_enrolled_however_people_leave(room: Class, engine: Engine) -> None:
    with writing(engine) as session:
        run = find_course(session, COURSE)
        enrolments.end(session, run, "bob", how="dropout", on=DAYS[2], reason="이직", actor="office", now=AFTER)
    with reading(engine) as session:
        state = course_state(session, COURSE, AFTER)
    counted = count(state, AFTER, [("rough-cut", "rough-cut"), ("rough-cut", "no-such-lab")])
    assert (counted.enrolled, counted.completed, counted.left, counted.attending, counted.not_completed) == (
        2,
        1,
        1,
        0,
        0,
    )
    assert [(score.before, score.after_max) for score in counted.scores] == [(72.5, 100)]
    assert (counted.phase, counted.held, counted.credited) == ("over", 8, 5)  # ann four of five, bob one of his three
    both = together([counted, Counts(enrolled=3, attending=3)])
    assert (both.enrolled, both.attending, len(both.scores)) == (5, 3, 1)
    line = Line(Text(ko="가", en="A"), 1, DAYS[0], DAYS[-1], counted)
    report = institution_sums(Text(ko="기관", en="Institution"), [line, line], AFTER, room.zone)
    assert report.tables[0].totals is not None
    assert report.tables[0].totals[4:9] == (4, 0, 2, 0, 2)


def test_scores_count_people_not_checks_and_nothing_is_taken_off_for_being_late(room: Class, engine: Engine) -> None:
    with writing(engine) as session:
        run = find_course(session, COURSE)
        work.release(session, run, "book-proposal", Manifest(files=()), actor="eve", due_at=None, now=MONDAY_TEN)
        told = work.submit(
            session, run, "book-proposal", Manifest(files=()), learner="ann", now=AFTER - timedelta(days=1)
        )
        graded = GradeReport(submission=told.id, points=20, max_points=50, final=True)
        work.record_grade(session, COURSE, graded, actor="grader", now=AFTER)
    with reading(engine) as session:
        state = course_state(session, COURSE, AFTER)
    ann = state.learners[0]
    # The first lab loses a fifth for being late, by a deadline that was set for it.
    late = replace(ann.labs[0], late={ann.labs[0].submissions[0].id: Lateness(percent=20)})
    assert late.points == 58
    state = replace(state, learners=(replace(ann, labs=(late, ann.labs[1])),))
    counted = count(state, AFTER, [("rough-cut", "book-proposal"), ("book-proposal", "rough-cut")])
    assert [score.model_dump() for score in counted.scores] == [
        {"part": "completed", "before": 92.5, "before_max": 150, "after": 92.5, "after_max": 150}
    ]
    one = count(state, AFTER, [("rough-cut", "book-proposal")]).scores
    assert [(score.before, score.after, score.after_max) for score in one] == [(72.5, 20, 50)]


def test_a_share_is_never_rounded_up() -> None:
    assert [percent_of(15, 16), percent_of(0, 5), percent_of(1, 0)] == [93, 0, None]


def test_a_row_that_does_not_fit_its_columns_is_no_table() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        Table((Column(Text(ko="가", en="a")), Column(Text(ko="나", en="b"))), (("x",),))


# --- files -------------------------------------------------------------------------------------------------------------

HOSTILE = ["=1+1", "+82", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1", '=HYPERLINK("http://x")', "\n=cmd"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_never_a_formula(engine: Engine, room: Class, name: str) -> None:
    with writing(engine) as session:
        session.get_one(Person, "ann").name = name
    report = completion_list(room_of(engine))
    text = csv_of(report, "ko").decode("utf-8")
    cell = next(line for line in csv.reader(StringIO(text)) if "ann" in line)[1]
    assert cell == f"'{name}"
    sheet = load_workbook(BytesIO(xlsx_of(report, "ko"))).active
    assert sheet is not None
    found = [cell for line in sheet.iter_rows() for cell in line if cell.value is not None]
    assert all(cell.data_type != "f" for cell in found)
    assert any(str(cell.value).strip() == name.strip() for cell in found)


def test_a_csv_opens_in_a_korean_excel_and_reads_back(room: Class) -> None:
    text = csv_of(attendance_sheet(room, date(2026, 7, 1)), "ko").decode("utf-8")
    assert text.startswith(BYTE_ORDER_MARK)
    lines = list(csv.reader(StringIO(text.removeprefix(BYTE_ORDER_MARK))))
    assert lines[0] == ["출석부 2026년 7월"]
    head = next(at for at, line in enumerate(lines) if line[:2] == ["번호", "이름"])
    assert lines[head][3:5] == ["6 월", "7 화"]
    assert lines[head + 1] == ["1", "안나", "ann", "○", "△", "▽", "/", "공", "3", "1", "1", "1", "1", "0"]


def test_a_spreadsheet_has_numbers_and_dates_and_prints_across_a4(room: Class) -> None:
    sheet = load_workbook(BytesIO(xlsx_of(completion_list(room), "ko"))).active
    assert sheet is not None
    head = next(cell.row for cell in sheet["A"] if cell.value == "번호")
    assert sheet.freeze_panes == f"C{head + 1}"
    assert sheet.print_title_rows == f"${head}:${head}"
    assert (sheet.page_setup.orientation, int(sheet.page_setup.paperSize or 0), sheet.page_setup.fitToHeight) == (
        "landscape",
        9,
        0,
    )
    first = [cell.value for cell in sheet[head + 1]]
    assert first[:7] == [1, "안나", "ann", 4, 4, 5, 80]
    assert sheet.cell(head + 1, 2).font.name == FONT
    log = load_workbook(BytesIO(xlsx_of(training_log(room, date(2026, 7, 1)), "en"))).active
    assert log is not None
    head = next(cell.row for cell in log["A"] if cell.value == "Date")
    assert log.cell(head + 1, 1).value == datetime(2026, 7, 6)  # noqa: DTZ001 -- a spreadsheet's date
    assert log.cell(head + 1, 2).value == time(9)
    assert log.cell(head + 1, 1).number_format == "yyyy-mm-dd"


def test_control_letters_of_a_name_break_no_spreadsheet(engine: Engine, room: Class) -> None:
    with writing(engine) as session:
        session.get_one(Person, "ann").name = "안\x01나\x0b" + "가" * 40_000
    assert load_workbook(BytesIO(xlsx_of(completion_list(room_of(engine)), "ko"))).active is not None


def test_every_report_speaks_both_languages(room: Class) -> None:
    made = [attendance_sheet(room, DAYS[0]), unit_statement(room), completion_list(room), training_log(room, DAYS[0]),
            transcript(room, room.learners[0])]  # fmt: skip
    for report in made:
        assert len(load_workbook(BytesIO(xlsx_of(report, "en"))).sheetnames) == len(report.tables)
        korean, english = (csv_of(report, lang).decode().splitlines() for lang in ("ko", "en"))
        assert len(korean) == len(english)
        assert korean[0] != english[0]
