"""A lab's due time, its terms and extensions, as an instructor sets them. The rule: every change is an event with a reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from grader.records import deadlines, work
from grader.records.attend import Refused, zone
from grader.records.db import writing
from grader.records.deadlines import Deadline, deadlines_of
from grader.records.models import CourseRun
from grader.records.state import find_course
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.refusals import REFUSALS
from hub_config.portal.site import Posted, SignedIn, Visit, as_instructor
from labs.manifest import Terms

router = APIRouter(route_class=PageRoute, include_in_schema=False)
CHANGES = {
    deadlines.SET: N_("Due time set"),
    deadlines.EXTENDED: N_("Due time extended"),
    deadlines.WITHDRAWN: N_("Extension taken back"),
}
DONE = {
    "set": N_("The due time is recorded."),
    "extended": N_("The extension is recorded. The learner sees it from now on."),
    "withdrawn": N_("The extension is taken back. What was handed in while it stood keeps it."),
}
#: What a browser's field for a local day and time writes.
LOCAL = "%Y-%m-%dT%H:%M"


class DueForm(BaseModel):
    """The due time and the terms as they were typed; an empty due time is none."""

    csrf: str = ""
    due: str = ""
    grace_minutes: str = ""
    policy: str = ""
    percent_per_day: str = ""
    at_most_days: str = ""
    attempts: str = ""
    reason: str = ""

    def terms(self) -> Terms:
        late = {name: getattr(self, name) for name in ("policy", "percent_per_day", "at_most_days")}
        try:
            return Terms.model_validate({"grace_minutes": self.grace_minutes, "attempts": self.attempts, "late": late})
        except ValidationError:
            raise Refused("terms_out_of_range") from None


class ExtensionForm(BaseModel):
    """An extension, or its taking back, as it was typed."""

    csrf: str = ""
    learner: str = ""
    until: str = ""
    reason: str = ""


@router.get("/class/{course}/labs/{lab}/deadline")
def deadline(visit: SignedIn, course: str, lab: str, learner: str = "", done: str = "") -> HTMLResponse:
    """The due time, what being late costs, and who has an extension."""
    as_instructor(visit, course)
    return _page(visit, course, lab, extension=ExtensionForm(learner=learner), said=DONE.get(done, ""))


@router.post("/class/{course}/labs/{lab}/deadline")
def set_deadline(visit: Posted, course: str, lab: str, form: Annotated[DueForm, Form()]) -> Response:
    """Record a due time and terms for the class, or show the form again as it was typed."""

    def record(session: Session, run: CourseRun) -> None:
        standing = deadlines_of(session, run.id).of(lab)
        deadlines.set_deadline(
            session, run, lab, due_at=_due_at(run, form.due, standing), terms=form.terms(), reason=form.reason,
            instructor=visit.who.name, now=visit.now,
        )  # fmt: skip

    problem = _record(visit, course, record)
    return _page(visit, course, lab, due=form, problem=problem, at="due") if problem else _go(visit, course, lab, "set")


@router.post("/class/{course}/labs/{lab}/deadline/extensions")
def extend(visit: Posted, course: str, lab: str, form: Annotated[ExtensionForm, Form()]) -> Response:
    """Record more time for one learner, or show the form again as it was typed."""

    def record(session: Session, run: CourseRun) -> None:
        deadlines.extend(
            session, run, lab, learner=form.learner, until=moment_of(run, form.until), reason=form.reason,
            instructor=visit.who.name, now=visit.now,
        )  # fmt: skip

    problem = _record(visit, course, record)
    if problem:
        return _page(visit, course, lab, extension=form, problem=problem, at="extension")
    return _go(visit, course, lab, "extended")


@router.post("/class/{course}/labs/{lab}/deadline/withdrawals")
def withdraw(visit: Posted, course: str, lab: str, form: Annotated[ExtensionForm, Form()]) -> Response:
    """Take an extension back, or show its reason again as it was typed."""

    def record(session: Session, run: CourseRun) -> None:
        deadlines.withdraw(
            session, run, lab, learner=form.learner, reason=form.reason, instructor=visit.who.name, now=visit.now
        )

    problem = _record(visit, course, record)
    if problem:
        return _page(visit, course, lab, withdrawal=form, problem=problem, at="withdrawal")
    return _go(visit, course, lab, "withdrawn")


def _record(visit: Visit, course: str, record: Callable[[Session, CourseRun], None]) -> str:
    """Record a change; give the refusal's message, or nothing."""
    as_instructor(visit, course)
    try:
        with writing(visit.site.engine) as session:
            run = find_course(session, course)
            record(session, run)
    except Refused as refused:
        return REFUSALS[refused.reason]
    return ""


def _page(
    visit: Visit, course: str, lab: str, *, due: DueForm | None = None, extension: ExtensionForm | None = None,
    withdrawal: ExtensionForm | None = None, problem: str = "", at: str = "", said: str = "",
) -> HTMLResponse:  # fmt: skip
    with visit.records() as session:
        run = visit.run = find_course(session, course)
        row, known = work.lab_of(run, lab), deadlines_of(session, course)
        standing, names = known.of(lab), {e.login: e.person.name for e in run.enrolments}
        return visit.page(
            "deadline.html", 422 if problem else 200, lab=row, at=lab, standing=standing, names=names,
            due=due or _standing_form(run, standing), extension=extension or ExtensionForm(),
            withdrawal=withdrawal or ExtensionForm(), changes=known.changes(lab), kinds=CHANGES,
            extended=[known.of(lab, login) for login in names if login in known.extensions(lab)],
            problem=visit.t(problem) if problem else "", problem_at=at, said=visit.t(said) if said else "",
        )  # fmt: skip


def _standing_form(run: CourseRun, standing: Deadline) -> DueForm:
    terms = standing.terms
    return DueForm(
        due=_local(run, standing.class_due_at), grace_minutes=str(terms.grace_minutes), attempts=str(terms.attempts),
        policy=terms.late.policy, percent_per_day=str(terms.late.percent_per_day),
        at_most_days=str(terms.late.at_most_days),
    )  # fmt: skip


def _local(run: CourseRun, moment: datetime | None) -> str:
    return moment.astimezone(zone(run)).strftime(LOCAL) if moment else ""


def _due_at(run: CourseRun, typed: str, standing: Deadline) -> datetime | None:
    """The due time that was typed; left as it stood, it keeps the seconds that a form does not show."""
    if not typed.strip():
        return None
    return standing.class_due_at if typed == _local(run, standing.class_due_at) else moment_of(run, typed)


def moment_of(run: CourseRun, typed: str) -> datetime:
    """A local day and time of the institution; one that its clocks skip is none."""
    try:
        local = datetime.fromisoformat(typed.strip())
        moment = local.replace(tzinfo=zone(run)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("not_a_due_time") from None
    if local.tzinfo is not None or moment.astimezone(zone(run)).replace(tzinfo=None) != local:
        raise Refused("not_a_due_time")
    return moment


def _go(visit: Visit, course: str, lab: str, done: str) -> Response:
    return visit.go("class", course, "labs", lab, "deadline", query=f"?done={done}")
