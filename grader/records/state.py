"""How learners stand: the journal's events folded into attendance, work and the decision, as known at a moment.

Every page and report reads this; nothing here is stored, so a decision can always be computed again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property

from sqlalchemy.orm import Session

from grader.attendance import CourseAttendance, DayVerdict, Mark, TrainingDay, judge_course
from grader.completion import Decision, LabWork, Outcome, decide
from grader.deadlines import Lateness, taken_off
from grader.records import journal, work
from grader.records.attend import marks_of, zone
from grader.records.deadlines import Deadline, Deadlines
from grader.records.enrolments import ends, leaving_of
from grader.records.exemptions import exemptions
from grader.records.frozen import Frozen, frozen_decisions
from grader.records.models import CourseLab, CourseRun, Event
from grader.records.programmes import rules_of, versions
from grader.records.remembered import (
    Basis,
    Kept,
    Place,
    basis_of,
    changed_since,
    enrolled,
    memory_of,
    newest,
    turning_point,
)
from grader.records.timetable import training_days
from grader.records.work import Receipt
from grader.rules import Rules
from labs.texts import Text, UserError


class UnknownCourse(UserError):
    """A course run that is not in the records."""


@dataclass(frozen=True)
class LabState:
    """One lab as it stands for one learner."""

    lab: CourseLab
    release: Event | None
    submissions: tuple[Receipt, ...]
    grade: Event | None
    feedback: Event | None
    deadline: Deadline
    #: How late each submission is, by its receipt.
    late: Mapping[str, Lateness]
    #: The deadline events that the latest submission's verdict rests on.
    moved: tuple[str, ...]
    #: The event that exempts this learner.
    exemption: Event | None = None
    #: An earlier attempt that counts in place of the newest, where the programme counts the best.
    better: LabState | None = None

    @cached_property
    def title(self) -> Text:
        return Text(ko=self.lab.title_ko, en=self.lab.title_en)

    @property
    def latest(self) -> Receipt | None:
        return self.submissions[-1] if self.submissions else None

    @property
    def due_at(self) -> datetime | None:
        """When it is due for this learner."""
        return self.deadline.due_at

    @property
    def lateness(self) -> Lateness:
        """How late the submission is that counts."""
        return self.late[self.latest.id] if self.latest else Lateness()

    # A state is kept between requests, and tables ask for the same of every lab of every learner.
    @cached_property
    def full_points(self) -> float | None:
        """The grade's points before anything is taken off for being late."""
        payload = self.grade.payload if self.grade else None
        return round(payload["points"] + payload.get("late_points", 0), 2) if payload else None

    @cached_property
    def late_points(self) -> float:
        """What being late takes off, by the deadline in force: an extension counts at once, not at the next grading."""
        return taken_off(self.full_points or 0, self.lateness.percent)

    @cached_property
    def points(self) -> float | None:
        """The points that count."""
        return None if self.full_points is None else round(self.full_points - self.late_points, 2)

    @cached_property
    def step(self) -> str:
        """Where the lab stands: locked, open, submitted, review (automatic part graded) or graded."""
        if self.release is None:
            return "locked"
        if self.latest is None:
            return "open"
        if self.grade is None:
            return "submitted"
        return "graded" if self.grade.payload["final"] else "review"

    @cached_property
    def work(self) -> LabWork:
        """What the decision makes of it."""
        if self.better is not None:
            return self.better.work
        grade, latest = self.grade, self.latest
        exemption = self.exemption
        events = (latest and latest.id, *self.moved, grade and grade.id, exemption and exemption.id)
        return LabWork(
            lab=self.lab.lab_id,
            title=self.title,
            pass_percent=self.lab.pass_percent,
            submitted=latest is not None,
            score=self.points,
            max_score=grade.payload["max_points"] if grade else 0,
            final=bool(grade and grade.payload["final"]),
            late_points=self.late_points,
            rests_on=tuple(event for event in events if event),
            exempt=None if exemption is None else _said(exemption.payload["reason"]),
        )


