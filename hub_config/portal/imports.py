"""Imports for the office: choosing, uploading, mapping, a preview, applying. The rule: nothing is applied that was not shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, File, Form, UploadFile
from fastapi.responses import HTMLResponse, Response
from pydantic import AfterValidator, BaseModel

from grader.imports.columns import Columns, Kind, checked_mapping, file_kind
from grader.imports.limits import MAX_FILE_BYTES, BadFile
from grader.imports.plan import CHANGE_TEXT
from grader.imports.planning import make_plan, missing_columns
from grader.imports.tables import Table, read_table
from grader.imports.template import template_csv, template_xlsx
from grader.records.db import writing
from grader.records.imports import HasProblems, Moved, apply_import, columns_of, remember_columns, standing_of
from grader.records.state import UnknownCourse
from hub_config.portal.i18n import N_
from hub_config.portal.kept_files import KeptFiles
from hub_config.portal.office import run_of
from hub_config.portal.pages import PageRoute, UploadRoute
from hub_config.portal.site import PageError, Posted, SignedIn, Visit, as_office
from hub_config.portal.visible import visible
from labs.texts import UserError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
uploads = APIRouter(route_class=UploadRoute, include_in_schema=False)
KINDS: tuple[Kind, ...] = ("roster", "timetable", "attendance")
TITLES = {
    "roster": N_("Import a roster"),
    "timetable": N_("Import a timetable"),
    "attendance": N_("Import official attendance"),
}
#: So many rows of a list are shown at first.
FIRST = 100
LEFT_OUT, LONGEST_FILE_NAME = "-", 100
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Reading a file takes seconds of a processor: so many at once.
_READING = threading.BoundedSemaphore(2)


class Shown(BaseModel):
    """What the address of a preview says; the file's name is only shown."""

    name: Annotated[str, AfterValidator(lambda name: visible(name)[:LONGEST_FILE_NAME])] = ""
    show: str = ""


@router.get("/office/{institution}/{course}/import")
def imports(visit: SignedIn, institution: str, course: str, done: str = "", changes: int = 0) -> HTMLResponse:
    """What can be imported, with a template of each kind."""
    as_office(visit, institution)
    said = visit.tn("Applied: %(count)s change.", "Applied: %(count)s changes.", changes) if done in KINDS else ""
    return _start(visit, institution, course, said=said)


@router.get("/office/{institution}/{course}/template/{name}")
def template(visit: SignedIn, institution: str, course: str, name: str) -> Response:
    """An empty file of a kind, as CSV or XLSX."""
    as_office(visit, institution)
    kind, _, form = name.rpartition(".")
    if form not in ("csv", "xlsx"):
        raise _no_page()
    known = _kind(kind)
    with visit.records() as session:
        run_of(session, institution, course)
    content = template_csv(known) if form == "csv" else template_xlsx(known)
    headers = {"content-disposition": f'attachment; filename="{known}.{form}"'}
    return Response(content, media_type="text/csv; charset=utf-8" if form == "csv" else XLSX, headers=headers)


@uploads.post("/office/{institution}/{course}/import/{kind}")
def upload(
    visit: Posted, institution: str, course: str, kind: str, file: Annotated[UploadFile | None, File()] = None
) -> Response:
    """Take a file, and go on to its preview; one that cannot be read is not kept."""
    as_office(visit, institution)
    known, name = _kind(kind), _file_name(file)
    with visit.records() as session:
        run_of(session, institution, course)
    try:
        data = file.file.read(MAX_FILE_BYTES + 1) if file else b""
        with _reading():
            read_table(name, data)
    except UserError as error:
        return _start(visit, institution, course, problem=error.text.in_(visit.words.lang), at=known)
    sha256 = _files(visit).put(course, data)
    return visit.go("office", institution, course, "import", known, sha256, query=f"?{urlencode({'name': name})}")


@router.get("/office/{institution}/{course}/import/{kind}/{sha256}")
def preview(
    visit: SignedIn, institution: str, course: str, kind: str, sha256: str, name: str = "", show: str = ""
) -> HTMLResponse:
    """What would change, row by row; and the columns, where one is not known."""
    as_office(visit, institution)
    return _preview(visit, institution, course, _kind(kind), sha256, Shown(name=name, show=show))


