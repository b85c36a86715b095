"""Cells as words of a language. The rule: a page and a CSV show the same words; only a spreadsheet keeps numbers and dates."""

from __future__ import annotations

from datetime import date, time

from grader.reports.table import Cell, Column, Kind
from labs.texts import Text


def shown(cell: Cell, kind: Kind, lang: str) -> str:
    """A cell as a reader sees it; nothing is known: a dash."""
    if cell is None:
        return "" if kind == "mark" else "–"
    if isinstance(cell, Text):
        return cell.in_(lang)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    if isinstance(cell, int | float):
        # As the spreadsheet has them; a plain :g would write a million as 1e+06.
        told = f"{cell:,.2f}".rstrip("0").rstrip(".")
        return f"{told}%" if kind == "percent" else told
    return cell


def heading(column: Column, lang: str) -> str:
    return column.title.in_(lang)
