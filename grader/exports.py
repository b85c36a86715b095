"""Cells that leave for a spreadsheet. The rule: no text of ours is a formula there, whoever wrote it.

A text that a spreadsheet would run gets an apostrophe before it (OWASP, "CSV Injection"); numbers and dates stay what they are.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence

#: What begins a formula or a command, and what a reader may take away before it looks.
_BEGINS = frozenset("=+-@\t\r\n|%")
_NUMBER = re.compile(r"-\d+(?:[.,]\d+)*", re.ASCII)


def safe_cell(value: object) -> object:
    """A value for a cell of CSV or XLSX: a text that could be run is made a plain text; None is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    return f"'{value}" if _could_run(value) else value


def csv_of(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV for Korean spreadsheets: UTF-8 with a BOM, every cell quoted, no cell a formula."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for row in ([*headings], *rows):
        writer.writerow([safe_cell(cell) for cell in row])
    return stream.getvalue().encode("utf-8-sig", "replace")


def _could_run(text: str) -> bool:
    if text[:1] in ("\t", "\r", "\n"):
        return True
    # Wide signs are read as the narrow ones; spaces and signs that do not show may be taken away.
    plain = unicodedata.normalize("NFKC", text[:64]).lstrip()
    shown = next((sign for sign in plain if unicodedata.category(sign) not in ("Cc", "Cf", "Zs")), "")
    return shown in _BEGINS and not _NUMBER.fullmatch(text)
