"""Due times, terms and extensions in the records: which deadline is in force, what rests on it, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine

from grader.deadlines import NO_PENALTY, NotTaken
from grader.records import deadlines, journal, work
from grader.records.attend import Refused
from grader.records.blobs import Manifest
from grader.records.db import reading, writing
from grader.records.deadlines import Deadline
from grader.records.models import Event
from grader.records.state import LabState, LearnerState, find_course, learner_state
from grader.records.work import GradeReport, Receipt
from labs.manifest import LatePolicy, Terms

LAB, DAY, HOUR = "rough-cut", timedelta(days=1), timedelta(hours=1)
DUE = MONDAY_TEN + 2 * DAY
TERMS = Terms(grace_minutes=10, late=LatePolicy(percent_per_day=10, at_most_days=3))
REFUSE = Terms(grace_minutes=0, late=LatePolicy(policy="refuse"))


class Book:
    """The small course with a lab that is handed out, and a clock that is set by hand."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.now = engine, MONDAY_TEN
        self.release()

    def release(self, due_at: datetime | None = DUE, terms: Terms | None = TERMS, lab: str = LAB) -> Event:
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            # Other files each time, so that it is handed out anew.
            entry = {"path": "a", "size": 1, "sha256": f"{int(self.now.timestamp()):064x}"}
            files = Manifest.model_validate({"files": [entry]})
            return work.release(session, run, lab, files, actor="eve", due_at=due_at, terms=terms, now=self.now)

    def set(self, due_at: datetime | None, terms: Terms = TERMS, reason: str = "실습실 공사", lab: str = LAB) -> Event:
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            return deadlines.set_deadline(
                session, run, lab, due_at=due_at, terms=terms, reason=reason, instructor="eve", now=self.now
            )

    def extend(self, until: datetime, learner: str = "ann", reason: str = "병원 진료") -> Event:
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            return deadlines.extend(
                session, run, LAB, learner=learner, until=until, reason=reason, instructor="eve", now=self.now
            )

    def withdraw(self, learner: str = "ann", reason: str = "잘못 입력") -> Event:
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            return deadlines.withdraw(session, run, LAB, learner=learner, reason=reason, instructor="eve", now=self.now)

    def submit(self, learner: str = "ann", lab: str = LAB) -> Receipt:
        with writing(self.engine) as session:
            run = find_course(session, COURSE)
            deadlines.must_accept(session, run, lab, learner, self.now)
            return work.submit(session, run, lab, Manifest(files=()), learner=learner, now=self.now)

    def grade(self, receipt: Receipt, points: float = 80, **more: Any) -> Event:
        report = GradeReport(submission=receipt.id, points=points, max_points=100, final=True, **more)
        with writing(self.engine) as session:
            return work.record_grade(session, COURSE, report, actor="grader", now=self.now)

    def state(self, learner: str = "ann", as_of: datetime | None = None) -> LearnerState:
        with reading(self.engine) as session:
            assert journal.verify(session) is None
            found = learner_state(session, COURSE, learner, as_of or self.now)
        assert found is not None
        return found

    def lab(self, learner: str = "ann", as_of: datetime | None = None) -> LabState:
        return self.state(learner, as_of).labs[0]

    def of(self, learner: str = "ann", as_of: datetime | None = None, lab: str = LAB) -> Deadline:
        with reading(self.engine) as session:
            return deadlines.deadlines_of(session, COURSE).of(lab, learner, as_of)

    def late(self, receipt: Receipt) -> tuple[int, int]:
        with reading(self.engine) as session:
            found = deadlines.deadlines_of(session, COURSE).lateness(receipt)
        return found.days_late, found.percent


@pytest.fixture
def book(engine: Engine) -> Book:
    return Book(engine)


def refused(reason: str) -> Any:
    return pytest.raises(Refused, match=f"^{reason}$")


# --- which deadline is in force --------------------------------------------------------------------------------------