@dataclass(frozen=True)
class LearnerState:
    """A learner in a course run: attendance, labs in order, and the decision as it stands."""

    login: str
    name: str
    attendance: CourseAttendance
    labs: tuple[LabState, ...]
    decision: Decision
    #: What is recorded of the day that is today; a state never outlasts its day.
    today: Mark
    #: How the enrolment ended, where it did.
    left: Event | None = None
    #: The decision as a person froze it; it stands, whatever is computed since.
    frozen: Frozen | None = None

    @property
    def outcome(self) -> Outcome:
        """The outcome that stands: the frozen one, else as computed now."""
        return self.frozen.outcome if self.frozen else self.decision.outcome

    @property
    def differs(self) -> bool:
        """Whether what is computed now is no longer what was frozen."""
        return self.frozen is not None and self.frozen.outcome != self.decision.outcome

    def day(self, today: datetime) -> DayVerdict | None:
        """Today's verdict, where today (aware, local) is a training day."""
        return next((verdict for verdict in self.attendance.verdicts if verdict.date == today.date()), None)


@dataclass(frozen=True)
class CourseState:
    """A course run with every learner."""

    run: CourseRun
    learners: tuple[LearnerState, ...]
    deadlines: Deadlines
    rules: Rules
    days: tuple[TrainingDay, ...]
    #: The handing out of each lab that is handed out.
    releases: Mapping[str, Event]

    def day(self, day: date) -> TrainingDay | None:
        """The training day of a date, if it is one."""
        return next((found for found in self.days if found.date == day), None)

    def of(self, login: str) -> LearnerState | None:
        """One learner; None where they are not enrolled."""
        return next((learner for learner in self.learners if learner.login == login), None)


def _said(words: str) -> Text:
    """What somebody typed, the same in both languages."""
    return Text(ko=words, en=words)


def find_course(session: Session, course: str) -> CourseRun:
    """A course run by its id; UnknownCourse where there is none."""
    run = session.get(CourseRun, course)
    if run is None:
        raise UnknownCourse(f"그런 과정이 없습니다: {course[:60]!r}", f"no course run {course[:60]!r}")
    return run


def course_state(session: Session, course: str, as_of: datetime) -> CourseState:
    """Everybody in a course run, as known at a moment; what nothing has changed since is not folded again."""
    run = find_course(session, course)
    memory = memory_of(session)
    if memory is None:
        return fold(session, run, as_of)
    basis, place = basis_of(session, run), newest(session, course)
    if kept := memory.get(course, basis, as_of):
        if kept.newest == place:
            return replace(kept.state, run=run)
        if fresh := _refold(session, run, kept, place, as_of):
            memory.keep(course, fresh)
            return fresh.state
    made = _fold(session, run, basis, place, as_of)
    memory.keep(course, made)
    return made.state


def fold(session: Session, run: CourseRun, as_of: datetime) -> CourseState:
    """Everybody in a course run, folded from all of its events and nothing else."""
    return _fold(session, run, basis_of(session, run), newest(session, run.id), as_of).state


def _fold(session: Session, run: CourseRun, basis: Basis, place: Place | None, as_of: datetime) -> Kept:
    attendance, others = journal.attendance(session, run.id), journal.other_than_attendance(session, run.id)
    facts = _facts(session, run, others, as_of)
    by_learner = _by_learner((*others, *attendance), as_of)
    learners = tuple(_learner(facts, login, name, by_learner[login]) for login, name in enrolled(session, run.id))
    state = CourseState(run, learners, facts.deadlines, facts.rules, facts.days, facts.releases)
    everything = (*others, *attendance, *versions(session, run.programme_id))
    known_from = max((event.at for event in everything), default=as_of)
    turns_at = turning_point(as_of, zone(run), facts.days, attendance)
    return Kept(state, facts, basis, place, known_from, as_of, turns_at)


def _refold(session: Session, run: CourseRun, kept: Kept, place: Place | None, as_of: datetime) -> Kept | None:
    """A kept state with those learners folded anew who alone have new events; None where that is not all."""
    changed = changed_since(session, run.id, kept.newest) if kept.newest else None
    if changed is None:
        return None
    attendance = journal.attendance(session, run.id, changed)
    others = journal.other_than_attendance(session, run.id, changed)
    facts = replace(kept.facts, run=run, as_of=as_of)
    by_learner = _by_learner((*others, *attendance), as_of)
    learners = tuple(
        _learner(facts, learner.login, learner.name, by_learner[learner.login]) if learner.login in changed else learner
        for learner in kept.state.learners
    )
    known_from = max((kept.known_from, *(event.at for event in (*others, *attendance))))
    turns_at = min(kept.turns_at, turning_point(as_of, zone(run), facts.days, attendance))
    state = replace(kept.state, run=run, learners=learners)
    return Kept(state, facts, kept.basis, place, known_from, as_of, turns_at)


