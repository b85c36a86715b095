"""XLSX, by openpyxl as a stream: the first visible sheet, the values that stand in its cells and never a formula.

The rule: what the archive says it unpacks to is held against a limit first, and entities are refused (defusedxml).
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from io import BytesIO
from xml.parsers import expat

import openpyxl
from openpyxl.xml import DEFUSEDXML

from grader.imports.limits import MAX_COLUMNS, BadFile, RawRow
from labs.texts import UserError

MAX_PARTS, MAX_UNPACKED_BYTES, LAST_ROW = 500, 40_000_000, 1_048_576
#: XML elements in all parts together, in one row, and in one another.
MAX_ELEMENTS, MAX_CHILDREN, MAX_DEPTH = 1_000_000, 1_000, 50
#: Below the sheet's list of rows, or the list of texts.
ROW_DEPTH = 3
if not DEFUSEDXML:
    raise ImportError("defusedxml is missing: spreadsheets could name files and entities to be read")


def rows_of_xlsx(name: str, data: bytes) -> Iterator[RawRow]:
    """The rows of the first visible sheet, as texts."""
    try:
        _must_be_small(name, data)
        _must_be_few(name, data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from _rows(name, data)
    except (UserError, GeneratorExit):
        raise
    except Exception:  # openpyxl has no errors of its own: a bad file raises whatever its reading meets
        raise BadFile(
            f"{name}: XLSX로 읽을 수 없습니다. 깨진 파일이거나 허용하지 않는 내용이 있습니다. 엑셀에서 열어 다시 저장하세요.",
            f"{name}: cannot be read as XLSX: it is broken or holds what is not allowed; open it in Excel and save it again",
        ) from None


def _must_be_small(name: str, data: bytes) -> None:
    """zipfile never gives more of a part than the archive says, so what it says is a limit that holds."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        parts = archive.infolist()
    plain = all(part.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for part in parts)
    if not plain or len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise BadFile(
            f"{name}: 압축을 푼 크기가 너무 큽니다. {MAX_UNPACKED_BYTES // 1_000_000} MB까지 읽습니다. 그림과 다른 시트를 지우세요.",
            f"{name}: it unpacks to too much; at most {MAX_UNPACKED_BYTES // 1_000_000} MB are read; "
            "delete pictures and other sheets",
        )


def _must_be_few(name: str, data: bytes) -> None:
    """openpyxl holds a whole row and every text: a file of kilobytes could ask for gigabytes. Counting holds nothing."""
    counter = _Counter()
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            for part in archive.infolist():
                counter.count(archive.read(part))
    except _TooMany:
        raise BadFile(
            f"{name}: 칸이 너무 많습니다. {MAX_COLUMNS}열, 모든 시트를 합해 {MAX_ELEMENTS:,}개까지 읽습니다. 필요 없는 행과 열을 지우세요.",
            f"{name}: too many cells; at most {MAX_COLUMNS} columns and {MAX_ELEMENTS:,} in all sheets are read; "
            "delete rows and columns that are not needed",
        ) from None


class _TooMany(Exception):
    """More elements than are read."""


class _Counter:
    """Counts the elements of XML parts; what is no XML is left to who reads it."""

    def __init__(self) -> None:
        self._all = 0
        self._children: list[int] = []

    def count(self, part: bytes) -> None:
        self._children = [0]
        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._starts, self._ends
        parser.EntityDeclHandler = _no_entities
        with suppress(expat.ExpatError):
            parser.Parse(part, True)

    def _starts(self, _name: str, _attributes: object) -> None:
        self._all += 1
        children = self._children
        children[-1] += 1
        row_is_wide = len(children) > ROW_DEPTH and children[-1] > MAX_CHILDREN
        if row_is_wide or self._all > MAX_ELEMENTS or len(children) > MAX_DEPTH:
            raise _TooMany
        children.append(0)

    def _ends(self, _name: str) -> None:
        self._children.pop()


def _no_entities(*_told: object) -> None:
    raise ValueError("entities are not read")


def _rows(name: str, data: bytes) -> Iterator[RawRow]:
    book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    try:
        sheet = next(sheet for sheet in book.worksheets if sheet.sheet_state == "visible")
        # What the sheet says of its own size may be wrong.
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            if len(row) > MAX_COLUMNS or number > LAST_ROW:
                raise BadFile(
                    f"{name}: {number}행에 열이 너무 많습니다. {MAX_COLUMNS}열까지 읽습니다. 오른쪽의 열을 지우세요.",
                    f"{name}: row {number} has too many columns; at most {MAX_COLUMNS} are read; delete those to the right",
                )
            yield number, [_text(value) for value in row]
    finally:
        book.close()


def _text(value: object) -> str:
    """A cell's value as somebody would type it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, timedelta):
        minutes = int(value.total_seconds()) // 60
        return f"{minutes // 60:02}:{minutes % 60:02}"
    return str(value)
