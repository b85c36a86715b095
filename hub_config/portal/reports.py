"""Reports of a course run: for its office and its instructors, and for a learner their own transcript.

The rule: whoever opens a report may see everybody in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.attendance.units import unit_periods
from grader.records.estimates import allowances_of
from grader.records.models import CourseRun, Institution, Person, StaffRole
from grader.records.rollup import count_now
from grader.records.state import LearnerState, UnknownCourse, course_state, find_course
from grader.reports.attendance import attendance_sheet, months_of
from grader.reports.completion import completion_list
from grader.reports.course import Call, Class, class_of
from grader.reports.institution import Line, institution_sums
from grader.reports.log import training_log
from grader.reports.table import Report
from grader.reports.transcript import transcript
from grader.reports.units import unit_statement
from hub_config.portal.checks import check_pairs
from hub_config.portal.i18n import N_
from hub_config.portal.office import run_of
from hub_config.portal.pages import PageRoute
from hub_config.portal.report_files import answer
from hub_config.portal.site import SignedIn, Visit, as_instructor, as_learner, as_office
from labs.texts import Text, UserError

#: A unit statement of the whole course run. As a page it is several times as long as one of a unit period.
ALL_UNITS = "all"

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Asked:
    """What a report is asked for with: a month, a day, a unit period (by its first day, or all), a learner, and as known when."""

    month: str = ""
    day: str = ""
    unit: str = ""
    learner: str = ""
    on: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of report: what it is called, what it asks for beside the course, and how it is made."""

    title: str
    about: str
    make: Callable[[Class, Asked], Report]
    asks: tuple[str, ...] = ()
    ai: bool = False
    #: What is paid, and why not, is for the office alone: a reason may be that somebody receives a benefit.
    paid: bool = False


KINDS: Mapping[str, Kind] = {
    "attendance": Kind(
        N_("Attendance sheet"), N_("A month, a learner in each row and a training day in each column"),
        lambda room, asked: attendance_sheet(room, _month(room, asked)), ("month",)),
    "units": Kind(
        N_("Unit statement"), N_("Days, events and what is credited in each unit period"),
        lambda room, asked: unit_statement(room, _unit(room, asked)), ("unit",), paid=True),
    "completion": Kind(
        N_("Completion list"), N_("Everybody's decision, and when it was frozen"), lambda room, _: completion_list(room)),
    "log": Kind(
        N_("Training log"), N_("What was done each day, and who was there"),
        lambda room, asked: training_log(room, _month(room, asked), _day(asked.day)), ("month", "day")),
    "transcript": Kind(
        N_("Transcript"), N_("One learner's labs, scores, hours and AI use"),
        lambda room, asked: transcript(room, _learner(room, asked)), ("learner",), ai=True),
}  # fmt: skip


@router.get("/office/{institution}/{course}/reports")
def office_index(visit: SignedIn, institution: str, course: str) -> HTMLResponse:
    """Which reports there are, for the office."""
    as_office(visit, institution)
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        return _index(visit, ("office", institution, course))


@router.get("/office/{institution}/{course}/reports/{report}")
def office_report(
    visit: SignedIn, institution: str, course: str, report: str, month: str = "", day: str = "", unit: str = "",
    learner: str = "", on: str = "", file: str = "",
) -> Response:  # fmt: skip
    """A report, for the office."""
    as_office(visit, institution)
    with visit.records() as session:
        visit.run = run_of(session, institution, course)
        asked = Asked(month, day, unit, learner, on)
        return _report(visit, session, report, asked, file, ("office", institution, course))


@router.get("/class/{course}/reports")
def class_index(visit: SignedIn, course: str) -> HTMLResponse:
    """Which reports there are, for an instructor."""
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        return _index(visit, ("class", course))


