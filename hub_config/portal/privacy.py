"""Who looked at whose record, and everything about oneself as a file. The rule: a learner sees who looked at theirs."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records import looks, personal
from grader.records.models import CourseRun, Institution, Look, Person
from grader.records.personal import About
from grader.records.state import UnknownCourse, find_course
from hub_config.portal.certificates import FILES
from hub_config.portal.looking import called
from hub_config.portal.office import run_of
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import SignedIn, Site, Visit, as_learner, as_office

router = APIRouter(route_class=PageRoute, include_in_schema=False)
PAGE_LOOKS = 100
#: The last look that was seen already.
Before = Annotated[int | None, Query(ge=1, le=2**53)]
#: A file up to so many bytes is made in memory.
IN_MEMORY = 8_000_000


@router.get("/learn/{course}/data")
def my_data(visit: SignedIn, course: str, before: Before = None) -> HTMLResponse:
    """What is held about the learner, and who looked at it, newest first."""
    as_learner(visit, course)
    visit.site.looks.take_in()
    with visit.records() as session:
        visit.run = find_course(session, course)
        found = looks.looks_at(session, visit.who.name, before=before, limit=PAGE_LOOKS + 1)
        return visit.page("my_data.html", before=before, **_shown(visit, session, found))


@router.get("/learn/{course}/data/all.zip")
def my_file(visit: SignedIn, course: str) -> StreamingResponse:
    """Everything about the learner, over all their courses, as one file."""
    as_learner(visit, course)
    return _file(visit, visit.who.name, None, ai=True)


@router.get("/office/{institution}/{course}/people/{login}/all.zip")
def file_of_person(visit: SignedIn, institution: str, course: str, login: str) -> StreamingResponse:
    """Everything that the institution holds about a learner, to answer a request for it."""
    as_office(visit, institution)
    with visit.records() as session:
        run = run_of(session, institution, course)
        if login not in {row.login for row in run.enrolments}:
            raise UnknownCourse("이 과정의 훈련생이 아닙니다.", "there is no such learner in this course")
        courses = set(session.scalars(select(CourseRun.id).where(CourseRun.institution_id == institution)))
    return _file(visit, login, courses, ai=False)


@router.get("/office/{institution}/journal/looks")
def looks_of_office(visit: SignedIn, institution: str, person: str = "", before: Before = None) -> HTMLResponse:
    """Who looked at records of the institution's courses, newest first; of one person by their name or login."""
    as_office(visit, institution)
    visit.site.looks.take_in()
    with visit.records() as session:
        visit.institution = session.get_one(Institution, institution)
        courses = list(session.scalars(select(CourseRun.id).where(CourseRun.institution_id == institution)))
        people = _called(session, person.strip()) if person.strip() else None
        found = looks.looks_in(session, [*courses, institution], people=people, before=before, limit=PAGE_LOOKS + 1)
        return visit.page(
            "looks.html", institution=institution, before=before, person=person.strip(), **_shown(visit, session, found)
        )


def _called(session: Session, person: str) -> set[str]:
    """The logins of whoever is called so; a login counts also where nobody has it any more."""
    return {person, *session.scalars(select(Person.login).where(Person.name == person))}


def _shown(visit: Visit, session: Session, found: list[Look]) -> dict[str, Any]:
    """A page of looks, with what their people and courses are called: a login says little to a learner."""
    shown = found[:PAGE_LOOKS]
    logins = {login for look in shown for login in (look.who, look.subject)}
    named = session.execute(select(Person.login, Person.name).where(Person.login.in_(logins)))
    runs = session.scalars(select(CourseRun).where(CourseRun.id.in_({look.course_id for look in shown})))
    return {
        "looks": shown, "more": len(found) > PAGE_LOOKS, "called": called, "names": {row.login: row.name for row in named},
        "titles": {run.id: visit.title_of(run) for run in runs},
    }  # fmt: skip


def _file(visit: Visit, login: str, courses: Collection[str] | None, *, ai: bool) -> StreamingResponse:
    visit.site.looks.take_in()
    with visit.records() as session:
        found = personal.about(session, login, visit.now, courses=courses)
    packed = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (closed when it is sent)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        _pack(archive, visit.site, found)
        for course in [row["course"] for row in found.told["courses"]] if ai else []:
            calls = visit.site.gateway.csv(visit.token, course=course, learner=login, content="1")
            if calls is not None:
                archive.writestr(f"ai/{course}.csv", b"".join(calls))
    packed.seek(0)
    headers = {"content-disposition": f'attachment; filename="practicum-{visit.now:%Y%m%d}.zip"'}
    return StreamingResponse(_parts(packed), media_type="application/zip", headers=headers)  # type: ignore[arg-type]


def _pack(archive: zipfile.ZipFile, site: Site, found: About) -> None:
    """The records as JSON, and what was handed in and certified beside them; a file whose time is over is only named."""
    archive.writestr("records.json", json.dumps(found.told, ensure_ascii=False, indent=2))
    files = [
        (Path("submissions", receipt.lab, receipt.id, entry.path), entry.sha256)
        for receipt in found.submissions
        for entry in receipt.manifest.files
    ]
    files += [
        (Path("certificates", event.payload["number"] + ending), event.payload["files"][part])
        for event in found.certificates
        for part, (ending, _) in FILES.items()
    ]
    for path, sha256 in files:
        try:
            archive.write(site.blobs.path(sha256), str(path))
        except FileNotFoundError:
            continue


def _parts(packed: BinaryIO) -> Iterator[bytes]:
    with packed:
        while part := packed.read(1 << 16):
            yield part
