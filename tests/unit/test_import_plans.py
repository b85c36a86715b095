"""What an import would change: people, and each kind's plan; pure, on data alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_files import Rows, xlsx_file
from import_plans import HANEUL, HEAD, MONDAY, STANDING, TUESDAY, WEEK, plan, problems, standing, told

from grader.imports.columns import Kind, file_kind, known_columns
from grader.imports.planning import make_plan
from grader.imports.rows import Expected
from grader.imports.standing import Entry, Learner, Left
from grader.imports.tables import read_table
from grader.records.timetable import Closure, Hours
from labs.texts import UserError

# --- rosters ---------------------------------------------------------------------------------------------------------------


def test_new_learners_get_logins_that_tell_nothing_of_their_names() -> None:
    found = plan("roster", [HEAD, ("T1", "김하늘", "훈련중", ""), ("", "이도윤", "", ""), ("A/1=", "박서연", "", "")])
    assert [change.login for change in found.changes] == ["hanbit-t1", "hanbit-0001", found.changes[2].login]
    assert found.changes[2].login.startswith("hanbit-a-1-")
    assert (found.counts["added"], found.problems) == (3, ())


def test_people_are_found_by_number_then_login_then_a_name_that_one_has() -> None:
    stands = standing(HANEUL, Learner("doyun", "이도윤", enrolled=True), Learner("old", "박서연", "T9"))
    found = plan(
        "roster",
        [("훈련생번호", "아이디", "이름"), ("T1", "", "김하늘별"), ("T2", "", "이도윤"), ("", "old", "박서연")],
        stands,
    )
    assert told(found) == [
        ("name", "hanbit-t1", "김하늘", "김하늘별"),
        ("outside_id", "doyun", "", "T2"),
        ("enrolment", "old", "", "old"),
    ]
    assert found.missing == ()


def test_somebody_with_another_number_is_somebody_else_of_the_same_name() -> None:
    found = plan("roster", [HEAD, ("T2", "김하늘", "", "")], standing(HANEUL))
    assert [change.kind for change in found.changes] == ["person"]
    assert found.missing == ("hanbit-t1",)


@pytest.mark.parametrize(
    ("rows", "people", "wrong"),
    [
        (
            [("", "김하늘", "", "")],
            [Learner("a", "김하늘", enrolled=True), Learner("b", "김하늘", enrolled=True)],
            "이름",
        ),
        ([("", "김하늘", "", ""), ("", "김하늘", "", "")], [], "이름"),
        ([("T1", "김하늘", "", ""), ("", "김하늘", "", "")], [], "이름"),
        ([("T1", "김하늘", "", ""), ("T1", "김하늘", "", "")], [], "이름"),
        ([("T1", "김하늘", "", "")], [Learner("a", "가", "T1"), Learner("b", "나", "T1")], "훈련생번호"),
        ([("T3", "김하늘", "중도탈락", "")], [], "퇴소일"),
        ([("T3", "김하늘", "중도탈락", "2026-08-01")], [], "퇴소일"),
        ([("T3", "김하늘", "", "2026-07-08")], [], "훈련상태"),
        ([("T3", "김하늘", "이상함", "")], [], "훈련상태"),
        ([("T3", "", "", "")], [], "이름"),
        ([("T 3", "김하늘", "", "")], [], "훈련생번호"),
        ([("T1", "김하늘", "훈련중", "")], [replace(HANEUL, left=Left("dropout", TUESDAY))], "훈련상태"),
    ],
)
def test_a_row_that_is_not_clear_is_a_problem_and_never_a_guess(rows: Rows, people: list[Learner], wrong: str) -> None:
    found = plan("roster", [HEAD, *rows], standing(*people))
    assert found.problems
    assert {column for _, column, _ in problems(found)} == {wrong}
    assert all(one.row >= 2 and one.text.ko and one.text.en for one in found.problems)


@pytest.mark.parametrize("login", ["teacher", "elsewhere"])
def test_a_login_of_staff_or_of_another_institution_is_refused(login: str) -> None:
    stands = replace(standing(), taken=frozenset({"teacher", "elsewhere"}))
    found = plan("roster", [("아이디", "이름"), (login, "김하늘")], stands)
    assert (found.changes, problems(found)) == ((), [(2, "아이디", login)])


def test_a_number_and_a_login_of_two_people_are_a_problem() -> None:
    stands = standing(HANEUL, Learner("doyun", "이도윤", "T2", enrolled=True))
    found = plan(
        "roster", [("훈련생번호", "아이디", "이름"), ("T1", "doyun", "김하늘"), ("T7", "doyun", "이도윤")], stands
    )
    assert problems(found) == [(2, "아이디", "doyun"), (3, "훈련생번호", "T7")]


@pytest.mark.parametrize(
    ("status", "how"),
    [("중도탈락", "dropout"), ("제적", "dismissed"), ("조기취업", "early_employment"), ("수강포기", "dropout"),
     ("Dropout", "dropout"), ("조기취업(수료)", "early_employment")],
)  # fmt: skip
def test_a_status_that_ends_an_enrolment_ends_it_on_its_date(status: str, how: str) -> None:
    found = plan("roster", [HEAD, ("T1", "김하늘", status, "2026.7.7")], standing(HANEUL))
    assert [change.act for change in found.changes] == [Left(how, TUESDAY)]
    left = standing(replace(HANEUL, left=Left(how, TUESDAY)))
    assert plan("roster", [HEAD, ("T1", "김하늘", status, "")], left).changes == ()
    assert plan("roster", [HEAD, ("T1", "김하늘", status, "20260707")], left).counts["unchanged"] == 1
    moved = plan("roster", [HEAD, ("T1", "김하늘", status, "20260708")], left)
    assert [(change.before is None, change.act) for change in moved.changes] == [(False, Left(how, date(2026, 7, 8)))]


@pytest.mark.parametrize("status", ["훈련중", "수료", "정상수료", "미수료", "completed"])
def test_other_statuses_end_nothing(status: str) -> None:
    assert plan("roster", [HEAD, ("T1", "김하늘", status, "2026-07-10")], standing(HANEUL)).changes == ()


def test_a_file_of_another_course_round_or_institution_is_a_problem_in_each_row() -> None:
    stands = replace(standing(HANEUL), expected=Expected("AIG1", "2", "I9"))
    rows = [("trneeCstmrId", "trneeCstmrNm", "trprId", "trprDegr", "instCd"), ("T1", "김하늘", "AIG2", "3", "I8")]
    assert [column for _, column, _ in problems(plan("roster", rows, stands))] == ["trprId", "trprDegr", "instCd"]
    rows[1] = ("T1", "김하늘", "AIG1", "2", "I9")
    assert plan("roster", rows, stands).problems == ()


def test_frozen_decisions_keep_the_roster_from_changing() -> None:
    stands = replace(standing(HANEUL), frozen=frozenset({"hanbit-t1"}))
    assert plan("roster", [HEAD, ("T1", "김하늘", "", "")], stands).problems == ()
    found = plan("roster", [HEAD, ("T1", "김하늘별", "", ""), ("T2", "새사람", "", "")], stands)
    assert (found.changes, len(found.problems)) == ((), 2)


# --- timetables -------------------------------------------------------------------------------------------------------------

DAYS = ("훈련일", "시작시각", "종료시각", "휴강사유", "보강일")


def test_a_timetable_is_set_as_a_whole() -> None:
    rows = [DAYS, ("2026-07-06", "0900", "1800", "", ""), ("2026-07-08", "", "", "임시 휴강", "2026-07-09"),
            ("2026-07-09", "오전 10:00", "오후 5:00", "", "")]  # fmt: skip
    found = plan("timetable", rows, replace(STANDING, days=WEEK))
    assert [(change.day.day, change.kind, change.row) for change in found.changes if change.day] == [
        (7, "day", 0), (8, "closed", 3), (9, "day", 4),
    ]  # fmt: skip
    assert found.counts == {"added": 2, "changed": 0, "removed": 1, "unchanged": 1}
    assert found.closed == (Closure(date(2026, 7, 8), "임시 휴강", date(2026, 7, 9)),)
    assert found.days == (WEEK[0], Hours(date(2026, 7, 9), time(10), time(17)))


@pytest.mark.parametrize(
    ("row", "column"),
    [(("2026-07-11", "0900", "1800", "", ""), "훈련일"), (("2026-07-06", "0900", "1800", "", ""), "훈련일"),
     (("2026-07-07", "", "1800", "", ""), "시작시각"), (("2026-07-07", "1800", "0900", "", ""), "종료시각"),
     (("2026-07-07", "0900", "", "", ""), "종료시각"), (("2026-07-07", "0900", "", "휴강", ""), "시작시각"),
     (("2026-07-07", "", "", "휴강", "2026-07-08"), "보강일"), (("2026-07-07", "0900", "1800", "", "2026-07-08"), "보강일"),
     (("", "0900", "1800", "", ""), "훈련일"), (("2026-07-07", "0900", "1800", "휴강\u202e", ""), "휴강사유")],
)  # fmt: skip
def test_a_day_that_cannot_be_is_a_problem_and_takes_nothing_out(row: Sequence[str], column: str) -> None:
    rows = [DAYS, ("2026-07-06", "0900", "1800", "", ""), row]
    found = plan("timetable", rows, replace(STANDING, days=(*WEEK, Hours(date(2026, 7, 10), time(9), time(18)))))
    assert column in {name for _, name, _ in problems(found)}
    assert all(change.after is not None for change in found.changes)


def test_a_frozen_run_keeps_its_timetable() -> None:
    stands = replace(STANDING, days=WEEK, frozen=frozenset({"a"}))
    rows = [DAYS, ("2026-07-06", "0900", "1800", "", "")]
    assert [one.row for one in plan("timetable", rows, stands).problems] == [0]
    rows.append(("2026-07-07", "0900", "1800", "", ""))
    assert plan("timetable", rows, stands).problems == ()


# --- official attendance ----------------------------------------------------------------------------------------------------

ATTENDANCE = ("atendDe", "trneeCstmrId", "trneeCstmrNm", "atendSttusNm", "lpsilTime", "levromTime")
HERE = standing(HANEUL, Learner("away", "먼사람", "T8"), days=WEEK)


def test_official_attendance_is_one_entry_a_day_where_it_differs() -> None:
    rows = [
        ATTENDANCE,
        ("20260706", "T1", "김하늘", "지각&조퇴", "0940", "1700"),
        ("20260707", "T1", "", "결석", "0000", "0000"),
    ]
    found = plan("attendance", rows, HERE)
    entries = [change.act for change in found.changes]
    assert entries == [
        Entry("hanbit-t1", MONDAY, "지각&조퇴", time(9, 40), time(17)),
        Entry("hanbit-t1", TUESDAY, "결석"),
    ]
    official = {(entry.login, entry.day): entry for entry in entries if isinstance(entry, Entry)}
    assert plan("attendance", rows, replace(HERE, official=official)).counts["unchanged"] == 2
    rows[2] = ("20260707", "T1", "", "공결", "", "")
    again = plan("attendance", rows, replace(HERE, official=official))
    assert told(again) == [("official", "hanbit-t1", "결석", "공결")]


@pytest.mark.parametrize(
    ("row", "column"),
    [(("20260706", "T9", "", "출석", "", ""), "trneeCstmrId"), (("20260706", "T8", "", "출석", "", ""), "trneeCstmrId"),
     (("20260706", "", "아무개", "출석", "", ""), "trneeCstmrNm"), (("20260706", "", "", "출석", "", ""), "trneeCstmrId"),
     (("20260706", "T1", "이도윤", "출석", "", ""), "trneeCstmrNm"), (("20260708", "T1", "", "출석", "", ""), "atendDe"),
     (("20260706", "T1", "", "출석불인정", "", ""), "atendSttusNm"), (("20260706", "T1", "", "", "", ""), "atendSttusNm"),
     (("20260706", "T1", "", "출석", "2500", ""), "lpsilTime"), (("20260706", "T1", "", "출석", "1800", "0900"), "levromTime"),
     (("6일", "T1", "", "출석", "", ""), "atendDe")],
)  # fmt: skip
def test_an_entry_that_cannot_be_is_a_problem(row: Sequence[str], column: str) -> None:
    found = plan("attendance", [ATTENDANCE, row], HERE)
    assert (found.changes, [name for _, name, _ in problems(found)]) == ((), [column])


def test_a_day_ahead_a_day_twice_and_a_frozen_learner_are_problems() -> None:
    row = ("20260706", "T1", "", "출석", "", "")
    assert [r for r, _, _ in problems(plan("attendance", [ATTENDANCE, row, row], HERE))] == [3]
    ahead = replace(HERE, today=MONDAY)
    assert [r for r, _, _ in problems(plan("attendance", [ATTENDANCE, ("20260707", *row[1:])], ahead))] == [2]
    frozen = replace(HERE, frozen=frozenset({"hanbit-t1"}))
    assert "확정" in plan("attendance", [ATTENDANCE, row], frozen).problems[0].text.ko


def test_a_plan_on_another_state_is_another_plan() -> None:
    rows = [ATTENDANCE, ("20260706", "T1", "", "출석", "", "")]
    first = plan("attendance", rows, HERE)
    assert first.fingerprint == plan("attendance", rows, HERE).fingerprint
    official = {("hanbit-t1", MONDAY): Entry("hanbit-t1", MONDAY, "결석")}
    assert first.fingerprint != plan("attendance", rows, replace(HERE, official=official)).fingerprint


CELLS = st.sampled_from(
    ["", "T1", "김하늘", "출석", "20260706", "0900", "=1+1", "중도탈락", "a", "0", "\u202e", "teacher", "900"]
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["roster", "timetable", "attendance"]),
    st.lists(st.lists(CELLS, min_size=8, max_size=8), min_size=1, max_size=6),
)
def test_any_cells_give_a_plan_in_which_every_row_is_counted(kind: Kind, cells: list[list[str]]) -> None:
    fields = list(file_kind(kind).fields.values())[:8]
    cells = [[*row, "x"][: len(fields)] for row in cells]
    try:
        found = plan(kind, [[field.headings[0] for field in fields], *cells], HERE)
    except UserError:
        return
    rows = {change.row for change in found.changes} | {one.row for one in found.problems}
    assert found.unchanged >= 0
    if kind != "timetable":  # which counts days
        assert len(rows) + found.unchanged == sum(map(any, cells))


def test_the_same_rows_as_a_workbook_give_the_same_plan() -> None:
    rows = [("훈련일", "훈련생번호", "출결상태", "입실", "퇴실"), (MONDAY, "T1", "출석", time(9), time(18))]
    table = read_table("a.xlsx", xlsx_file(rows))
    found = make_plan(table, known_columns("attendance", table.headings, {}), HERE)
    assert [change.act for change in found.changes] == [Entry("hanbit-t1", MONDAY, "출석", time(9), time(18))]
