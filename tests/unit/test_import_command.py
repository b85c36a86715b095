"""`practicum import`: the preview as lines, and applying it by a named person of the office."""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

from pathlib import Path

import pytest
from import_files import csv_file
from test_cli import Installation, practicum

from grader.records import journal
from grader.records.db import open_database, reading
from grader.records.imports import APPLIED

COURSE = "ai-work-ko"
ROWS = [("훈련생번호", "이름", "훈련상태"), ("T1", "김하늘", "훈련중"), ("T2", "새사람", "")]


@pytest.fixture
def office(practicum: Installation) -> Installation:
    practicum.seeded()
    return practicum


def applied(office: Installation) -> list[str]:
    engine = open_database(office.database)
    with reading(engine) as session:
        found = [event.actor for event in journal.events(session, COURSE, kind=APPLIED)]
    engine.dispose()
    return found


def file_of(office: Installation, data: bytes, name: str = "명단.csv") -> str:
    path = office.folder / name
    path.write_bytes(data)
    return str(path)


def test_a_preview_is_printed_and_applied_by_somebody_of_the_office(office: Installation) -> None:
    file = file_of(office, csv_file(ROWS, "cp949"))
    told = office.says("import", "roster", file, "--course", COURSE)
    assert told.exit_code == 0
    assert told.output.splitlines() == [
        "추가 2, 변경 0, 빠짐 0, 그대로 0, 문제 0",
        "· 2행 훈련생 번호 김하늘 haneul: 없음 → T1",
        "· 3행 새 훈련생 새사람 demo-t2: 없음 → T2",
        "적용하려면 --apply --by 아이디를 붙이세요.",
    ]
    assert applied(office) == []
    done = office.says("import", "roster", file, "--course", COURSE, "--apply", "--by", "jiwon")
    assert "2건을 적용했습니다." in done.output
    assert applied(office) == ["jiwon"]
    office.speaks("en")
    again = office.says("import", "roster", file, "--course", COURSE, "--apply", "--by", "jiwon")
    assert "0 added, 0 changed, 0 taken out, 2 as they stand, 0 problems" in again.output
    assert "Applied 0 changes." in again.output
    assert applied(office) == ["jiwon"]


@pytest.mark.parametrize("by", ["", "minsu", "haneul", "nobody"])
def test_nobody_else_applies(office: Installation, by: str) -> None:
    file = file_of(office, csv_file(ROWS))
    told = office.says("import", "roster", file, "--course", COURSE, "--apply", "--by", by)
    assert told.exit_code == 1
    assert "이 기관의 담당자가 아닙니다" in told.output
    assert applied(office) == []


def test_bad_rows_and_files_are_named_and_end_with_one(office: Installation) -> None:
    office.speaks("en")
    file = file_of(office, csv_file([*ROWS, ("T3", "=1+1\u202e", "?")]))
    told = office.says("import", "roster", file, "--course", COURSE, "--apply", "--by", "jiwon")
    assert told.exit_code == 1
    assert "✘ row 4 이름: '=1+1[U+202E]' → a name of at most 60 characters" in told.output
    assert applied(office) == []
    for data, says in (
        (b"", "the file is empty"),
        (b"PK\x03\x04", "cannot be read as XLSX"),
        (b"a,b\n1,2", "needed columns are missing"),
    ):
        told = office.says("import", "timetable", file_of(office, data), "--course", COURSE)
        assert (told.exit_code, says in told.output) == (1, True), told.output
    told = office.says("import", "attendance", file, "--course", "nowhere")
    assert "no course run" in told.output or "needed columns" in told.output