@router.post("/office/{institution}/{course}/import/{kind}/{sha256}/columns")
def columns(
    visit: Posted, institution: str, course: str, kind: str, sha256: str,
    column: Annotated[list[str], Form()], name: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Remember which column is which."""
    as_office(visit, institution)
    known, shown = _kind(kind), Shown(name=name)
    table = _table(visit, course, sha256, shown)
    typed = {h: "" if f == LEFT_OUT else f for h, f in zip(table.headings, column, strict=False) if h}
    try:
        mapping = checked_mapping(known, typed)
    except UserError as error:
        problem = error.text.in_(visit.words.lang)
        return _preview(visit, institution, course, known, sha256, shown, problem=problem)
    with writing(visit.site.engine) as session:
        remember_columns(session, run_of(session, institution, course), known, mapping)
    return visit.go("office", institution, course, "import", known, sha256, query=f"?{urlencode({'name': name})}")


@router.post("/office/{institution}/{course}/import/{kind}/{sha256}/apply")
def apply(
    visit: Posted, institution: str, course: str, kind: str, sha256: str,
    plan: Annotated[str, Form()] = "", name: Annotated[str, Form()] = "",
) -> Response:  # fmt: skip
    """Apply the file whose preview was agreed to; where the records are others by now, show it again."""
    as_office(visit, institution)
    known, shown = _kind(kind), Shown(name=name)
    table = _table(visit, course, sha256, shown)
    try:
        with writing(visit.site.engine) as session:
            run = run_of(session, institution, course)
            told = columns_of(session, run, known, table)
            done = apply_import(session, run, table, told, agreed=plan, actor=visit.who.name, now=visit.now)
    except (HasProblems, Moved) as error:
        problem = error.text.in_(visit.words.lang)
        return _preview(visit, institution, course, known, sha256, shown, problem=problem)
    _files(visit).drop(course, sha256)
    return visit.go("office", institution, course, "import", query=f"?done={known}&changes={len(done.changes)}")


def _start(
    visit: Visit, institution: str, course: str, *, said: str = "", problem: str = "", at: str = ""
) -> HTMLResponse:
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        return visit.page(
            "imports.html", 422 if problem else 200, institution=institution, said=said, problem=problem, at=at,
            kinds={kind: file_kind(kind) for kind in KINDS}, titles=TITLES, most=MAX_FILE_BYTES // 1_000_000,
        )  # fmt: skip


def _preview(
    visit: Visit, institution: str, course: str, kind: Kind, sha256: str, shown: Shown, *, problem: str = ""
) -> HTMLResponse:
    table = _table(visit, course, sha256, shown)
    with visit.records() as session:
        run = visit.run = run_of(session, institution, course)
        told = columns_of(session, run, kind, table)
        missing = missing_columns(told).text.in_(visit.words.lang) if told.missing else ""
        plan = None if missing else make_plan(table, told, standing_of(session, run, visit.now))
        return visit.page(
            "import.html", 422 if problem or missing else 200, institution=institution, kind=kind, sha256=sha256,
            table=table, name=shown.name, columns=told, fields=file_kind(kind).fields, plan=plan, title=TITLES[kind],
            problem=problem or missing, samples=_samples(table, told), change_text=CHANGE_TEXT,
            most=len(table.lines) * 20 if shown.show == "all" else FIRST, left_out=LEFT_OUT,
        )  # fmt: skip


def _samples(table: Table, told: Columns) -> list[tuple[str, str, str]]:
    """Each heading with its field, and what stands first below it."""
    first = ["" for _ in table.headings]
    for index in range(len(first)):
        first[index] = next((line.cells[index] for line in table.lines[:50] if line.cells[index]), "")[:40]
    fields = [told.mapped.get(heading, "") or ("-" if heading in told.mapped else "") for heading in table.headings]
    return list(zip(table.headings, fields, first, strict=True))


def _table(visit: Visit, course: str, sha256: str, shown: Shown) -> Table:
    data = _files(visit).get(course, sha256)
    with _reading():
        return read_table(shown.name or sha256[:12], data)


@contextmanager
def _reading() -> Iterator[None]:
    if not _READING.acquire(timeout=20):
        raise PageError(503, N_("Other files are being read right now. Try again in a minute."))
    try:
        yield
    finally:
        _READING.release()


def _files(visit: Visit) -> KeptFiles:
    return KeptFiles(visit.site.settings.imports_folder, visit.site.settings.now)


def _file_name(file: UploadFile | None) -> str:
    """The last part of the name that the browser told; it is shown, and never a path."""
    if file is None or not file.filename:
        raise BadFile("파일을 고르세요.", "choose a file")
    return visible(file.filename.replace("\\", "/").rpartition("/")[2])[-LONGEST_FILE_NAME:]


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise _no_page()
    return kind


def _no_page() -> UnknownCourse:
    return UnknownCourse("그런 화면이 없습니다.", "there is no such page")
