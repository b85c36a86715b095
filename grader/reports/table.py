"""A report as data: facts, and tables of typed columns. The rule: what a cell is, its column says, not who shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Literal

from labs.texts import Text

Kind = Literal["text", "mark", "count", "percent", "points", "hours", "krw", "date", "time"]
#: None: nothing is known. HIDDEN: something is known and not shown.
Cell = str | int | float | date | time | Text | None
HIDDEN = Text(ko="비공개", en="hidden")
NUMBERS: frozenset[Kind] = frozenset({"count", "percent", "points", "hours", "krw"})


@dataclass(frozen=True)
class Column:
    """A column: its heading, what stands in it, and its width in letters."""

    title: Text
    kind: Kind = "text"
    width: int = 10


@dataclass(frozen=True)
class Table:
    """Rows of cells in the columns' order, and a line of totals where there is one."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[Cell, ...] | None = None
    title: Text | None = None
    #: Whether rows without a number say nothing: their names stand in another table.
    names_are_known: bool = False

    @property
    def tells_nothing(self) -> bool:
        """Whether a page may leave it out: it has no rows, or none with a number in it."""
        return not self.rows or (self.names_are_known and not any(cell for row in self.rows for cell in row[1:]))

    def __post_init__(self) -> None:
        for row in (*self.rows, *([self.totals] if self.totals else [])):
            if len(row) != len(self.columns):
                raise ValueError(f"a row of {len(row)} cells under {len(self.columns)} columns")


@dataclass(frozen=True)
class Report:
    """A report: what it is of, its tables, and notes that say how to read it."""

    title: Text
    facts: tuple[tuple[Text, Cell], ...]
    tables: tuple[Table, ...]
    notes: tuple[Text, ...] = ()
    #: A file's name, without its ending.
    name: str = "report"
    landscape: bool = False


def columns(*told: tuple[str, str, Kind, int]) -> tuple[Column, ...]:
    """Columns of (Korean, English, kind, width)."""
    return tuple(Column(Text(ko=ko, en=en), kind, width) for ko, en, kind, width in told)


def total(rows: Sequence[Sequence[Cell]], at: int) -> int | float:
    """The sum of a column's numbers."""
    return sum(row[at] for row in rows if isinstance(row[at], int | float))  # type: ignore[misc]


def percent_of(part: int, whole: int) -> int | None:
    """Whole percent, never rounded up (rule 7); None of nothing."""
    return part * 100 // whole if whole else None
