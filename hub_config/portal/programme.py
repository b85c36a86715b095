"""A programme's page: sums by region and occupation. The rule: no name, no login, and no group under five."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.records.models import Course, CourseRun, Institution, Programme, Region, RunSummary
from grader.records.rollup import counts_of, oldest
from grader.records.state import UnknownCourse
from grader.reports.programme import Member, programme_sums
from hub_config.portal.pages import PageRoute
from hub_config.portal.report_files import answer
from hub_config.portal.site import SignedIn
from labs.catalog import packs
from labs.texts import Text

router = APIRouter(route_class=PageRoute, include_in_schema=False)
ZONE = ZoneInfo("Asia/Seoul")
UNNAMED = Text(ko="기타", en="Other")


@router.get("/programme/{programme}")
def programme(visit: SignedIn, programme: str, file: str = "") -> Response:
    """Where the programme stands, by region and by occupation."""
    visit.who.must_be_programme(programme)
    with visit.records() as session:
        found = session.get(Programme, programme)
        if found is None:
            raise UnknownCourse("그런 사업이 없습니다.", "there is no such programme")
        title, runs = Text(ko=found.title_ko, en=found.title_en), _runs(session, programme)
    kept = visit.site.rollup.look([course for course, *_ in runs])
    members = _members(runs, kept)
    report = programme_sums(title, members, oldest(kept.values()), ZONE, waiting=len(runs) - len(members))
    return answer(visit, report, file, back="", asks=(), asked=None, choices={})


Run = tuple[str, str, Text, Text]


def _runs(session: Session, programme: str) -> list[Run]:
    """The programme's course runs with their institution, region and occupation; not one row of a person is read."""
    regions = {row.id: Text(ko=row.title_ko, en=row.title_en) for row in session.scalars(select(Region))}
    occupations = {name: pack.profession.occupation for name, pack in packs().items()}
    query = (
        select(CourseRun.id, Institution.id, Institution.region, Course.occupation)
        .join(Institution, Institution.id == CourseRun.institution_id)
        .join(Course, Course.id == CourseRun.approved_id, isouter=True)
        .where(CourseRun.programme_id == programme).order_by(CourseRun.id)
    )  # fmt: skip
    return [
        (course, institution, regions.get(region, UNNAMED), occupations.get(occupation or "", UNNAMED))
        for course, institution, region, occupation in session.execute(query)
    ]


def _members(runs: list[Run], kept: dict[str, RunSummary]) -> list[Member]:
    return [
        Member(institution, region, occupation, counts_of(kept[course]))
        for course, institution, region, occupation in runs if course in kept
    ]  # fmt: skip
