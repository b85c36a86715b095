"""The log of grading one submission. The rule: of a folder only a file of the roster's names is read, its end only, and as text."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.course_files import file_inside
from grader.records.state import find_course
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, SignedIn, as_instructor, lab_row

router = APIRouter(route_class=PageRoute, include_in_schema=False)
MOST_BYTES = 64_000


@dataclass(frozen=True)
class Log:
    """The end of a log, and how many bytes before it are left out."""

    text: str
    left_out: int


@router.get("/class/{course}/labs/{lab}/log/{learner}")
def log_page(visit: SignedIn, course: str, lab: str, learner: str) -> HTMLResponse:
    """What grading wrote down of a learner's newest submission."""
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        row = lab_row(visit, lab)
        names = {enrolment.login: enrolment.person.name for enrolment in visit.run.enrolments}
        log = read_log(visit.site.settings.courses_folder, course, lab, learner) if learner in names else None
        if log is None:
            raise PageError(404, N_("There is no log of this learner in this lab."))
        return visit.page("log.html", lab=row, at=lab, learner=learner, name=names[learner], log=log)


def log_file(courses: Path | None, course: str, lab: str, learner: str) -> Path | None:
    """Where the log of a submission stands, where there is one; links are not followed."""
    return None if courses is None else file_inside(courses, course, "logs", learner, f"{lab}.log")


def read_log(courses: Path | None, course: str, lab: str, learner: str) -> Log | None:
    """Read the end of a log."""
    file = log_file(courses, course, lab, learner)
    if file is None:
        return None
    # What became a link or a pipe since it was looked at is not opened, and not waited for.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        begin = stream.seek(max(0, size - MOST_BYTES))
        return Log(stream.read(MOST_BYTES).decode("utf-8", "replace"), begin)
