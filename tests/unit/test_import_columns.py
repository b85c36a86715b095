"""What an import reads: columns by their headings, and values as offices write them; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_plans import MONDAY, TUESDAY, plan, standing

from grader.imports.columns import BadColumns, Kind, checked_mapping, file_kind, known_columns, plain_heading
from grader.imports.logins import Logins
from grader.imports.standing import Learner
from grader.imports.values import day_of, login_of, name_of, time_of
from grader.records.timetable import Hours

# --- columns -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["roster", "timetable", "attendance"])
def test_every_known_heading_is_found_in_any_writing_and_means_one_thing(kind: Kind) -> None:
    for field, data in file_kind(kind).fields.items():
        for heading in data.headings:
            for written in (heading, heading.upper(), f" {heading} ", heading.replace(" ", "_"), f"{heading}*"):
                assert known_columns(kind, [written], {}).at == {field: 0}, (kind, written)


@pytest.mark.parametrize("kind", ["roster", "timetable", "attendance"])
def test_the_example_of_each_kind_can_be_imported(kind: Kind) -> None:
    known = file_kind(kind)
    fields = list(known.fields)
    rows = [[known.fields[f].headings[0] for f in fields], *([row.get(f, "") for f in fields] for row in known.example)]
    people = [Learner("a", "김하늘", "T20260001", enrolled=True), Learner("b", "이도윤", "T20260002", enrolled=True)]
    days = (Hours(MONDAY, time(9), time(18)), Hours(TUESDAY, time(9), time(18)))
    stands = replace(standing(*people), ends_on=date(2026, 7, 31), days=days if kind == "attendance" else ())
    found = plan(kind, rows, stands)
    assert found.problems == ()
    assert found.changes


def test_a_heading_that_nobody_knows_is_listed_and_mapped_by_hand() -> None:
    columns = known_columns("roster", ["성함", "비고"], {})
    assert (columns.unknown, columns.missing) == (("성함", "비고"), (("name",),))
    with pytest.raises(BadColumns, match="name") as caught:
        plan("roster", [("성함", "비고"), ("김하늘", "")])
    assert "'성함'" in caught.value.text.ko
    remembered = checked_mapping("roster", {"성함": "name", "비고": ""})
    columns = known_columns("roster", [" 성함 ", "비고"], remembered)
    assert (columns.unknown, columns.missing, columns.at) == ((), (), {"name": 0})


def test_two_columns_of_one_meaning_are_not_guessed() -> None:
    columns = known_columns("roster", ["이름", "성명"], {})
    assert columns.unknown == ("이름", "성명")
    assert known_columns("roster", ["이름", "성명"], {plain_heading("성명"): "name"}).at == {"name": 1}
    with pytest.raises(BadColumns, match="more than one"):
        checked_mapping("roster", {"이름": "name", "성명": "name"})
    with pytest.raises(BadColumns, match="no field"):
        checked_mapping("roster", {"이름": "resident_number"})


# --- values ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["2026-07-06", "20260706", "2026.7.6", "2026. 7. 6.", "2026/7/6", "2026년 7월 6일", "2026-07-06 (월)",
     "2026-07-06 00:00:00", "２０２６-07-06"],
)  # fmt: skip
def test_dates_as_offices_write_them(text: str) -> None:
    assert day_of(text) == MONDAY


@pytest.mark.parametrize(
    "text",
    ["7/6/2026", "26.7.6", "2026-7", "2026-02-30", "46209", "오늘", "2026-07-06 09:00", "-2026-07-06", "٢٠٢٦-٠٧-٠٦x"],
)
def test_a_date_with_two_readings_has_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        day_of(text)


@pytest.mark.parametrize(
    ("text", "want"),
    [("09:00", time(9)), ("0900", time(9)), ("900", time(9)), ("9:00", time(9)), ("오전 9:00", time(9)),
     ("오후 6:05", time(18, 5)), ("오후 12:00", time(12)), ("오전 12:30", time(0, 30)), ("9:00 AM", time(9)),
     ("6:05 pm", time(18, 5)), ("18:00:00", time(18)), ("9시", time(9)), ("9시 30분", time(9, 30)), ("0000", None),
     ("0", None), ("00:00", None), ("", None), ("-", None)],
)  # fmt: skip
def test_times_as_offices_write_them(text: str, want: time | None) -> None:
    assert time_of(text) == want


@pytest.mark.parametrize(
    "text", ["24:00", "9", "90000", "0.375", "오후 13:00", "오전 0:10", "09:61", "아홉시", "9:5", "18:00:30"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        time_of(text)


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(1)", "+1", "-1", "@SUM", "김\u202e하늘", "김\n하늘", "김\u200b하늘", "가" * 61, "\x1b[31m", ""]
)
def test_a_name_that_hides_letters_or_is_a_formula_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        name_of(name)


@pytest.mark.parametrize("name", ["김하늘", "Alex O'Neil", "שרה", "ليلى", "김😀", "Ngọc-Anh", "1"])
def test_names_of_the_world_are_names(name: str) -> None:
    assert name_of(name) == name


@pytest.mark.parametrize(
    "login", ["Kim", "../x", "a..b", "grader", "a", "1a", "kim haneul", "김", "a/b", "x" * 41, "a-", "a\n"]
)
def test_a_login_that_would_be_somebody_elses_or_a_path_is_refused(login: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        login_of(login)


@settings(max_examples=200)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_logins_are_safe_and_distinct_whatever_the_numbers_are(institution: str, one: str, other: str) -> None:
    logins = Logins(institution, ())
    made = [logins.new(one), logins.new(other), logins.new(""), logins.new("")]
    assert len(set(made)) == 4
    assert all(login_of(login) for login in made)
    assert Logins(institution, ()).new(one) == made[0], "the same learner, the same login"
