"""A learner's attendance, day by day, and asking for a correction. The rule: each day says what it counts as and why."""

from __future__ import annotations

from calendar import SUNDAY, Calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.orm import Session

from grader.attendance import DayVerdict, Mark
from grader.needs import Need
from grader.records import corrections, journal
from grader.records.attend import Refused, marks_of, zone
from grader.records.corrections import Request, requests_of
from grader.records.db import writing
from grader.records.models import CourseRun
from grader.records.state import LearnerState, course_state, find_course
from grader.roles import Forbidden
from hub_config.portal.change_form import ChangeForm
from hub_config.portal.i18n import N_
from hub_config.portal.needs import WORDS, AiToday, ai_today, needs_of_class
from hub_config.portal.pages import PageRoute
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.site import Posted, SignedIn, Visit, as_learner, as_staff

router = APIRouter(route_class=PageRoute, include_in_schema=False)
DONE = {
    "asked": N_("Your request is sent. You see the answer here."),
    "corrected": N_("The correction is recorded."),
}
#: As attendance books mark a day, and the colour of the word beside it.
SIGNS = {"attended": "○", "event": "△", "absent": "×", "excused": "◎", "open": "▷", "ahead": "·", "left": "–"}
TONES = {
    "attended": "good",
    "event": "todo",
    "absent": "bad",
    "excused": "info",
    "open": "info",
    "ahead": "off",
    "left": "off",
}


@dataclass(frozen=True)
class Day:
    """A training day of a learner: the verdict, what is recorded, what was asked."""

    verdict: DayVerdict
    mark: Mark
    requests: tuple[Request, ...]

    @property
    def kind(self) -> str:
        """What its sign and colour go by: attended with an event is a kind of its own."""
        return "event" if self.verdict.status == "attended" and self.verdict.events else self.verdict.status


@dataclass(frozen=True)
class Month:
    """A month's weeks from Sunday on; None for a date of another month."""

    first: date
    weeks: tuple[tuple[date | None, ...], ...]

    @property
    def name(self) -> str:
        """As an address has it, such as 2026-07."""
        return f"{self.first:%Y-%m}"


@router.get("/learn/{course}/attendance")
def my_days(visit: SignedIn, course: str, day: str = "", month: str = "", done: str = "") -> HTMLResponse:
    """The learner's own attendance: the whole calendar, and a month day by day."""
    as_learner(visit, course)
    form = ChangeForm(day=day)
    return _days(visit, course, visit.who.name, own=True, form=form, month=month, said=DONE.get(done, ""))


@router.post("/learn/{course}/attendance/ask")
def ask(visit: Posted, course: str, form: Annotated[ChangeForm, Form()]) -> Response:
    """Ask for a correction, or show the form again as it was typed."""
    as_learner(visit, course)
    try:
        with writing(visit.site.engine) as session:
            run = find_course(session, course)
            corrections.ask(session, run, visit.who.name, form.on, form.change, reason=form.reason, now=visit.now)
    except Refused as refused:
        return _days(visit, course, visit.who.name, own=True, form=form, problem=REFUSALS[refused.reason])
    return visit.go("learn", course, "attendance", query=f"?month={form.day[:7]}&done=asked")


@router.get("/class/{course}/learners/{login}")
def days_of_learner(visit: SignedIn, course: str, login: str, month: str = "", done: str = "") -> HTMLResponse:
    """A learner's attendance, for an instructor or the office; an instructor sees the labs and what help is needed too."""
    as_staff(visit, visit.look_up(course))
    ai = ai_today(visit, course) if visit.who.is_instructor(course) else None
    return _days(visit, course, login, own=False, form=ChangeForm(), month=month, said=DONE.get(done, ""), ai=ai)


def _days(
    visit: Visit,
    course: str,
    login: str,
    *,
    own: bool,
    form: ChangeForm,
    month: str = "",
    said: str = "",
    problem: str = "",
    ai: AiToday | None = None,
) -> HTMLResponse:
    with visit.records() as session:
        run = visit.run = find_course(session, course)
        if not own:
            as_staff(visit, run)
        everybody = course_state(session, course, visit.now)
        state = everybody.of(login)
        if state is None:
            raise Forbidden("이 과정의 훈련생 명단에 없습니다.", "not on the roster of this course")
        days, rules = _of(session, run, state), everybody.rules
        taught = not own and visit.who.is_instructor(course)
        needs: tuple[Need, ...] = ()
        if taught:
            needs = needs_of_class(visit, session, everybody, ai, login)[login]
        today, months = visit.now.astimezone(visit.zone).date(), _months(days)
        chosen = _chosen(months, month or form.day[:7], today)
        return visit.page(
            "attendance.html", 422 if problem else 200, state=state, days=days, months=months, chosen=chosen, own=own,
            signs=SIGNS, tones=TONES, rules=rules, until=rules.correction_until, form=form,
            askable=[day for day in reversed(days) if day <= today],
            here=visit.url("learn", course, "attendance") if own else visit.url("class", course, "learners", login),
            closed={row.day: row.reason for row in run.closed}, at="learner", taught=taught, needs=needs,
            needs_words=WORDS, **_told(visit, said, problem),
        )  # fmt: skip


def _told(visit: Visit, said: str, problem: str) -> dict[str, Any]:
    return {"said": visit.t(said) if said else "", "problem": visit.t(problem) if problem else ""}


def _of(session: Session, run: CourseRun, state: LearnerState) -> dict[date, Day]:
    events = journal.events(session, run.id, subject=state.login)
    marks, asked = marks_of(events, zone(run)), requests_of(events)
    return {
        verdict.date: Day(
            verdict, marks.get(verdict.date, Mark()), tuple(r for r in asked if r.day == verdict.date)
        )
        for verdict in state.attendance.verdicts
    }  # fmt: skip


def _chosen(months: list[Month], asked: str, today: date) -> Month | None:
    """The month that is asked for, else that of today, the last before it, or the first; None where there are no days."""
    begun = [month for month in months if month.first <= today]
    return next((month for month in months if month.name == asked), begun[-1] if begun else next(iter(months), None))


def _months(days: Mapping[date, Day]) -> list[Month]:
    weeks_of = Calendar(SUNDAY).monthdatescalendar
    return [
        Month(
            date(year, month, 1),
            tuple(
                tuple(day if day.month == month else None for day in week) for week in weeks_of(year, month)
            ),
        )
        for year, month in sorted({(day.year, day.month) for day in days})
    ]  # fmt: skip
