"""What an import reads at most, and the error of a file that cannot be read. The rule: each error names its limit."""

from __future__ import annotations

from labs.texts import UserError

MAX_FILE_BYTES = 10_000_000
MAX_ROWS, MAX_COLUMNS, MAX_CELL = 20_000, 200, 2_000

#: A row as its file shows it: its number, and the texts of its cells.
RawRow = tuple[int, list[str]]


class BadFile(UserError):
    """A file that cannot be read as a table; the text says why and what would be right."""
