"""How far a learner is: one plain sentence, bars beside it, and what kind of day it is. The rule: nothing here decides anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time

from sqlalchemy import select

from grader.completion import COMPLETING
from grader.records.models import TrainingDayRow
from grader.records.state import LabState, LearnerState
from hub_config.portal.i18n import N_
from hub_config.portal.site import Visit

WAITING = ("submitted", "review")


@dataclass(frozen=True)
class Bar:
    """Done of what is needed; what is more than needed does not count here."""

    label: str
    done: int
    needed: int
    told: str


@dataclass(frozen=True)
class TrainingDay:
    """Where the course stands today: the number of its training day, or the next one."""

    number: int | None
    of: int
    next: tuple[date, time, time] | None


@dataclass(frozen=True)
class Group:
    """Labs that are at the same step, under a heading."""

    title: str
    labs: Sequence[LabState]
    is_folded: bool = False
    are_locked: bool = False


def sentence(visit: Visit, state: LearnerState) -> str:
    """One sentence: what is still to do until completion."""
    outcome = state.outcome
    if outcome in COMPLETING:
        return visit.t(N_("You meet every requirement for completion."))
    if outcome in ("dropout", "dismissed"):
        return visit.t(N_("Your enrolment in this course has ended. Your institution can tell you more."))
    if outcome == "out_of_reach":
        return visit.t(N_("The attendance requirement can no longer be met. Talk to your institution."))
    if outcome == "not_completed":
        return visit.t(N_("The course is over and not every requirement is met."))
    return ", ".join([*_labs(visit, state), *_absences(visit, state)]) or visit.t(
        N_("Completion is not decided yet.")
    )  # fmt: skip


def _labs(visit: Visit, state: LearnerState) -> list[str]:
    unmet = [lab for lab in state.labs if lab.lab.required and not lab.work.met]
    waiting = sum(lab.step in WAITING for lab in unmet)
    said = []
    if to_do := len(unmet) - waiting:
        said.append(visit.tn("%(count)s more lab", "%(count)s more labs", to_do))
    if waiting:
        said.append(visit.tn("%(count)s lab waits for its grade", "%(count)s labs wait for their grades", waiting))
    return said


def _absences(visit: Visit, state: LearnerState) -> list[str]:
    if state.attendance.passes:
        return []
    left = state.attendance.absences_left
    if left <= 0:
        return [visit.t(N_("no absence any more"))]
    return [visit.tn("at most %(count)s more absence", "at most %(count)s more absences", left)]


def bars(visit: Visit, state: LearnerState) -> list[Bar]:
    """Attendance and required labs, each done of needed."""
    attendance, required = state.attendance, [lab for lab in state.labs if lab.lab.required]
    passed, needed = sum(lab.work.met for lab in required), attendance.needed
    found = [
        Bar(visit.t(N_("Training days credited")), min(attendance.credited, needed), needed,
            visit.t(N_("%(done)s of %(needed)s days"), done=attendance.credited, needed=needed)),
        Bar(visit.t(N_("Required labs passed")), passed, len(required),
            visit.t(N_("%(done)s of %(needed)s labs"), done=passed, needed=len(required))),
    ]  # fmt: skip
    return [bar for bar in found if bar.needed]


def training_day(visit: Visit, state: LearnerState) -> TrainingDay:
    """Which training day today is, or when the next one begins."""
    today = visit.now.astimezone(visit.zone).date()
    days = [verdict.date for verdict in state.attendance.verdicts]
    number = days.index(today) + 1 if today in days else None
    coming = None
    if visit.run and visit.database:
        ahead = TrainingDayRow.course_id == visit.run.id, TrainingDayRow.day > today
        coming = visit.database.scalar(select(TrainingDayRow).where(*ahead).order_by(TrainingDayRow.day).limit(1))
    return TrainingDay(number, len(days), (coming.day, coming.starts, coming.ends) if coming else None)


def groups(state: LearnerState) -> list[Group]:
    """A learner's labs: what is to do by its due time, what waits, what is done, what comes."""
    labs = state.labs
    done = [lab for lab in labs if lab.step == "graded"]
    coming = [lab for lab in labs if lab.step == "locked"]
    found = [
        Group(N_("To do"), sorted((lab for lab in labs if lab.step == "open"), key=_by_due)),
        Group(N_("Waiting for the result"), [lab for lab in labs if lab.step in WAITING]),
        Group(N_("Graded"), done, is_folded=len(done) > 3),
        Group(N_("Not handed out yet"), coming, is_folded=len(coming) > 3, are_locked=True),
    ]
    return [group for group in found if group.labs]


def _by_due(lab: LabState) -> tuple[bool, float]:
    return (lab.due_at is None, lab.due_at.timestamp() if lab.due_at else 0)
