"""CSV in UTF-8 (with a BOM or without), UTF-16 with a BOM, or CP949. The rule: an encoding holds for the whole file, or it is refused."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress

from grader.imports.limits import BadFile, RawRow

DELIMITERS = (",", ";", "\t")
_HANGUL = re.compile(r"[가-힣]")


def decoded(name: str, data: bytes) -> str:
    """The text of a file; BadFile names the row that no encoding fits."""
    text = _decode(name, data)
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise BadFile(
            f"{name}: {row}행에 NUL 문자가 있습니다. 표가 아니거나 깨진 파일입니다. CSV(UTF-8)나 XLSX로 다시 저장하세요.",
            f"{name}: row {row} holds a NUL character; the file is broken or no table; save it as CSV (UTF-8) or XLSX",
        )
    return text


def _decode(name: str, data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _as(name, data, "utf-16")
    if data.startswith(codecs.BOM_UTF8):
        return _as(name, data, "utf-8-sig")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        row = _row(data, error)
    text = _as(name, data, "cp949", row)
    if mixed := _row_in_utf8(data):
        raise _unreadable(name, max(row, mixed))
    return text


def _as(name: str, data: bytes, encoding: str, row: int = 1) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        # What another encoding could read of the file says better where it is broken.
        raise _unreadable(name, max(row, _row(data, error))) from None


def _row(data: bytes, error: UnicodeDecodeError) -> int:
    return data[: error.start].count(b"\n") + 1


def _row_in_utf8(data: bytes) -> int:
    """The first row with Korean in UTF-8, which CP949 reads as other letters: it would become somebody's name."""
    for row, line in enumerate(data.split(b"\n"), 1):
        with suppress(UnicodeDecodeError):
            if not line.isascii() and _HANGUL.search(line.decode("utf-8")):
                return row
    return 0


def _unreadable(name: str, row: int) -> BadFile:
    return BadFile(
        f"{name}: {row}행의 글자를 읽을 수 없습니다. 파일 전체를 한 가지 인코딩(UTF-8 또는 CP949)으로 저장하세요.",
        f"{name}: the letters of row {row} cannot be read; save the whole file in one encoding, UTF-8 or CP949",
    )


def rows_of_csv(name: str, text: str) -> Iterator[RawRow]:
    """The rows, numbered as a spreadsheet shows them: a cell may have line breaks."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first), strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            yield number, cells
    except csv.Error:
        raise BadFile(
            f"{name}: {number + 1}행의 따옴표가 맞지 않거나 칸이 너무 깁니다.",
            f"{name}: row {number + 1}: its quotes do not match, or a cell is too long",
        ) from None


def _delimiter(first: str) -> str:
    """The sign that parts the headings into most cells."""
    plain = re.sub(r'"[^"]*"', "", first)
    return max(DELIMITERS, key=plain.count)
