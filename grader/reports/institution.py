"""An institution's course runs side by side. The rule: one line for each run, and the line of totals is their sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from grader.reports.counts import PARTS, Counts, together
from grader.reports.table import Cell, Report, Table, columns
from labs.texts import Text

_COLUMNS = columns(
    ("과정", "Course run", "text", 34), ("회차", "Round", "count", 6), ("시작", "From", "date", 12), ("종료", "To", "date", 12),
    ("등록", "Enrolled", "count", 8), ("훈련 중", "Attending", "count", 8), ("수료", "Completed", "count", 8),
    ("미수료", "Not completed", "count", 8), ("중도 종료", "Left", "count", 8), ("참여 시간(연인원)", "Hours present, all", "hours", 12),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A course run, and how many stand where."""

    title: Text
    round: int | None
    starts_on: date
    ends_on: date
    counts: Counts


def institution_sums(title: Text, lines: Sequence[Line], as_of: datetime, zone: ZoneInfo) -> Report:
    """The institution's report."""
    rows = tuple((line.title, line.round, line.starts_on, line.ends_on, *_cells(line.counts)) for line in lines)
    totals: tuple[Cell, ...] = (
        Text(ko="합계", en="Total"),
        None,
        None,
        None,
        *_cells(together(line.counts for line in lines)),
    )
    return Report(
        title=Text(ko="기관 운영 현황", en="The institution's course runs"),
        facts=((Text(ko="훈련기관", en="Institution"), title), (Text(ko="과정", en="Course runs"), len(lines)),
               (Text(ko="기준 시각", en="As of"), f"{as_of.astimezone(zone):%Y-%m-%d %H:%M}")),
        tables=(Table(_COLUMNS, rows, totals),), name="institution", landscape=True,
    )  # fmt: skip


def _cells(counts: Counts) -> tuple[Cell, ...]:
    return (counts.enrolled, *(getattr(counts, part) for part in PARTS), counts.hours_present)
