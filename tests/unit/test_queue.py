"""The queue of grading: who holds a submission, whose result counts, and how often."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from small_course import COURSE, MONDAY_TEN
from sqlalchemy import Engine

from grader.records import journal, queue, work
from grader.records.blobs import BlobStore, manifest_of
from grader.records.db import reading, writing
from grader.records.queue import LEASE, Claim, Taken, TaskResult
from grader.records.state import find_course
from grader.records.work import GradeReport

LAB = "rough-cut"
FIRST, SECOND = "run-number-1", "run-number-2"


@pytest.fixture
def submissions(engine: Engine, tmp_path: Path) -> dict[str, str]:
    """Ann and Bob have handed in; their receipts' ids."""
    with writing(engine) as session:
        run = find_course(session, COURSE)
        manifest = manifest_of([BlobStore(tmp_path / "blobs").put(io.BytesIO(b"x"), "final.mp4")])
        work.release(session, run, LAB, manifest, actor="eve", due_at=None, now=MONDAY_TEN)
        return {who: work.submit(session, run, LAB, manifest, learner=who, now=MONDAY_TEN).id for who in ("ann", "bob")}


def claim(engine: Engine, holder: str, now: datetime = MONDAY_TEN, **more: bool) -> dict[str, Taken]:
    with writing(engine) as session:
        return {t.learner: t for t in queue.claim(session, COURSE, LAB, Claim(holder=holder, **more), now)}


def settle(engine: Engine, task: Taken, points: float | None = 5, now: datetime = MONDAY_TEN) -> str:
    report = (
        GradeReport(submission=task.submission, points=points, max_points=10, final=True)
        if points is not None
        else None
    )
    result = TaskResult(submission=task.submission, fence=task.fence, report=report, cause="" if report else "it broke")
    with writing(engine) as session:
        return queue.settle(session, COURSE, [result], actor="grader", now=now)[task.submission]


def grades(engine: Engine) -> list[float]:
    with reading(engine) as session:
        return [event.payload["points"] for event in journal.events(session, COURSE, kind=work.GRADED)]


def test_what_waits_is_taken_once(engine: Engine, submissions: dict[str, str]) -> None:
    taken = claim(engine, FIRST)
    assert {who: task.submission for who, task in taken.items()} == submissions
    assert {(task.attempt, task.fence) for task in taken.values()} == {(1, 1)}
    assert claim(engine, SECOND) == {}


def test_a_result_is_taken_in_once(engine: Engine, submissions: dict[str, str]) -> None:
    task = claim(engine, FIRST)["ann"]
    assert settle(engine, task) == "accepted"
    assert settle(engine, task, 9) == "refused"
    assert grades(engine) == [5]
    assert "ann" not in claim(engine, FIRST)


def test_the_result_of_a_run_that_was_taken_over_is_refused(engine: Engine, submissions: dict[str, str]) -> None:
    old = claim(engine, FIRST)["ann"]
    new = claim(engine, SECOND, takeover=True)["ann"]
    assert (new.attempt, new.fence) == (2, 2)
    assert settle(engine, old, 10) == "refused"
    assert grades(engine) == []
    assert settle(engine, new) == "accepted"
    assert settle(engine, old, 10) == "refused"
    assert grades(engine) == [5]


def test_a_lease_runs_out_unless_its_run_works(engine: Engine, submissions: dict[str, str]) -> None:
    taken = claim(engine, FIRST)
    half, later = MONDAY_TEN + LEASE / 2, MONDAY_TEN + LEASE + timedelta(seconds=1)
    assert settle(engine, taken["ann"], now=half) == "accepted"
    assert claim(engine, SECOND, later) == {}  # the first run lives: it still holds bob's
    assert list(claim(engine, SECOND, half + LEASE + timedelta(seconds=1))) == ["bob"]
    assert settle(engine, taken["bob"]) == "refused"


def test_forced_takes_what_is_graded_too_and_a_failed_one_is_tried_again(
    engine: Engine, submissions: dict[str, str]
) -> None:
    taken = claim(engine, FIRST)
    settle(engine, taken["ann"])
    settle(engine, taken["bob"], None)
    assert list(claim(engine, FIRST)) == ["bob"]
    again = claim(engine, FIRST, takeover=True, force=True)
    assert {who: task.attempt for who, task in again.items()} == {"ann": 2, "bob": 3}
    settle(engine, again["ann"])
    assert grades(engine) == [5]  # the same once more adds no event


def test_what_a_run_lets_go_waits_again(engine: Engine, submissions: dict[str, str]) -> None:
    claim(engine, FIRST)
    with writing(engine) as session:
        assert queue.let_go(session, COURSE, LAB, SECOND) == 0
        assert queue.let_go(session, COURSE, LAB, FIRST) == 2
    assert len(claim(engine, SECOND)) == 2


def test_only_the_newest_submission_is_taken_and_a_result_for_an_older_one_still_counts_as_its_own(
    engine: Engine, submissions: dict[str, str], tmp_path: Path
) -> None:
    old = claim(engine, FIRST)["ann"]
    with writing(engine) as session:
        manifest = manifest_of([BlobStore(tmp_path / "blobs").put(io.BytesIO(b"y"), "final.mp4")])
        newer = work.submit(session, find_course(session, COURSE), LAB, manifest, learner="ann", now=MONDAY_TEN).id
    assert claim(engine, SECOND)["ann"].submission == newer
    assert settle(engine, old) == "accepted"
    with reading(engine) as session:
        assert [e.payload["submission"] for e in journal.events(session, COURSE, kind=work.GRADED)] == [old.submission]