@router.get("/class/{course}/reports/{report}")
def class_report(
    visit: SignedIn, course: str, report: str, month: str = "", day: str = "", unit: str = "", learner: str = "",
    on: str = "", file: str = "",
) -> Response:  # fmt: skip
    """A report, for an instructor."""
    as_instructor(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        return _report(visit, session, report, Asked(month, day, unit, learner, on), file, ("class", course))


@router.get("/learn/{course}/transcript")
def my_transcript(visit: SignedIn, course: str, on: str = "", file: str = "") -> Response:
    """A learner's own transcript."""
    as_learner(visit, course)
    with visit.records() as session:
        visit.run = find_course(session, course)
        asked = Asked(learner=visit.who.name, on=on)
        return _report(visit, session, "transcript", asked, file, ("learn", course), own=True)


@router.get("/office/{institution}/reports/runs")
def institution_report(visit: SignedIn, institution: str, on: str = "", file: str = "") -> Response:
    """The institution's course runs side by side."""
    as_office(visit, institution)
    with visit.records() as session:
        visit.institution = session.get(Institution, institution)
        if visit.institution is None:
            raise UnknownCourse("그런 기관이 없습니다.", "there is no such institution")
        as_of = moment_of(visit, on)
        query = (
            select(CourseRun).where(CourseRun.institution_id == institution).order_by(CourseRun.starts_on, CourseRun.id)
        )
        lines = [
            Line(Text(ko=run.title_ko, en=run.title_en), run.round, run.starts_on, run.ends_on,
                 count_now(session, run, as_of, check_pairs()))
            for run in session.scalars(query)
        ]  # fmt: skip
        title = Text(ko=visit.institution.title_ko, en=visit.institution.title_en)
        report = institution_sums(title, lines, as_of, visit.zone)  # type: ignore[arg-type]
        return answer(
            visit, report, file, back=visit.url("office", institution), asks=("on",), asked=Asked(on=on), choices={}
        )


def moment_of(visit: Visit, on: str) -> datetime:
    """Now, or the end of a local day that is over."""
    day = _day(on)
    if day is None:
        return visit.now
    return min(visit.now, datetime.combine(day + timedelta(days=1), time(), visit.zone) - timedelta(seconds=1))


def _index(visit: Visit, base: tuple[str, ...]) -> HTMLResponse:
    return visit.page(
        "reports.html", at="reports", kinds=KINDS, base=base, back=visit.url(*base), here=visit.url(*base, "reports")
    )


def _report(
    visit: Visit, session: Session, name: str, asked: Asked, file: str, base: tuple[str, ...], *, own: bool = False
) -> Response:
    kind = KINDS.get(name)
    if kind is None or visit.run is None:
        raise UnknownCourse("그런 보고서가 없습니다.", "there is no such report")
    as_of = moment_of(visit, asked.on)
    state = course_state(session, visit.run.id, as_of)
    ai = _ai(visit, visit.run.id) if kind.ai else None
    paid = allowances_of(session, state, as_of) if kind.paid and base[0] == "office" else None
    room = class_of(state, as_of, instructors=_instructors(session, visit.run.id), ai=ai, allowances=paid)
    choices = {
        "month": [f"{month:%Y-%m}" for month in months_of(room)],
        "learner": [(learner.login, learner.name) for learner in room.learners],
        "unit": _units(visit, room),
    }
    if "unit" in kind.asks and not asked.unit:
        asked = replace(asked, unit=_unit_of_today(room))
    asks = ("on",) if own else (*kind.asks, "on")
    back = visit.url(*base) if own else visit.url(*base, "reports")
    return answer(visit, kind.make(room, asked), file, back=back, asks=asks, asked=asked, choices=choices)


def _instructors(session: Session, course: str) -> list[str]:
    query = select(Person.name).join(StaffRole, StaffRole.login == Person.login)
    return list(session.scalars(query.where(StaffRole.group == f"formgrade-{course}").order_by(Person.name)))


def _ai(visit: Visit, course: str) -> dict[str, Call] | None:
    lines = visit.site.gateway.spend("learner", visit.token, course=course)
    return None if lines is None else {line.name: Call(line.calls, line.tokens) for line in lines}


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError:
        raise UserError(
            f"날짜는 2026-07-06처럼 적으세요: {typed[:20]!r}", f"write a date as 2026-07-06, not {typed[:20]!r}"
        ) from None


def _units(visit: Visit, room: Class) -> list[tuple[str, str]]:
    """A run's unit periods to choose from, by their first days, and all of them together."""
    periods = unit_periods(room.starts_on, room.ends_on)
    named = [
        (f"{starts}", f"{number}: {starts:%m-%d} ~ {ends:%m-%d}") for number, (starts, ends) in enumerate(periods, 1)
    ]
    return [*named, (ALL_UNITS, visit.t(N_("All of them")))]


def _unit_of_today(room: Class) -> str:
    """The unit period that runs, else the nearest, by its first day."""
    first, *later = [starts for starts, _ in unit_periods(room.starts_on, room.ends_on)]
    return f"{max([first, *(starts for starts in later if starts <= room.today)])}"


def _unit(room: Class, asked: Asked) -> date | None:
    """The unit period asked for by its first day; None for all."""
    if asked.unit == ALL_UNITS:
        return None
    unit, known = _day(asked.unit), [starts for starts, _ in unit_periods(room.starts_on, room.ends_on)]
    if unit not in known:
        right = ", ".join([*map(str, known), ALL_UNITS])
        raise UserError(
            f"unit: {asked.unit[:20]!r}에 시작하는 단위기간이 없습니다. 다음 중에서 고르세요: {right}",
            f"unit: no unit period begins on {asked.unit[:20]!r}; it is one of {right}",
        )
    return unit


def _month(room: Class, asked: Asked) -> date:
    """The month asked for, else that of the day, else this one or the nearest of the course."""
    if asked.month:
        typed = asked.month
        try:
            return date.fromisoformat(f"{typed}-01")
        except ValueError:
            raise UserError(
                f"달은 2026-07처럼 적으세요: {typed[:20]!r}", f"write a month as 2026-07, not {typed[:20]!r}"
            ) from None
    return _day(asked.day) or min(max(room.today, room.starts_on), room.ends_on)


def _learner(room: Class, asked: Asked) -> LearnerState:
    found = next((learner for learner in room.learners if learner.login == (asked.learner or learner.login)), None)
    if found is None:
        raise UnknownCourse("이 과정의 훈련생이 아닙니다.", "nobody of that name is enrolled in this course run")
    return found
