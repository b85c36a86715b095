"""What the desk knows of a lab's submissions. The rule: everything is addressed by a submission's id, so that a page without
names has none in its address either."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from sqlalchemy.orm import Session

from grader.gradebook import NotGraded, graded_submission, open_book, waiting_by_learner
from grader.records import journal, reviews, work
from grader.records.models import CourseLab, Event
from grader.records.state import find_course
from grader.records.work import Receipt, UnknownWork
from hub_config.portal.desk_names import Veil, code
from hub_config.portal.i18n import N_
from hub_config.portal.site import Visit
from labs.catalog import packs
from labs.manifest import Lab


@dataclass(frozen=True)
class Entry:
    """A learner's newest submission in the queue; `state` is ungraded, waiting or done."""

    receipt: Receipt
    state: str
    waits: int
    grade: Event | None


@dataclass(frozen=True)
class Desk:
    """One lab of a course, with everything handed in for it."""

    visit: Visit
    session: Session = field(repr=False)
    row: CourseLab
    root: Path
    manifest: Lab | None
    blind: bool
    receipts: tuple[Receipt, ...]

    @cached_property
    def people(self) -> dict[str, str]:
        """The course's learners, and whoever else handed in, by login."""
        run = self.visit.run
        on_roster = {e.login: e.person.name for e in run.enrolments} if run else {}
        return {**{receipt.learner: receipt.learner for receipt in self.receipts}, **on_roster}

    @property
    def ids(self) -> set[str]:
        return {receipt.id for receipt in self.receipts}

    @cached_property
    def veil(self) -> Veil:
        return Veil(self.people if self.blind else {})

    def who(self, receipt: Receipt) -> str:
        """How a submission is called: by its learner's name, or by a sign where names are off."""
        if self.blind:
            return self.visit.t(N_("Submission %(code)s"), code=code(receipt.id))
        return self.people[receipt.learner]

    def url(self, *parts: str) -> str:
        return self.visit.url("class", self.row.course_id, "labs", self.row.lab_id, "desk", *parts)

    def receipt(self, submission: str) -> Receipt:
        """A submission of this lab; else as if it were not there."""
        for receipt in self.receipts:
            if receipt.id == submission:
                return receipt
        raise UnknownWork("그런 제출물이 없습니다.", "there is no such submission")

    def graded(self, learner: str) -> str | None:
        """The submission of a learner that the gradebook has."""
        return graded_submission(self.root, self.row.lab_id, learner)

    @cached_property
    def newest(self) -> tuple[Receipt, ...]:
        """Everybody's newest submission; without names in no order of the roster."""
        newest = {receipt.learner: receipt for receipt in self.receipts}
        order = (lambda r: code(r.id)) if self.blind else (lambda r: (self.people[r.learner], r.learner))
        return tuple(sorted(newest.values(), key=order))

    @cached_property
    def queue(self) -> tuple[Entry, ...]:
        """Everybody's newest submission and how it stands."""
        waits, grades = self._waiting(), self._grades()
        return tuple(self._entry(receipt, waits, grades.get(receipt.id)) for receipt in self.newest)

    def _entry(self, receipt: Receipt, waits: Counter[str], grade: Event | None) -> Entry:
        if receipt.learner not in waits or self.graded(receipt.learner) != receipt.id:
            return Entry(receipt, "ungraded", 0, None)
        left = waits[receipt.learner]
        return Entry(receipt, "waiting" if left else "done", left, grade)

    def _waiting(self) -> Counter[str]:
        try:
            with open_book(self.root) as book:
                return waiting_by_learner(book, self.row.lab_id)
        except NotGraded:
            return Counter()

    def _grades(self) -> dict[str, Event]:
        found = journal.events(self.session, self.row.course_id, kind=work.GRADED)
        return {event.payload["submission"]: event for event in found if event.payload["lab"] == self.row.lab_id}

    def shown(self, only_waiting: bool) -> tuple[Entry, ...]:
        """The queue as its page lists it."""
        return tuple(entry for entry in self.queue if not only_waiting or entry.state == "waiting")

    def order(self, only_waiting: bool, here: str) -> list[Receipt]:
        """The order in which submissions are gone through; the one that is looked at keeps its place in it."""
        if not only_waiting:
            return list(self.newest)
        return [entry.receipt for entry in self.queue if entry.state == "waiting" or entry.receipt.id == here]


def open_desk(visit: Visit, session: Session, course: str, lab: str) -> Desk:
    """The desk of a lab; UnknownWork where the course has none such."""
    run = visit.run = find_course(session, course)
    row = next((row for row in run.labs if row.lab_id == lab), None)
    if row is None:
        raise UnknownWork("이 과정에 없는 실습입니다.", "this course has no such lab")
    described = next((found.lab for pack in packs().values() for found in pack.labs if found.id == lab), None)
    root = visit.site.settings.courses_folder / course
    blind = reviews.is_blind(session, course, lab)
    return Desk(visit, session, row, root, described, blind, tuple(work.submissions(session, course, lab=lab)))
