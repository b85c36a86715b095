"""A report as CSV. The rule: no cell is taken for a formula, and the mark at its start lets a Korean Excel read the letters."""

from __future__ import annotations

import csv
from datetime import date, time
from io import StringIO

from grader.exports import safe_cell
from grader.reports.table import Cell, Report
from labs.texts import Text

BYTE_ORDER_MARK = "\ufeff"


def csv_of(report: Report, lang: str) -> bytes:
    """The report's facts, tables and notes, in UTF-8; numbers and dates as a spreadsheet reads them."""
    out = StringIO(newline="")
    write = csv.writer(out, lineterminator="\r\n").writerow
    write([safe_cell(report.title.in_(lang))])
    for name, cell in report.facts:
        write([name.in_(lang), _plain(cell, lang)])
    for table in report.tables:
        write([])
        if table.title:
            write([table.title.in_(lang)])
        write([safe_cell(column.title.in_(lang).replace("\n", " ")) for column in table.columns])
        for row in (*table.rows, *([table.totals] if table.totals else [])):
            write([_plain(cell, lang) for cell in row])
    if report.notes:
        write([])
    for note in report.notes:
        write([safe_cell(note.in_(lang))])
    return (BYTE_ORDER_MARK + out.getvalue()).encode("utf-8", "replace")


def _plain(cell: Cell, lang: str) -> object:
    if cell is None:
        return ""
    if isinstance(cell, Text):
        return safe_cell(cell.in_(lang))
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    if isinstance(cell, date):
        return cell.isoformat()
    return cell if isinstance(cell, int | float) else safe_cell(cell)