def _facts(session: Session, run: CourseRun, others: list[Event], as_of: datetime) -> Facts:
    events = [event for event in others if event.at <= as_of]
    return Facts(
        run=run,
        rules=rules_of(session, run, as_of),
        days=tuple(training_days(run, others, as_of)),
        releases={event.payload["lab"]: event for event in events if event.kind == work.RELEASED},
        deadlines=Deadlines(events),
        ends=ends(events),
        exemptions=exemptions(events),
        frozen=frozen_decisions(events),
        as_of=as_of,
    )


def _by_learner(events: Iterable[Event], as_of: datetime) -> defaultdict[str, list[Event]]:
    found: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.at <= as_of:
            found[event.subject].append(event)
    return found


def learner_state(session: Session, course: str, login: str, as_of: datetime) -> LearnerState | None:
    """One learner in a course run, or None where they are not enrolled."""
    return course_state(session, course, as_of).of(login)


@dataclass(frozen=True)
class Facts:
    """What is the same for every learner of a run, as known at a moment."""

    run: CourseRun
    rules: Rules
    days: tuple[TrainingDay, ...]
    releases: Mapping[str, Event]
    deadlines: Deadlines
    ends: Mapping[str, Event]
    exemptions: Mapping[tuple[str, str], Event]
    frozen: Mapping[str, Frozen]
    as_of: datetime


def _learner(facts: Facts, login: str, name: str, events: list[Event]) -> LearnerState:
    run, tz = facts.run, zone(facts.run)
    period = (run.starts_on, run.ends_on)
    leaving = leaving_of(facts.ends.get(login))
    marks, today = marks_of(events, tz), facts.as_of.astimezone(tz).date()
    attendance = judge_course(facts.days, marks, facts.rules, facts.as_of, period, leaving=leaving)
    by_lab: defaultdict[str, list[Event]] = defaultdict(list)
    for event in events:
        if lab := event.payload.get("lab"):
            by_lab[lab].append(event)
    labs = tuple(_lab(facts, row, login, by_lab[row.lab_id]) for row in run.labs)
    required = [state.work for state in labs if state.lab.required]
    decision = decide(attendance, required, course_over=today > run.ends_on)
    left, frozen = facts.ends.get(login), facts.frozen.get(login)
    return LearnerState(login, name, attendance, labs, decision, marks.get(today, Mark()), left, frozen)


def _lab(facts: Facts, row: CourseLab, login: str, mine: list[Event]) -> LabState:
    """A lab by its newest attempt; with the better earlier one, where the programme counts the best."""
    receipts = tuple(work.receipt_of(event) for event in mine if event.kind == work.RECEIVED)
    newest = _attempt(facts, row, login, mine, receipts)
    if facts.rules.counted_attempt == "last" or len(receipts) < 2:
        return newest
    earlier = [_attempt(facts, row, login, mine, receipts[:count]) for count in range(1, len(receipts))]
    final = [attempt for attempt in earlier if attempt.grade and attempt.grade.payload["final"]]
    best = max(final, key=lambda attempt: attempt.points or 0, default=None)
    standing = newest.points if newest.grade and newest.grade.payload["final"] else None
    better = best if best and (standing is None or (best.points or 0) > standing) else None
    return replace(newest, better=better)


def _attempt(facts: Facts, row: CourseLab, login: str, mine: list[Event], receipts: tuple[Receipt, ...]) -> LabState:
    """A lab as the last of some submissions leaves it: its grade and feedback, not those of another."""
    latest = receipts[-1].id if receipts else None
    of_latest = [event for event in mine if event.payload.get("submission") == latest]
    grade = next((event for event in reversed(of_latest) if event.kind == work.GRADED), None)
    feedback = next((event for event in reversed(of_latest) if event.kind == work.FEEDBACK), None)
    deadlines = facts.deadlines
    return LabState(
        row,
        facts.releases.get(row.lab_id),
        receipts,
        grade,
        feedback,
        deadlines.of(row.lab_id, login),
        late={receipt.id: deadlines.lateness(receipt) for receipt in receipts},
        moved=deadlines.rests_on(receipts[-1]) if receipts else (),
        exemption=facts.exemptions.get((login, row.lab_id)),
    )
