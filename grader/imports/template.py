"""An empty file of a kind to fill in, with the first known heading of each field and an example."""

from __future__ import annotations

import io

from grader.exports import csv_of, safe_cell
from grader.imports.columns import Kind, file_kind


def template_csv(kind: Kind) -> bytes:
    """The template as CSV."""
    headings, rows = _rows(kind)
    return csv_of(headings, rows)


def template_xlsx(kind: Kind) -> bytes:
    """The template as XLSX, every cell a text: a spreadsheet would take the zeros from 0900."""
    import openpyxl
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = file_kind(kind).title.ko
    headings, rows = _rows(kind)
    for row in (headings, *rows):
        sheet.append([safe_cell(cell) for cell in row])
    for index in range(1, len(headings) + 1):
        sheet.column_dimensions[get_column_letter(index)].width = 18
        for number in range(1, 300):
            sheet.cell(number, index).number_format = "@"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _rows(kind: Kind) -> tuple[list[str], list[list[str]]]:
    known = file_kind(kind)
    headings = [field.headings[0] for field in known.fields.values()]
    return headings, [[row.get(name, "") for name in known.fields] for row in known.example]
