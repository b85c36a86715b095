"""Assignments that an instructor wrote: what is missing, and handing them out. The rule: only a name of the folder reaches a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from grader.own.sources import Source, Trouble, own_sources
from grader.own.terms import BadTerms, OwnTerms, pack_labs, terms_of
from grader.records import work
from grader.records.models import CourseLab, Event
from grader.records.state import find_course
from grader.records.work import UnknownWork
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.runs import Run
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor

TOKEN = "PRACTICUM_RECORDS_TOKEN"  # noqa: S105 (where it stands)
router = APIRouter(route_class=PageRoute, include_in_schema=False)
TROUBLES: dict[Trouble, str] = {
    "bad_name": N_("The folder's name: use letters a to z, digits, - and _ only, up to 60 of them."),
    "link": N_("This is a link. Put the file itself there."),
    "no_notebook": N_("There is no notebook in the folder."),
    "unreadable": N_("This notebook cannot be read. Open it in JupyterLab and save it again."),
    "no_grade_cell": N_("No cell is graded. Mark one in Create Assignment as tests, as an answer or as a task."),
    "duplicate": N_("Two cells have the same ID. Give one of them another in Create Assignment."),
    "autotest": N_("AUTOTEST lines are not run here. Write the tests out, as assert lines."),
    "not_python": N_("Only Python notebooks can be graded."),
}


class HandOutForm(BaseModel):
    """The title and the terms as they were typed."""

    csrf: str = ""
    title_ko: str = ""
    title_en: str = ""
    minutes: str = "60"
    pass_percent: str = "60"  # noqa: S105 (a mark, no password)
    required: str = ""

    def terms(self) -> OwnTerms:
        if not (self.minutes.strip().isdecimal() and self.pass_percent.strip().isdecimal()):
            raise BadTerms
        return terms_of(
            self.title_ko, self.title_en.strip() or None, int(self.minutes), int(self.pass_percent), bool(self.required)
        )


@dataclass(frozen=True)
class Row:
    """An assignment on the page."""

    source: Source
    lab: CourseLab | None
    release: Event | None
    run: Run | None


@router.get("/class/{course}/assignments")
def assignments(visit: SignedIn, course: str) -> HTMLResponse:
    """The assignments of the course's source folder, and what is missing."""
    as_instructor(visit, course)
    return _page(visit, course)


@router.post("/class/{course}/assignments/{name}")
def hand_out(visit: Posted, course: str, name: str, form: Annotated[HandOutForm, Form()]) -> Response:
    """Start handing an assignment out, or show the form again as it was typed."""
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        row = next((row for row in _rows(visit, course) if row.source.name == name), None)
    if row is None or row.source.problems:
        raise UnknownWork(
            "배포할 수 있는 과제가 아닙니다.", "there is no assignment of this name that can be handed out"
        )
    try:
        told = [] if row.lab else _options(form.terms())
    except BadTerms as refused:
        return _page(visit, course, name, form, refused.text.in_(visit.words.lang))
    command = [*visit.site.settings.release_command, *told]
    # With the instructor's own token, so that the records say who handed it out.
    visit.site.runs.start("release", command, course, name, visit.now, {TOKEN: visit.token})
    return visit.go("class", course, "assignments", query=f"#{name}")


def _page(visit: Visit, course: str, at: str = "", form: HandOutForm | None = None, problem: str = "") -> HTMLResponse:
    with visit.records() as session:
        visit.run = find_course(session, course)
        rows = [
            Row(row.source, row.lab, work.released(session, course, row.source.name) if row.lab else None, row.run)
            for row in _rows(visit, course)
        ]
        return visit.page(
            "assignments.html", 422 if problem else 200, at="assignments", rows=rows, troubles=TROUBLES,
            form_at=at, form=form or HandOutForm(), empty=HandOutForm(), problem=problem,
            running=any(row.run and row.run.state == "running" for row in rows),
            server=visit.site.hub.course_server_url(visit.who.name, course),
        )  # fmt: skip


def _rows(visit: Visit, course: str) -> list[Row]:
    labs = {row.lab_id: row for row in visit.run.labs if row.lab_id not in pack_labs()} if visit.run else {}
    found = own_sources(visit.site.settings.courses_folder / course)
    runs = {one.name: visit.site.runs.latest(course, one.name) for one in found}
    of_release = {name: run for name, run in runs.items() if run is not None and run.kind == "release"}
    return [Row(one, labs.get(one.name), None, of_release.get(one.name)) for one in found]


def _options(terms: OwnTerms) -> list[str]:
    """A title is one word of the command, whatever it begins with."""
    return [
        f"--title-ko={terms.title_ko}",
        f"--title-en={terms.title_en}",
        f"--minutes={terms.minutes}",
        f"--pass-percent={terms.pass_percent}",
        *(["--required"] if terms.required else []),
    ]
