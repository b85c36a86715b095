"""Rows of a table become typed rows. The rule: each bad value is named with its row, column, what was found and what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import TypeVar

from grader.imports.columns import Columns, file_kind, statuses
from grader.imports.tables import Line, Table
from grader.imports.values import day_of, login_of, name_of, note_of, outside_id_of, time_of
from grader.official import read_official
from labs.texts import Text, UserError

T = TypeVar("T")
#: Of a bad value so much is shown.
SHOWN = 60


@dataclass(frozen=True)
class Problem:
    """Why a row cannot be taken; row 0 is the whole file."""

    row: int
    column: str
    found: str
    text: Text


@dataclass(frozen=True)
class Whose:
    """How a row names a person."""

    outside_id: str
    login: str
    name: str


@dataclass(frozen=True)
class RosterRow:
    """A learner of the roster; `ends` is how the enrolment ended, None where it did not, by its `status`."""

    row: int
    whose: Whose
    ends: str | None
    left_on: date | None
    status: str


@dataclass(frozen=True)
class TimetableRow:
    """A training day with its hours, or a day that was not held."""

    row: int
    day: date
    starts: time | None
    ends: time | None
    closed: str
    made_up_on: date | None


@dataclass(frozen=True)
class AttendanceRow:
    """A learner's day as the national system has it."""

    row: int
    whose: Whose
    day: date
    status: str
    check_in: time | None
    check_out: time | None


Row = RosterRow | TimetableRow | AttendanceRow


@dataclass(frozen=True)
class Expected:
    """What the rows of a run's file have to say of the course, where they say anything."""

    course_id: str | None = None
    round: str | None = None
    institution_id: str | None = None


class _Reader:
    """Reads the fields of one row and collects what is wrong with them."""

    def __init__(self, columns: Columns, line: Line, at: dict[str, int], problems: list[Problem]) -> None:
        self.columns, self.line, self.at, self.problems = columns, line, at, problems
        self.good = True

    def text(self, field: str) -> str:
        return self.line.cells[self.at[field]] if field in self.at else ""

    def wrong(self, field: str, text: Text | None = None) -> None:
        """Note that a field is wrong; without a text, what would be right in it."""
        self.good = False
        described = file_kind(self.columns.kind).fields[field]
        heading = self.columns.headings[self.at[field]] if field in self.at else described.title.ko
        self.problems.append(Problem(self.line.number, heading, self.text(field)[:SHOWN], text or described.right))

    def value(self, field: str, read: Callable[[str], T], empty: T, *, needed: bool = False) -> T:
        """A field by its reader; `empty` where there is nothing in it."""
        text = self.text(field)
        if not text:
            if needed:
                self.wrong(field)
            return empty
        try:
            return read(text)
        except ValueError:
            self.wrong(field)
            return empty

    def whose(self) -> Whose:
        return Whose(
            self.value("outside_id", outside_id_of, ""),
            self.value("login", login_of, ""),
            self.value("name", name_of, ""),
        )


def read_rows(table: Table, columns: Columns, expected: Expected) -> tuple[list[Row], list[Problem]]:
    """Every row that can be read, and every problem of those that cannot."""
    problems: list[Problem] = []
    read = {"roster": _roster, "timetable": _timetable, "attendance": _attendance}[columns.kind]
    return list(_read(table, columns, expected, read, problems)), problems


def _read(
    table: Table, columns: Columns, expected: Expected, read: Callable[[_Reader], Row | None], problems: list[Problem]
) -> Iterator[Row]:
    at = columns.at
    for line in table.lines:
        reader = _Reader(columns, line, at, problems)
        _must_be_of_this_run(reader, expected)
        row = read(reader)
        if row is not None and reader.good:
            yield row


def _must_be_of_this_run(reader: _Reader, expected: Expected) -> None:
    for field in ("course_id", "round", "institution_id"):
        wanted, found = getattr(expected, field), reader.text(field)
        if wanted and found and found != wanted:
            reader.wrong(field, Text(ko=f"이 과정은 {wanted}입니다. 다른 과정의 파일입니다", en=f"this course run has {wanted}; the row is of another one"))  # fmt: skip


def _roster(reader: _Reader) -> RosterRow:
    whose = reader.whose()
    if not reader.text("name"):
        reader.wrong("name")
    left_on = reader.value("left_on", day_of, None)
    text, ends = reader.text("status").casefold(), None
    if text:
        means = next((means for word, means in statuses() if word in text), "")
        if not means:
            reader.wrong("status")
        ends = None if means == "none" else means
    return RosterRow(reader.line.number, whose, ends or None, left_on, text)


def _timetable(reader: _Reader) -> TimetableRow | None:
    day = reader.value("day", day_of, None, needed=True)
    starts, ends = reader.value("starts", time_of, None), reader.value("ends", time_of, None)
    closed, made_up_on = reader.value("closed", note_of, ""), reader.value("made_up_on", day_of, None)
    if reader.text("closed"):
        for field in (field for field, value in (("starts", starts), ("ends", ends)) if value):
            reader.wrong(
                field, Text(ko="휴강일이면 비워 두어야 합니다", en="it stays empty on a day that was not held")
            )
    else:
        for field, value in (("starts", starts), ("ends", ends)):
            if value is None and reader.good:
                reader.wrong(field)
        if made_up_on:
            reader.wrong("made_up_on", Text(ko="휴강 사유가 있는 행에만 적습니다", en="only in a row with a reason why the day was not held"))  # fmt: skip
    if starts and ends and ends <= starts:
        reader.wrong("ends")
    return None if day is None else TimetableRow(reader.line.number, day, starts, ends, closed, made_up_on)


def _attendance(reader: _Reader) -> AttendanceRow | None:
    whose = reader.whose()
    if not (whose.outside_id or whose.login or whose.name) and reader.good:
        reader.wrong("outside_id" if "outside_id" in reader.at else "login" if "login" in reader.at else "name")
    day = reader.value("day", day_of, None, needed=True)
    status = reader.value("status", _status_of, "", needed=True)
    check_in, check_out = reader.value("check_in", time_of, None), reader.value("check_out", time_of, None)
    if check_in and check_out and check_out <= check_in:
        reader.wrong("check_out")
    return None if day is None else AttendanceRow(reader.line.number, whose, day, status, check_in, check_out)


def _status_of(text: str) -> str:
    try:
        read_official(note_of(text, SHOWN))
    except UserError:
        raise ValueError("not a status") from None
    return text
