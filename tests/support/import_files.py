"""Files to import, made of rows, as offices and the national system make them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence

import openpyxl

Rows = Sequence[Sequence[object]]


def csv_file(rows: Rows, encoding: str = "utf-8-sig", delimiter: str = ",") -> bytes:
    lines = (delimiter.join("" if cell is None else str(cell) for cell in row) for row in rows)
    return "\r\n".join(lines).encode(encoding)


def xlsx_file(rows: Rows) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(list(row))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def json_file(rows: Rows, wrapped: bool = False) -> bytes:
    """The rows as objects; wrapped as the national system does: a text within an object."""
    objects = [dict(zip(map(str, rows[0]), row, strict=True)) for row in rows[1:]]
    told: object = {"returnJSON": json.dumps({"trneList": objects}, ensure_ascii=False)} if wrapped else objects
    return json.dumps(told, ensure_ascii=False).encode()


def with_part(xlsx: bytes, part: str, content: bytes) -> bytes:
    """A workbook with one of its parts exchanged."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
        if part not in old.namelist():
            new.writestr(part, content)
    return stream.getvalue()


def sheet_of(xlsx: bytes, rows_xml: str, before: str = "") -> bytes:
    """A workbook whose sheet has this XML for its rows, after what stands before the document."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    text = f'<?xml version="1.0"?>{before}<worksheet xmlns="{main}"><sheetData>{rows_xml}</sheetData></worksheet>'
    return with_part(xlsx, "xl/worksheets/sheet1.xml", text.encode())
