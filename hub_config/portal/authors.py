"""Labs as their authors see them: what a learner gets, what is missing, and how reference submissions do. The rule: instructors and
offices only, nobody who does that very lab as a learner, and nothing of a pack is run or parsed in this process beyond its YAML.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, StreamingResponse
from pydantic import ValidationError
from sqlalchemy import select

from grader.authors.report import PAGE, REPORT, LabReport, state_of
from grader.records.models import CourseLab
from grader.roles import Forbidden
from hub_config.portal import live
from hub_config.portal.desk_media import DOWNLOAD, HEADERS, media_type
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.runs import look_at
from hub_config.portal.site import PageError, Posted, SignedIn, Visit
from labs import catalog
from labs.catalog import LabFolder
from labs.lint import static_findings
from labs.texts import LANGUAGES

router = APIRouter(prefix="/authors", route_class=PageRoute, include_in_schema=False)
#: What a browser gets of a pack's own making.
served = APIRouter(prefix="/authors", route_class=PageRoute, include_in_schema=False)
MAX_REPORT_BYTES = 30_000_000
TEXTS = (".md", ".txt", ".json", ".csv", ".srt", ".ipynb")
#: The page is a lab's: it runs nothing, loads nothing, belongs to no origin and stands in no page but ours.
FRAMED = {
    **HEADERS,
    "content-security-policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "sandbox; frame-ancestors 'self'",
    "x-frame-options": "SAMEORIGIN",
}


def author_of(visit: Visit, pack: str, lab: str) -> LabFolder:
    """The lab, for somebody who may look at it as its author does."""
    visit.who.must_be_author()
    found = catalog.packs().get(pack)
    meant = next((one for one in found.labs if one.id == lab), None) if found else None
    if meant is None:
        raise PageError(404, N_("No installed pack has such a lab."))
    if meant.id in _done_as_learner(visit):
        raise Forbidden(
            "훈련생으로 하고 있는 실습은 여기에서 볼 수 없습니다.",
            "a lab that you do as a learner cannot be looked at here",
        )
    return meant


def _done_as_learner(visit: Visit) -> set[str]:
    """The labs of the courses in which the caller is a learner: an answer seen here would be an answer handed in."""
    courses = visit.who.courses("nbgrader")
    with visit.records() as session:
        return (
            set(session.scalars(select(CourseLab.lab_id).where(CourseLab.course_id.in_(courses)))) if courses else set()
        )


@router.get("")
def authors(visit: SignedIn) -> HTMLResponse:
    """The installed labs by profession, and what is wrong with packs that cannot be read."""
    visit.who.must_be_author()
    return visit.page(
        "authors.html",
        packs=list(catalog.packs().values()),
        broken=catalog.broken_packs(),
        mine=_done_as_learner(visit),
    )


@router.get("/{pack}/{lab}")
def author_lab(visit: SignedIn, pack: str, lab: str, busy: bool = False) -> HTMLResponse:
    """One lab: its facts, what is missing, its reference submissions, and what a learner gets."""
    meant = author_of(visit, pack, lab)
    report = kept_report(visit, meant)
    return visit.page(
        "author_lab.html", pack=catalog.packs()[pack], lab=meant, report=report, tries=report.tried if report else (), busy=busy,
        changed=report is not None and report.state != state_of(meant.folder),
        findings=report.findings if report else static_findings(meant), run=visit.site.runs.latest(*look_at(pack, lab)),
        files={lang: [path.name for path in files_of(visit, meant, lang)] for lang in LANGUAGES},
        pages=[lang for lang in LANGUAGES if (_kept(visit, meant) / lang / PAGE).is_file()],
    )  # fmt: skip


@router.post("/{pack}/{lab}/look")
def look(visit: Posted, pack: str, lab: str) -> RedirectResponse:
    """Build what a learner gets and have the checks look at the reference submissions, as a command in the sandbox."""
    catalog.forget()  # its author has changed it since
    meant = author_of(visit, pack, lab)
    settings = visit.site.settings
    command = (*settings.lab_check_command, str(settings.previews_folder), "--", meant.id)
    started = visit.site.runs.look(command, pack, lab, visit.now)
    return visit.go("authors", pack, lab, query="#run" if started else "?busy=true")


@router.get("/{pack}/{lab}/run")
def run_now(visit: SignedIn, pack: str, lab: str) -> HTMLResponse:
    """The part of the page that tells how the look goes."""
    meant = author_of(visit, pack, lab)
    return visit.page(
        "_author_run.html", pack=catalog.packs()[pack], lab=meant, run=visit.site.runs.latest(*look_at(pack, lab))
    )


@router.get("/{pack}/{lab}/run/events")
def run_events(visit: SignedIn, pack: str, lab: str) -> StreamingResponse:
    """The same part each time it changes, until the look ends."""
    run_now(visit, pack, lab)  # refuses what is not there, before the stream begins
    listeners, who = visit.site.listeners, visit.who.name
    if not listeners.has_room(who):
        raise PageError(503, N_("Too many pages are waiting for news. Close some and reload this one."))
    told = live.events(
        listeners,
        who,
        lambda: visit.site.runs.latest(*look_at(pack, lab)),
        lambda: bytes(run_now(visit, pack, lab).body).decode(),
    )
    return StreamingResponse(told, media_type="text/event-stream", headers=live.HEADERS)


@served.get("/{pack}/{lab}/page/{lang}")
def page(visit: SignedIn, pack: str, lab: str, lang: str) -> FileResponse:
    """The notebook as a learner gets it, for a frame that runs nothing."""
    path = _kept(visit, author_of(visit, pack, lab)) / lang / PAGE
    if lang not in LANGUAGES or not path.is_file():
        raise PageError(404, N_("Nothing is built yet."))
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=FRAMED)


@served.get("/{pack}/{lab}/files/{lang}/{number}")
def file(visit: SignedIn, pack: str, lab: str, lang: str, number: int) -> FileResponse:
    """A handed-out file: a clip, a picture or a text to look at, any other to keep."""
    meant = author_of(visit, pack, lab)
    files = files_of(visit, meant, lang)
    if not 0 <= number < len(files):
        raise PageError(404, N_("Nothing is built yet."))
    path = files[number]
    media = media_type("image", path) or media_type("video", path)
    if media or path.suffix in TEXTS:
        return FileResponse(path, media_type=media or "text/plain; charset=utf-8", headers=HEADERS)
    return FileResponse(path, media_type=DOWNLOAD, headers=HEADERS, filename=path.name)


def _kept(visit: Visit, lab: LabFolder) -> Path:
    return visit.site.settings.previews_folder / lab.pack / lab.id


def files_of(visit: Visit, lab: LabFolder, lang: str) -> list[Path]:
    """What a learner gets in a language, but links; addressed by their number, so that no name makes a path."""
    folder = _kept(visit, lab) / lang / "files"
    if lang not in LANGUAGES or not folder.is_dir():
        return []
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def kept_report(visit: Visit, lab: LabFolder) -> LabReport | None:
    """What the last look said; None where there was none, or an older version's."""
    path = _kept(visit, lab) / REPORT
    try:
        if path.stat().st_size > MAX_REPORT_BYTES:
            return None
        return LabReport.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError):
        return None
