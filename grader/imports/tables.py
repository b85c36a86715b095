"""A file becomes a table of texts: CSV, XLSX, or the JSON of the national system, told apart by their content.

The rule: a file is hostile. It is read within limits that its error names, and any bytes give a table or `BadFile`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from grader.imports.csv_file import decoded, rows_of_csv
from grader.imports.json_file import rows_of_json
from grader.imports.limits import MAX_CELL, MAX_COLUMNS, MAX_FILE_BYTES, MAX_ROWS, BadFile, RawRow
from grader.imports.resident import refuse_resident_numbers

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Line:
    """A row with its number as the spreadsheet shows it, and as many cells as there are headings."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """What was read of a file."""

    name: str
    sha256: str
    headings: tuple[str, ...]
    lines: tuple[Line, ...]


def read_table(name: str, data: bytes) -> Table:
    """Read a file; BadFile says what is wrong with it, and ResidentNumber that it must not be brought here at all."""
    if not data.strip():
        raise BadFile(f"{name}: 빈 파일입니다.", f"{name}: the file is empty")
    if len(data) > MAX_FILE_BYTES:
        raise BadFile(
            f"{name}: 파일이 너무 큽니다. {MAX_FILE_BYTES // 1_000_000} MB까지 읽습니다.",
            f"{name}: the file is too large; at most {MAX_FILE_BYTES // 1_000_000} MB are read",
        )
    headings, lines = _headed(name, _rows(name, data))
    refuse_resident_numbers(name, headings, lines)
    return Table(name, hashlib.sha256(data).hexdigest(), headings, tuple(Line(n, tuple(cells)) for n, cells in lines))


def _rows(name: str, data: bytes) -> Iterable[RawRow]:
    if data.startswith(_ZIP):
        from grader.imports.xlsx_file import rows_of_xlsx  # openpyxl is loaded by those who need it

        return rows_of_xlsx(name, data)
    if data.startswith(_OLE):
        raise BadFile(
            f"{name}: 예전 엑셀 형식(XLS)이거나 암호가 걸린 파일입니다. 암호를 풀고 XLSX나 CSV로 저장하세요.",
            f"{name}: an old Excel file (XLS) or one with a password; save it as XLSX or CSV without a password",
        )
    text = decoded(name, data)
    begins = text.lstrip()[:1]
    if begins == "<":
        raise BadFile(
            f"{name}: 표가 아니라 HTML이나 XML입니다. 엑셀에서 열어 XLSX로 저장하세요.",
            f"{name}: this is HTML or XML and no table; open it in Excel and save it as XLSX",
        )
    return rows_of_json(name, text) if begins in ("[", "{") else rows_of_csv(name, text)


def _headed(name: str, rows: Iterable[RawRow]) -> tuple[tuple[str, ...], list[RawRow]]:
    """The first row that is not empty is the headings; empty rows are left out."""
    headings: tuple[str, ...] = ()
    lines: list[RawRow] = []
    for number, raw in rows:
        cells = [_plain(name, number, text) for text in raw]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if not headings:
            headings = tuple(cells)
            _must_fit(name, len(headings), MAX_COLUMNS, "열", "columns")
            continue
        if len(cells) > len(headings):
            raise BadFile(
                f"{name}: {number}행에 열 이름({len(headings)}개)보다 많은 칸이 있습니다. 열 이름을 채우거나 칸을 지우세요.",
                f"{name}: row {number} has more cells than there are headings ({len(headings)}); "
                "fill in the headings or empty the cells",
            )
        lines.append((number, cells + [""] * (len(headings) - len(cells))))
        _must_fit(name, len(lines), MAX_ROWS, "행", "rows")
    if not lines:
        raise BadFile(
            f"{name}: 열 이름 아래에 행이 없습니다. 첫 행에 열 이름, 그다음 행부터 내용을 적으세요.",
            f"{name}: there is no row below the headings; the first row holds the headings",
        )
    return headings, lines


def _must_fit(name: str, found: int, most: int, ko: str, en: str) -> None:
    if found > most:
        raise BadFile(
            f"{name}: {ko}이 너무 많습니다. {most:,}{ko}까지 읽습니다. 파일을 나누세요.",
            f"{name}: too many {en}; at most {most:,} are read; divide the file",
        )


def _plain(name: str, number: int, text: str) -> str:
    """A cell's text in one form, without the spaces around it."""
    if len(text) > MAX_CELL:
        raise BadFile(
            f"{name}: {number}행에 {MAX_CELL:,}자가 넘는 칸이 있습니다.",
            f"{name}: row {number} has a cell of more than {MAX_CELL:,} characters",
        )
    if "\0" in text:
        raise BadFile(
            f"{name}: {number}행에 NUL 문자가 있습니다. 그 문자를 지우세요.",
            f"{name}: row {number} holds a NUL character; delete it",
        )
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFC", text).strip().strip("\ufeff\u200b")