def test_what_the_lab_said_when_it_was_first_handed_out_stands(book: Book) -> None:
    assert (book.of().due_at, book.of().terms, book.of().rests_on) == (DUE, TERMS, ())
    book.now += HOUR
    book.release(DUE + DAY, REFUSE)
    assert (book.of().due_at, book.of().terms) == (DUE, TERMS)


def test_what_was_handed_out_before_terms_were_recorded_costs_nothing(book: Book) -> None:
    with writing(book.engine) as session:
        payload = {"lab": "book-proposal", "sha256": "0", "manifest": {"files": []}, "due_at": DUE.isoformat()}
        journal.append(session, work.RELEASED, actor="eve", course=COURSE, payload=payload, at=book.now)
    assert (book.of(lab="book-proposal").due_at, book.of(lab="book-proposal").terms) == (DUE, NO_PENALTY)
    book.now = DUE + 3 * DAY
    assert book.late(book.submit(lab="book-proposal")) == (3, 0)


def test_an_assignment_without_a_lab_is_never_late_until_an_instructor_says_when(book: Book) -> None:
    book.release(None, None, lab="book-proposal")
    book.now += 30 * DAY
    early = book.submit(lab="book-proposal")
    assert book.late(early) == (0, 0)
    book.now += HOUR
    event = book.set(book.now - DAY, lab="book-proposal")
    assert book.of(lab="book-proposal").rests_on == (event.id,)
    book.now += HOUR
    assert book.late(book.submit(lab="book-proposal")) == (2, 20)
    assert book.late(early) == (0, 0), "a due time that is set afterwards makes nothing late that is in"


def test_an_instructors_word_stands_before_the_labs_whichever_came_first(book: Book) -> None:
    book.set(DUE + DAY, REFUSE, lab="book-proposal")
    book.now += HOUR
    book.release(DUE, TERMS, lab="book-proposal")
    assert (book.of(lab="book-proposal").due_at, book.of(lab="book-proposal").terms) == (DUE + DAY, REFUSE)
    book.set(None, lab="book-proposal")
    assert book.of(lab="book-proposal").due_at is None
    assert book.of().due_at == DUE, "another lab's due time stays"


def test_an_extension_is_one_learners_and_the_newest_stands(book: Book) -> None:
    first = book.extend(DUE + DAY)
    assert (book.of("ann").due_at, book.of("bob").due_at) == (DUE + DAY, DUE)
    assert (book.of("ann").rests_on, book.of("ann").is_extended) == ((first.id,), True)
    book.now += HOUR
    second = book.extend(DUE + 3 * DAY, reason="입원")
    assert (book.of("ann").due_at, book.of("ann").rests_on) == (DUE + 3 * DAY, (second.id,))
    book.now += HOUR
    book.withdraw()
    assert (book.of("ann").due_at, book.of("ann").is_extended) == (DUE, False), "no earlier one comes back"
    assert book.of("ann", MONDAY_TEN).due_at == DUE + DAY, "as it was known then"
    with refused("no_extension"):
        book.withdraw()


def test_a_class_that_gets_more_time_than_the_extension_has_it_for_everybody(book: Book) -> None:
    book.extend(DUE + DAY)
    book.set(DUE + 2 * DAY)
    assert (book.of("ann").due_at, book.of("ann").is_extended) == (DUE + 2 * DAY, False)
    book.set(None)
    assert book.of("ann").due_at is None


@pytest.mark.parametrize(
    ("learner", "until", "reason", "why"),
    [
        ("ann", DUE, "병원", "extension_not_later"),
        ("ann", DUE - DAY, "병원", "extension_not_later"),
        ("ann", DUE + DAY, " \n", "deadline_reason_missing"),
        ("eve", DUE + DAY, "병원", "not_enrolled"),
        ("", DUE + DAY, "병원", "not_enrolled"),
    ],
)
def test_an_extension_is_refused(book: Book, learner: str, until: datetime, reason: str, why: str) -> None:
    with refused(why):
        book.extend(until, learner, reason)
    assert book.of("ann").rests_on == ()


