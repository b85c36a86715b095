"""A report as a page, a CSV or a spreadsheet. The rule: all three are made of the same report."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from fastapi.responses import Response

from grader.reports.csv_file import csv_of
from grader.reports.table import NUMBERS, Report, Table
from grader.reports.words import heading, shown
from hub_config.portal.site import Visit
from labs.texts import UserError

SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def answer(visit: Visit, report: Report, file: str, template: str = "report.html", **page: Any) -> Response:
    """The report as it was asked for; '' is the page (report.html, or one that extends it), which gets `page` besides."""
    lang = visit.words.lang
    if file == "csv":
        return _download(report, "csv", "text/csv; charset=utf-8", csv_of(report, lang))
    if file == "xlsx":
        from grader.reports.xlsx_file import xlsx_of  # openpyxl is loaded by those who need it

        return _download(report, "xlsx", SHEET, xlsx_of(report, lang))
    if file:
        raise UserError("파일 형식은 csv 또는 xlsx입니다.", "a file is csv or xlsx")
    return visit.page(
        template, report=report, numbers=NUMBERS, shown=lambda cell, kind: shown(cell, kind, lang),
        row_head=row_head, heading=lambda column: heading(column, lang), as_file=lambda ending: _with_file(visit, ending), **page,
    )  # fmt: skip


def row_head(table: Table) -> int:
    """The column that names a row: the first that is a text."""
    return next((at for at, column in enumerate(table.columns) if column.kind == "text"), 0)


def _download(report: Report, ending: str, kind: str, content: bytes) -> Response:
    name = quote(f"{report.name}.{ending}")
    return Response(content, media_type=kind, headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"})


def _with_file(visit: Visit, ending: str) -> str:
    return str(visit.request.url.include_query_params(file=ending).replace(scheme="", netloc=""))
