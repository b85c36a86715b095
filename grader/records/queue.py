"""The queue of grading: which submissions wait, who has taken them, and whose result counts.

The rule: a result is accepted once, and only from who holds the submission now: its fencing token grows with each taking, and
the grade and the end of the task are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from grader.records import journal, work
from grader.records.models import GradingTask
from grader.records.work import GradeReport, Receipt

LEASE = timedelta(minutes=10)


class Claim(BaseModel):
    """What a grading run asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    holder: str = Field(min_length=8, max_length=64, description="the run's own name, made up anew for each run")
    force: bool = Field(default=False, description="also what is graded already")
    takeover: bool = Field(default=False, description="also what another run holds: the caller knows that it is gone")


class Taken(BaseModel):
    """A submission that a run holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    submission: str
    learner: str
    sha256: str
    attempt: int
    fence: int


class TaskResult(BaseModel):
    """What a run says of a submission that it holds; without a report it could not be graded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    submission: str
    fence: int
    cause: str = Field(default="", max_length=200)
    report: GradeReport | None = None


Verdict = Literal["accepted", "refused"]


def claim(session: Session, course: str, lab: str, asked: Claim, now: datetime) -> list[Taken]:
    """Take a lab's newest submissions that wait for grading; what another run holds stays its, while its lease lasts."""
    newest = {receipt.learner: receipt for receipt in work.submissions(session, course, lab=lab)}
    graded = {event.payload["submission"] for event in journal.events(session, course, kind=work.GRADED)}
    tasks = {task.submission: task for task in session.scalars(_tasks(course, lab))}
    taken = []
    for receipt in newest.values():
        task = tasks.get(receipt.id) or _new(session, receipt, done=receipt.id in graded)
        free = task.state in ("waiting", "failed") or (task.state == "done" and asked.force)
        held = task.state == "taken" and (asked.takeover or task.lease_until is None or task.lease_until < now)
        if free or held:
            task.state, task.holder, task.lease_until = "taken", asked.holder, now + LEASE
            task.attempt, task.fence = task.attempt + 1, task.fence + 1
            taken.append(Taken(submission=receipt.id, learner=receipt.learner, sha256=receipt.sha256,
                               attempt=task.attempt, fence=task.fence))  # fmt: skip
    session.flush()
    return taken


def settle(
    session: Session, course: str, results: Iterable[TaskResult], *, actor: str, now: datetime
) -> dict[str, Verdict]:
    """Take results in, each once; the verdict on each, by submission."""
    verdicts: dict[str, Verdict] = {}
    holders: set[tuple[str, str]] = set()
    for result in results:
        task = session.get(GradingTask, result.submission)
        if task is None or task.course_id != course or task.state != "taken" or task.fence != result.fence:
            verdicts[result.submission] = "refused"
            continue
        if result.report is not None:
            work.record_grade(session, course, result.report, actor=actor, now=now)
        task.state, task.cause = ("done" if result.report else "failed"), result.cause
        task.lease_until, task.settled_at = None, now
        verdicts[result.submission] = "accepted"
        holders.add((task.lab_id, task.holder))
    # Who works shows that they live: what they still hold stays theirs.
    for lab, holder in holders:
        for task in session.scalars(
            _tasks(course, lab).where(GradingTask.holder == holder, GradingTask.state == "taken")
        ):
            task.lease_until = now + LEASE
    session.flush()
    return verdicts


def let_go(session: Session, course: str, lab: str, holder: str) -> int:
    """Give back what a run holds and will not grade; how many."""
    held = [t for t in session.scalars(_tasks(course, lab)) if t.state == "taken" and t.holder == holder]
    for task in held:
        task.state, task.lease_until = "waiting", None
    return len(held)


def _tasks(course: str, lab: str) -> Select[GradingTask]:
    return select(GradingTask).where(GradingTask.course_id == course, GradingTask.lab_id == lab)


def _new(session: Session, receipt: Receipt, *, done: bool) -> GradingTask:
    task = GradingTask(submission=receipt.id, course_id=receipt.course, lab_id=receipt.lab, learner=receipt.learner,
                       sha256=receipt.sha256, state="done" if done else "waiting", attempt=0, fence=0, holder="",
                       lease_until=None, cause="", settled_at=None)  # fmt: skip
    session.add(task)
    return task
