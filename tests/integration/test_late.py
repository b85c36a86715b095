"""Late penalties on real parts: the server's verdict, in nbgrader's gradebook, its feedback page and the records.

A submission that brings times of its own changes nothing.
"""

# ruff: noqa: F401, F811 (a fixture is imported, and named again where it is used)

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from nbgrader.api import Gradebook
from small_course import COURSE, MONDAY_TEN
from sqlalchemy.orm import Session
from test_grading import AUTOMATIC, LAB, Classroom, classroom, hand_in
from turns import few

from grader.engine.grade import release_feedback
from grader.gradebook import RECEIPT
from grader.late import late_percent
from grader.nbgrader_setup import course_api
from grader.records import deadlines
from grader.records.db import writing
from grader.records.models import CourseRun
from grader.records.state import LabState, find_course
from labs.manifest import LatePolicy, Terms

TEN_A_DAY = Terms(grace_minutes=0, late=LatePolicy(percent_per_day=10, at_most_days=3))
REVIEWED = 11


@contextmanager
def recording(room: Classroom) -> Iterator[tuple[Session, CourseRun]]:
    with writing(room.engine) as session:
        yield session, find_course(session, COURSE)


def due(room: Classroom, due_at: datetime, terms: Terms = TEN_A_DAY) -> None:
    with recording(room) as (session, run):
        deadlines.set_deadline(
            session, run, LAB, due_at=due_at, terms=terms, reason="시험", instructor="eve", now=MONDAY_TEN
        )


def extend(room: Classroom, learner: str) -> None:
    with recording(room) as (session, run):
        until = MONDAY_TEN + timedelta(hours=1)
        deadlines.extend(
            session, run, LAB, learner=learner, until=until, reason="병원", instructor="eve", now=MONDAY_TEN
        )


def lab_of(room: Classroom, who: str) -> LabState:
    return next(lab for lab in room.state(who).labs if lab.lab.lab_id == LAB)


def gradebook(room: Classroom) -> Any:
    return Gradebook(course_api(room.root, COURSE).coursedir.db_url)


def columns(room: Classroom, who: str) -> tuple[float, float]:
    """A submission's score and penalty, as nbgrader's gradebook has them."""
    with gradebook(room) as book:
        submission = book.find_submission(LAB, who)
        return submission.score, submission.late_submission_penalty


def review(room: Classroom, who: str) -> None:
    """The instructor gives the manual criterion its points in formgrader."""
    with gradebook(room) as book:
        grade = book.find_grade("editor-wants-it", LAB, LAB, who)
        grade.manual_score, grade.needs_manual_grade = REVIEWED, False
        book.db.commit()


def test_a_late_submission_loses_its_share_of_the_whole_score(classroom: Classroom) -> None:
    due(classroom, MONDAY_TEN - timedelta(hours=30))
    hand_in(classroom, "ann")
    classroom.grade()
    share = round(AUTOMATIC * 0.2, 1)
    assert columns(classroom, "ann") == pytest.approx((AUTOMATIC, share))
    assert classroom.points("ann") == pytest.approx(AUTOMATIC - share)

    review(classroom, "ann")
    classroom.as_("grader")
    assert release_feedback(classroom.root, COURSE, LAB).failed == 0
    whole = AUTOMATIC + REVIEWED
    assert columns(classroom, "ann") == pytest.approx((whole, round(whole * 0.2, 1))), "again, of the whole"
    lab = lab_of(classroom, "ann")
    assert lab.grade is not None
    assert lab.grade.payload["late_percent"] == 20
    assert (lab.full_points, lab.points) == (whole, pytest.approx(whole - round(whole * 0.2, 1)))
    told = feedback(classroom, lab)
    assert (told["late_percent"], told["points"]) == (20, lab.points)
    page = (classroom.root / "feedback" / "ann" / LAB / f"{LAB}.html").read_text("utf-8")
    assert f"{lab.points:g}" in page.partition("Score")[2][:40], "nbgrader's own page says the same"


def feedback(room: Classroom, lab: LabState) -> dict[str, Any]:
    assert lab.feedback is not None
    blob = lab.feedback.payload["results"]
    return dict(json.loads((room.folder / "blobs" / blob[:2] / blob).read_text("utf-8")))


