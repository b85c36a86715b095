"""What is estimated for a learner: the allowance of each unit period and the self-pay, from the records.

The rule: the course run says hours and place, events say what stands against a claim, `grader.allowance` computes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from grader.allowance import AllowanceEstimate, CoursePlan, Ineligible, Part, estimate, self_pay
from grader.attendance import TrainingDay
from grader.records import exemptions, journal
from grader.records.models import CourseRun, Event
from grader.records.state import CourseState, LearnerState
from grader.rules import PLACE_CLASSES, PlaceClass, Rules


def plan_of(run: CourseRun, days: Sequence[TrainingDay]) -> CoursePlan:
    """A run's hours and place: the approved hours where they are entered, else those of the timetable."""
    minutes = [int((day.ends - day.starts).total_seconds()) // 60 for day in days]
    # The shortest day decides whether its days are long ones: an estimate must not promise too much.
    return CoursePlan(run.hours * 60 or sum(minutes), min(minutes, default=0), _place(run))


def allowances_of(session: Session, state: CourseState, as_of: datetime) -> dict[str, AllowanceEstimate]:
    """Estimate everybody's allowance by login, as known at a moment; the flags of the whole run are read once."""
    run = state.run
    events = [event for event in exemptions.flag_events(session, run.id) if event.at <= as_of]
    plan, against = plan_of(run, state.days), defaultdict(list)
    for (login, *_), event in exemptions.flags(events).items():
        against[login].append(_ineligible(event))
    return {
        learner.login: estimate(learner.attendance, plan, state.rules, against[learner.login])
        for learner in state.learners
    }


def flags_of(events: Sequence[Event], login: str) -> list[Ineligible]:
    """What stands against a learner's claim, from the run's events in their order."""
    return [_ineligible(event) for (subject, *_), event in exemptions.flags(events).items() if subject == login]


def allowance_of(
    session: Session, run: CourseRun, learner: LearnerState, days: Sequence[TrainingDay], rules: Rules
) -> AllowanceEstimate:
    """Estimate a learner's allowance for every unit period."""
    events = journal.events(session, run.id, subject=learner.login)
    return estimate(learner.attendance, plan_of(run, days), rules, flags_of(events, learner.login))


def self_pay_of(run: CourseRun, rules: Rules) -> Part | None:
    """Estimate what a learner pays of the tuition; None where no tuition is entered."""
    return self_pay(run.approved.tuition_krw, rules) if run.approved and run.approved.tuition_krw else None


def _ineligible(event: Event) -> Ineligible:
    told = event.payload
    unit = date.fromisoformat(told["unit"]) if told["unit"] else None
    return Ineligible(told["flag"], told["reason"], unit, (event.id,))


def _place(run: CourseRun) -> PlaceClass:
    found = next((place for place in PLACE_CLASSES if place == run.place_class), None)
    return found or "capital"