def test_a_change_needs_a_reason_and_something_to_change(book: Book) -> None:
    with refused("deadline_reason_missing"):
        book.set(DUE, reason="")
    book.extend(DUE + DAY)
    with refused("deadline_reason_missing"):
        book.withdraw(reason=" ")
    book.set(None)
    with refused("nothing_to_extend"):
        book.extend(DUE + DAY, "bob")


def test_due_times_are_written_in_the_institutions_zone(book: Book) -> None:
    event = book.set(datetime(2026, 7, 8, 9, 0, tzinfo=ZoneInfo("UTC")))
    assert event.payload["due_at"] == "2026-07-08T18:00:00+09:00"
    assert event.payload["reason"] == "실습실 공사"


# --- lateness, and what it costs -------------------------------------------------------------------------------------


def test_a_penalty_lowers_the_points_that_decide(book: Book) -> None:
    book.now = DUE + DAY
    receipt = book.submit()
    book.grade(receipt, 65)
    lab = book.lab()
    assert (lab.full_points, lab.late_points, lab.points) == (65, 6.5, 58.5)
    assert not lab.work.passed, "65 would have passed"
    assert book.lab().lateness.text.en == "1 day late, 10% taken off"


def test_a_grade_that_has_the_penalty_in_it_is_not_lowered_twice(book: Book) -> None:
    book.now = DUE + DAY
    book.grade(book.submit(), 58.5, late_percent=10, late_points=6.5)
    assert (book.lab().full_points, book.lab().points) == (65, 58.5)


def test_an_extension_granted_after_grading_counts_at_once_and_is_what_the_decision_rests_on(book: Book) -> None:
    book.now = DUE + DAY
    receipt = book.submit()
    grade = book.grade(receipt, 58.5, late_percent=10, late_points=6.5)
    before = book.now
    book.now += HOUR
    event = book.extend(DUE + 2 * DAY)
    assert book.late(receipt) == (0, 0)
    assert (book.lab().points, book.lab().work.passed) == (65, True)
    assert book.lab().work.rests_on == (receipt.id, event.id, grade.id)
    assert book.lab(as_of=before).points == 58.5, "as it was known then"
    assert book.lab("bob").deadline.due_at == DUE


def test_what_changes_afterwards_makes_nothing_worse(book: Book) -> None:
    receipt = book.submit()
    book.now += HOUR
    moved = book.set(MONDAY_TEN - 3 * DAY, REFUSE)
    assert book.late(receipt) == (0, 0)
    assert moved.id in book.lab().work.rests_on
    with pytest.raises(NotTaken):
        book.submit("bob")


def test_an_extension_that_is_taken_back_keeps_what_came_in_while_it_stood(book: Book) -> None:
    given = book.extend(DUE + 2 * DAY)
    book.now = DUE + DAY
    relied = book.submit()
    book.now += HOUR
    book.withdraw()
    assert book.late(relied) == (0, 0)
    assert given.id in book.lab().work.rests_on
    book.now += HOUR
    assert book.late(book.submit())[0] == 2


# --- what is not taken -----------------------------------------------------------------------------------------------


def test_what_is_refused_for_the_class_is_taken_with_an_extension(book: Book) -> None:
    book.set(DUE, REFUSE)
    book.now = DUE
    book.submit()
    book.now = DUE + timedelta(seconds=1)
    with pytest.raises(NotTaken, match="2026-07-08 10:00"):
        book.submit()
    book.extend(DUE + HOUR)
    book.submit()
    with pytest.raises(NotTaken):
        book.submit("bob")
    assert len(book.lab().submissions) == 2


def test_attempts_are_counted_for_each_learner_and_lab(book: Book) -> None:
    book.set(DUE, TERMS.model_copy(update={"attempts": 2}))
    book.release(None, None, lab="book-proposal")
    for _ in range(2):
        book.submit()
    with pytest.raises(NotTaken, match="2 of 2 used"):
        book.submit()
    book.submit("bob")
    book.submit(lab="book-proposal")
    book.set(DUE, TERMS.model_copy(update={"attempts": 3}))
    book.submit()