def test_an_extension_after_grading_gives_the_points_back_everywhere(classroom: Classroom) -> None:
    due(classroom, MONDAY_TEN - timedelta(hours=30))
    for who in ("ann", "bob"):
        hand_in(classroom, who)
    classroom.grade()
    extend(classroom, "ann")
    assert lab_of(classroom, "ann").points == AUTOMATIC, "at once, before anything runs again"
    summary, _ = classroom.grade()
    assert (summary.graded, summary.unchanged) == (0, 2)
    for step in ("submitted", "autograded"):
        assert late_percent(classroom.root / step / "ann" / LAB) == 0
    assert columns(classroom, "ann") == (AUTOMATIC, 0)
    assert columns(classroom, "bob")[1] == pytest.approx(round(AUTOMATIC * 0.2, 1)), "somebody else's stays"
    review(classroom, "ann")
    classroom.as_("grader")
    release_feedback(classroom.root, COURSE, LAB)
    lab = lab_of(classroom, "ann")
    assert (lab.step, lab.points, feedback(classroom, lab)["late_percent"]) == ("graded", AUTOMATIC + REVIEWED, 0)


@pytest.mark.long
def test_the_submissions_own_times_change_nothing(classroom: Classroom) -> None:
    due(classroom, MONDAY_TEN - timedelta(hours=30))
    hand_in(classroom, "ann")
    work = classroom.work("ann")
    (work / "timestamp.txt").write_text("2000-01-01 00:00:00 UTC")
    (work / RECEIPT).write_text('{"id": "forged", "late_percent": 0, "due_at": "2099-01-01T00:00:00+00:00"}')
    classroom.nbgrader("Submit", "ann")
    # Whoever sets a due date in formgrader makes nothing late, and nothing in time.
    with gradebook(classroom) as book:
        book.update_or_create_assignment(LAB, duedate="2099-01-01 00:00:00 UTC")
    classroom.grade()
    assert columns(classroom, "ann")[1] == pytest.approx(round(AUTOMATIC * 0.2, 1))
    assert "2026-07-06" in (classroom.root / "submitted" / "ann" / LAB / "timestamp.txt").read_text("utf-8")


@pytest.mark.parametrize("name", few((RECEIPT, "timestamp.txt", f"{LAB}.ipynb"), ()))
def test_a_folder_with_a_name_of_ours_stops_nobodys_grading(classroom: Classroom, name: str) -> None:
    due(classroom, MONDAY_TEN - timedelta(hours=30))
    hand_in(classroom, "ann")
    hand_in(classroom, "bob")
    (classroom.work("bob") / name).unlink(missing_ok=True)
    (classroom.work("bob") / name).mkdir()
    (classroom.work("bob") / name / "x").write_text("in the way")
    classroom.nbgrader("Submit", "bob")
    assert classroom.grade()[0].failed == 0
    for who in ("ann", "bob"):
        assert columns(classroom, who) == pytest.approx((AUTOMATIC, round(AUTOMATIC * 0.2, 1)))


def test_what_is_not_taken_is_refused_with_the_due_time(classroom: Classroom) -> None:
    hand_in(classroom, "ann")
    due(classroom, MONDAY_TEN + timedelta(hours=9), TEN_A_DAY.model_copy(update={"attempts": 1}))
    with pytest.raises(Exception, match="1번까지 제출할 수 있는데 모두 사용했습니다"):
        classroom.nbgrader("Submit", "ann")
    due(classroom, MONDAY_TEN - timedelta(hours=1), Terms(grace_minutes=0, late=LatePolicy(policy="refuse")))
    classroom.nbgrader("FetchAssignment", "bob")
    with pytest.raises(Exception, match=r"마감\(7월 6일 09:00\)이 지나"):
        classroom.nbgrader("Submit", "bob")
    assert lab_of(classroom, "bob").submissions == ()
    assert len(lab_of(classroom, "ann").submissions) == 1
    extend(classroom, "bob")
    classroom.nbgrader("Submit", "bob")
    assert len(lab_of(classroom, "bob").submissions) == 1
