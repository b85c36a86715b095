"""A programme's page: where it stands, by region, occupation, phase and institution. The rule: no name, no login, no group under five."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache
from typing import get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records.models import Course, CourseRun, Institution, Programme, Region, RunSummary
from grader.records.rollup import counts_of, oldest
from grader.records.state import UnknownCourse
from grader.reports.counts import Phase
from grader.reports.cube import Cube, Figures, Member, Slice
from grader.reports.programme import FIELDS, PHASE_TEXT, By, Names, programme_report
from grader.reports.table import HIDDEN
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.report_files import answer
from hub_config.portal.site import SignedIn, Visit
from hub_config.portal.tile_map import tiles
from labs.catalog import packs
from labs.texts import Text, UserError

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ZONE = ZoneInfo("Asia/Seoul")
#: Course run, region, institution, occupation, by their ids.
Run = tuple[str, str, str, str]
Choices = dict[By, list[tuple[str, Text]]]


@router.get("/programme/{programme}")
def programme(
    visit: SignedIn, programme: str, region: str = "", occupation: str = "", phase: str = "", institution: str = "",
    file: str = "",
) -> Response:  # fmt: skip
    """Where the programme stands, or the slice of it that the address names."""
    visit.who.must_be_programme(programme)
    with visit.records() as session:
        found = session.get(Programme, programme)
        if found is None:
            raise UnknownCourse("그런 사업이 없습니다.", "there is no such programme")
        title, runs, names = Text(ko=found.title_ko, en=found.title_en), _runs(session, programme), _names(session)
    choices = _choices(runs, names, region)
    given: dict[By, str] = {"region": region, "occupation": occupation, "phase": phase, "institution": institution}
    asked = _asked(choices, given)
    kept = visit.site.rollup.look([course for course, *_ in runs])
    if waiting := len(runs) - len(kept):
        # Sums of some of the runs, and a little later of one more, would tell that one run.
        return visit.page("programme_counting.html", title=title, waiting=waiting, runs=len(runs))
    cube = _cube(tuple(_members(runs, kept)))
    report = programme_report(title, cube, asked, names, oldest(kept.values()), ZONE)
    return answer(
        visit, report, file, template="programme.html", choices=choices, fields=FIELDS, asked_value=given.get,
        percent=lambda known, share: _percent(visit, known, share), summary=lambda figures: _summary(visit, figures),
        tiles=tiles(cube, Slice(None, asked.institution, asked.occupation, asked.phase), names, asked.region,
                    lambda chosen: _address(visit, programme, asked, chosen)),
        here=visit.url("programme", programme),
    )  # fmt: skip


def _runs(session: Session, programme: str) -> list[Run]:
    """The programme's course runs by their groups; not one row of a person is read."""
    query = (
        select(CourseRun.id, Institution.region, Institution.id, Course.occupation)
        .join(Institution, Institution.id == CourseRun.institution_id)
        .join(Course, Course.id == CourseRun.approved_id, isouter=True)
        .where(CourseRun.programme_id == programme).order_by(CourseRun.id)
    )  # fmt: skip
    return [
        (course, region, institution, occupation or "") for course, region, institution, occupation in session.execute(query)
    ]  # fmt: skip


def _names(session: Session) -> Names:
    return Names(
        regions={row.id: Text(ko=row.title_ko, en=row.title_en) for row in session.scalars(select(Region))},
        occupations={name: pack.profession.occupation for name, pack in packs().items()},
        institutions={row.id: Text(ko=row.title_ko, en=row.title_en) for row in session.scalars(select(Institution))},
    )


def _choices(runs: list[Run], names: Names, region: str) -> Choices:
    """What each field can be; the institutions of the region that is chosen."""
    found: dict[By, set[str]] = {"region": {run[1] for run in runs}, "occupation": {run[3] for run in runs}}
    found["institution"] = {run[2] for run in runs if region in ("", run[1])}
    told: Choices = {
        by: sorted(((value, names.of(by, value)) for value in values), key=lambda pair: (pair[1].ko, pair[0]))
        for by, values in found.items()
    }
    told["occupation"] = [(value or "none", text) for value, text in told["occupation"]]
    told["phase"] = [(phase, text) for phase, text in PHASE_TEXT.items()]
    return {by: told[by] for by in FIELDS}


def _asked(choices: Choices, given: dict[By, str]) -> Slice:
    """The slice of an address; UserError names the field that has no such value."""
    for by, value in given.items():
        if value and value not in dict(choices[by]):
            raise UserError(
                f"{FIELDS[by].ko}: 이 사업에 없는 값입니다. 목록에서 고르세요.",
                f"{FIELDS[by].en.lower()}: this programme has no such value; choose one of the list",
            )
    chosen = {by: "" if by == "occupation" and value == "none" else value for by, value in given.items() if value}
    phase: Phase | None = next((each for each in get_args(Phase) if each == given["phase"]), None)
    return Slice(chosen.get("region"), chosen.get("institution"), chosen.get("occupation"), phase)


def _address(visit: Visit, programme: str, asked: Slice, region: str | None) -> str:
    """The page's address with another region; an institution lies in one region only."""
    told = {name: value for name, value in asdict(asked).items() if value is not None} | {"region": region or ""}
    if told.get("occupation") == "":
        told["occupation"] = "none"
    query = urlencode({name: value for name, value in told.items() if value and name != "institution"})
    return visit.url("programme", programme) + (f"?{query}" if query else "") + "#map"


def _percent(visit: Visit, known: int | None, share: int | None) -> str:
    """A share as words: of hidden counts it is hidden, of nobody there is none."""
    if known is None:
        return HIDDEN.in_(visit.words.lang)
    return "–" if share is None else f"{share}%"


def _summary(visit: Visit, figures: Figures) -> str:
    """A tile in a sentence, for those who hear it."""
    return visit.t(
        N_("completed %(completed)s, attendance %(attendance)s, institutions %(institutions)s, enrolled %(enrolled)s"),
        completed=_percent(visit, figures.over, figures.completion_percent),
        attendance=_percent(visit, figures.enrolled, figures.attendance_percent),
        institutions=figures.institutions,
        enrolled=HIDDEN.in_(visit.words.lang) if figures.enrolled is None else f"{figures.enrolled:,}",
    )


def _members(runs: list[Run], kept: dict[str, RunSummary]) -> list[Member]:
    return [
        Member(region, institution, occupation, counts_of(kept[course]))
        for course, region, institution, occupation in runs
    ]


@lru_cache(maxsize=4)
def _cube(members: tuple[Member, ...]) -> Cube:
    return Cube(members)
