"""A file, its columns and what stands become a plan. The one way to it, for a preview and for applying."""

from __future__ import annotations

from typing import Any

from grader.imports.attendance import plan_attendance
from grader.imports.columns import BadColumns, Columns, file_kind
from grader.imports.plan import Plan
from grader.imports.roster import plan_roster
from grader.imports.rows import read_rows
from grader.imports.standing import Standing
from grader.imports.tables import Table
from grader.imports.timetable import plan_timetable

_PLANNERS: dict[str, Any] = {"roster": plan_roster, "timetable": plan_timetable, "attendance": plan_attendance}


def make_plan(table: Table, columns: Columns, standing: Standing) -> Plan:
    """What a table would change; BadColumns where a needed column is missing."""
    if columns.missing:
        raise missing_columns(columns)
    rows, problems = read_rows(table, columns, standing.expected)
    plan: Plan = _PLANNERS[columns.kind](rows, standing, columns, problems)
    return plan


def missing_columns(columns: Columns) -> BadColumns:
    """The error of needed columns that are not there, or whose headings nobody knows."""
    fields = file_kind(columns.kind).fields
    ko = ", ".join("/".join(fields[field].title.ko for field in group) for group in columns.missing)
    en = ", ".join("/".join(fields[field].title.en for field in group) for group in columns.missing)
    unknown = ", ".join(repr(heading[:40]) for heading in columns.unknown[:20]) or "-"
    return BadColumns(
        f"필요한 열이 없습니다: {ko}. 모르는 열: {unknown}. 열 이름을 고치거나 열을 직접 지정하세요.",
        f"needed columns are missing: {en}. Unknown columns: {unknown}. Rename them, or map the columns by hand.",
    )
