"""A report as XLSX: numbers are numbers, dates are dates, and a text is never a formula.

Headings stay in view and are printed on each page; a sheet that is wide is printed on A4 across, to the width of a page.
"""

from __future__ import annotations

import re
from datetime import date, time
from io import BytesIO
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from grader.reports.table import NUMBERS, Cell, Column, Kind, Report, Table
from labs.texts import Text

FORMATS: dict[Kind, str] = {
    "count": "#,##0", "percent": '0.#"%"', "points": "0.##", "hours": "0.0", "krw": "#,##0", "date": "yyyy-mm-dd", "time": "hh:mm",
}  # fmt: skip
FONT = "맑은 고딕"
PLAIN, BOLD, TITLE = Font(name=FONT, size=10), Font(name=FONT, size=10, bold=True), Font(name=FONT, size=14, bold=True)
THIN = Side(style="thin", color="BBBBBB")
GRID = Border(left=THIN, right=THIN, top=THIN, bottom=THIN)
HEAD = PatternFill("solid", fgColor="EEF1F5")
LONGEST = 32_767  # letters that a cell holds


def xlsx_of(report: Report, lang: str) -> bytes:
    """The report as a workbook, a sheet for each table; the first has the facts, the last the notes."""
    book = Workbook()
    del book["Sheet"]
    for number, table in enumerate(report.tables):
        sheet = book.create_sheet(_sheet_name(report, table, number, lang))
        _fill(sheet, report, table, lang, first=number == 0, last=number == len(report.tables) - 1)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _fill(sheet: Worksheet, report: Report, table: Table, lang: str, *, first: bool, last: bool) -> None:
    row = _facts(sheet, report, lang) + 1 if first else 1
    _headings(sheet, row, table.columns, lang)
    sheet.freeze_panes = f"{'C' if len(table.columns) > 6 else 'A'}{row + 1}"
    sheet.print_title_rows = f"{row}:{row}"
    rows = [(cells, PLAIN) for cells in table.rows] + ([(table.totals, BOLD)] if table.totals else [])
    for cells, font in rows:
        row += 1
        for at, (cell, column) in enumerate(zip(cells, table.columns, strict=True), 1):
            _put(sheet.cell(row, at), cell, column.kind, lang, font)
    for note in report.notes if last else ():
        row += 1
        _put(sheet.cell(row + 1, 1), note, "text", lang, PLAIN, bordered=False)
    _page(sheet, report)


def _facts(sheet: Worksheet, report: Report, lang: str) -> int:
    _put(sheet.cell(1, 1), report.title, "text", lang, TITLE, bordered=False)
    for row, (name, cell) in enumerate(report.facts, 2):
        kind: Kind = "count" if isinstance(cell, int | float) else "text"
        _put(sheet.cell(row, 1), name, "text", lang, BOLD, bordered=False)
        _put(sheet.cell(row, 3), cell, kind, lang, PLAIN, bordered=False)
        sheet.cell(row, 3).alignment = Alignment(horizontal="left")
    return len(report.facts) + 2


def _headings(sheet: Worksheet, row: int, columns: tuple[Column, ...], lang: str) -> None:
    for at, column in enumerate(columns, 1):
        place: Any = sheet.cell(row, at)
        _put(place, column.title, "text", lang, BOLD)
        place.fill, place.alignment = HEAD, Alignment(horizontal="center", vertical="center", wrap_text=True)
        sheet.column_dimensions[get_column_letter(at)].width = column.width
    sheet.row_dimensions[row].height = 32


def _put(place: Any, cell: Cell, kind: Kind, lang: str, font: Font, *, bordered: bool = True) -> None:
    value = _value(cell, lang)
    place.value = value
    if isinstance(value, str):
        place.data_type = "s"  # also where it begins like a formula
        place.quotePrefix = value.startswith(("=", "+", "-", "@"))
    elif kind in FORMATS:
        place.number_format = FORMATS[kind]
    place.font = font
    if bordered:
        place.border = GRID
        centred = kind in ("mark", "date", "time")
        place.alignment = Alignment(
            horizontal="center" if centred else "right" if kind in NUMBERS else "left",
            vertical="center",
            wrap_text=kind == "text",
        )


def _value(cell: Cell, lang: str) -> str | int | float | date | time | None:
    text = cell.in_(lang) if isinstance(cell, Text) else cell
    return ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)[:LONGEST] if isinstance(text, str) else text


def _page(sheet: Worksheet, report: Report) -> None:
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.orientation = "landscape" if report.landscape else "portrait"
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    footer: Any = sheet.oddFooter
    footer.center.text = "&P / &N"


def _sheet_name(report: Report, table: Table, number: int, lang: str) -> str:
    title: Any = table.title or report.title
    name = re.sub(r"[\\/*?:\[\]']", " ", title.in_(lang)).strip()[:28]
    return name or f"{number + 1}"
