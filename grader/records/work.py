"""Practical work in the records: releases, submissions with receipts, grades and feedback, each an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from grader.own.terms import OwnTerms, is_own_name
from grader.records import journal
from grader.records.blobs import Manifest
from grader.records.models import CourseLab, CourseRun, Event
from labs.manifest import Terms
from labs.texts import UserError

RELEASED, RECEIVED, GRADED, FEEDBACK = "lab.released", "submission.received", "grade.recorded", "feedback.released"


class UnknownWork(UserError):
    """A lab or a submission that is not there."""


class CriterionPoints(BaseModel):
    """A criterion's points as they stand in the gradebook; `None` while a person has still to judge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    points: float | None
    max_points: float


class GradeReport(BaseModel):
    """What the gradebook says of one submission."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    submission: str
    points: float = Field(ge=0, description="after what being late took off")
    max_points: float = Field(ge=0)
    final: bool
    criteria: tuple[CriterionPoints, ...] = ()
    late_percent: int = Field(default=0, ge=0, le=100)
    late_points: float = Field(default=0, ge=0, description="what being late took off")
    note: str = Field(default="", max_length=2_000, description="why a submission could not be graded as usual")


@dataclass(frozen=True)
class Receipt:
    """The proof of a submission: who, which lab, when by the server's clock, and the hash of what was handed in."""

    id: str
    course: str
    lab: str
    learner: str
    received_at: datetime
    sha256: str
    _manifest: dict[str, Any] = field(repr=False, compare=False)

    @cached_property
    def manifest(self) -> Manifest:
        """What was handed in; read when it is asked for, since whoever counts receipts looks into none."""
        return Manifest.model_validate(self._manifest)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "course": self.course,
            "lab": self.lab,
            "learner": self.learner,
            "received_at": self.received_at.isoformat(),
            "sha256": self.sha256,
            "size": self.manifest.size,
            "files": [file.model_dump() for file in self.manifest.files],
        }


def release(
    session: Session,
    run: CourseRun,
    lab: str,
    manifest: Manifest,
    *,
    actor: str,
    due_at: datetime | None,
    terms: Terms | None = None,
    own: OwnTerms | None = None,
    now: datetime,
) -> Event:
    """Record that a lab is handed out with these files; handing out the same again changes nothing.

    With `own` an assignment that an instructor wrote becomes a lab of the course, in the transaction of its event.
    """
    told = own.model_dump(mode="json") if own and _add_own(run, lab, own) else {}
    _known(run, lab)
    standing = released(session, run.id, lab)
    if standing is not None and standing.payload["sha256"] == manifest.sha256:
        return standing
    # What learners were told first stands: a lab that was mended is not due another day, on other terms.
    promised = {
        "due_at": due_at.isoformat() if due_at else None,
        "terms": terms.model_dump(mode="json") if terms else None,
    }
    if standing:
        promised = {name: standing.payload.get(name) for name in promised}
    payload = {"lab": lab, "sha256": manifest.sha256, "manifest": manifest.model_dump(mode="json"), **promised, **told}
    return journal.append(session, RELEASED, actor=actor, course=run.id, payload=payload, at=now)


def _add_own(run: CourseRun, lab: str, own: OwnTerms) -> bool:
    """Make the lab's row where there is none; one that stands keeps what learners were told first."""
    if any(row.lab_id == lab for row in run.labs):
        return False
    if not is_own_name(lab):
        raise UnknownWork(
            f"{lab[:60]!r}: 과제 이름으로 쓸 수 없습니다.",
            f"{lab[:60]!r} cannot be the name of an assignment of your own",
        )
    position = max((row.position for row in run.labs), default=0) + 1
    run.labs.append(CourseLab(lab_id=lab, position=position, **own.model_dump()))
    return True


def _known(run: CourseRun, lab: str) -> None:
    """Say what to do where a lab is none of the course: an assignment of an instructor's own gets its title on the portal."""
    if is_own_name(lab) and all(row.lab_id != lab for row in run.labs):
        raise UnknownWork(
            f"{lab}: 직접 만든 과제는 포털의 과정 화면에서 '내 과제'를 열어 배포하세요. 제목과 통과 기준을 그곳에서 정합니다.",
            f"{lab}: hand out an assignment of your own on the portal, in your class under 'Own assignments': its title and "
            "its pass mark are set there",
        )
    lab_of(run, lab)


def released(session: Session, course: str, lab: str) -> Event | None:
    """The newest release of a lab."""
    found = [e for e in journal.events(session, course, kind=RELEASED) if e.payload["lab"] == lab]
    return found[-1] if found else None


def submit(session: Session, run: CourseRun, lab: str, manifest: Manifest, *, learner: str, now: datetime) -> Receipt:
    """Record a submission; the learner is the token's owner. A second submission stands beside the first."""
    lab_of(run, lab)
    if released(session, run.id, lab) is None:
        raise UnknownWork(f"실습 {lab}은(는) 아직 배포되지 않았습니다.", f"lab {lab} is not handed out in {run.id}")
    payload = {"lab": lab, "sha256": manifest.sha256, "manifest": manifest.model_dump(mode="json")}
    event = journal.append(session, RECEIVED, actor=learner, course=run.id, subject=learner, payload=payload, at=now)
    return receipt_of(event)


def receipt_of(event: Event) -> Receipt:
    """The receipt of a submission's event."""
    told = event.payload
    return Receipt(event.id, event.course_id, told["lab"], event.subject, event.at, told["sha256"], told["manifest"])


def submissions(session: Session, course: str, *, lab: str | None = None, learner: str | None = None) -> list[Receipt]:
    """Receipts in the order of their coming in."""
    found = map(receipt_of, journal.events(session, course, kind=RECEIVED, subject=learner))
    return [receipt for receipt in found if lab is None or receipt.lab == lab]


def find_submission(session: Session, course: str, submission: str) -> Receipt:
    """One receipt by its id; UnknownWork where the course has none such."""
    event = session.scalar(
        select(Event).where(Event.id == submission, Event.course_id == course, Event.kind == RECEIVED)
    )
    if event is None:
        raise UnknownWork("그런 제출물이 없습니다.", f"no submission {submission[:40]!r} in {course}")
    return receipt_of(event)


def record_grade(session: Session, course: str, report: GradeReport, *, actor: str, now: datetime) -> Event:
    """Record what the gradebook says; the same once more adds no event."""
    receipt = find_submission(session, course, report.submission)
    payload = {"lab": receipt.lab, **report.model_dump(mode="json")}
    for event in reversed(journal.events(session, course, kind=GRADED, subject=receipt.learner)):
        if event.payload["submission"] == report.submission:
            if event.payload == payload:
                return event
            break
    return journal.append(session, GRADED, actor=actor, course=course, subject=receipt.learner, payload=payload, at=now)


def release_feedback(
    session: Session, course: str, submission: str, *, html_sha256: str, results_sha256: str, actor: str, now: datetime
) -> Event:
    """Record that a submission's feedback (blobs: nbgrader's page, and the results as JSON) may be read by its learner."""
    receipt = find_submission(session, course, submission)
    return journal.append(
        session, FEEDBACK, actor=actor, course=course, subject=receipt.learner,
        payload={"lab": receipt.lab, "submission": submission, "html": html_sha256, "results": results_sha256},
        key=f"{FEEDBACK}:{submission}:{results_sha256[:16]}", at=now,
    )  # fmt: skip


def lab_of(run: CourseRun, lab: str) -> CourseLab:
    """A lab of the course run; UnknownWork names those that there are."""
    found = {row.lab_id: row for row in run.labs}
    if lab not in found:
        known = ", ".join(found)
        raise UnknownWork(
            f"{run.id} 과정에 없는 실습입니다: {lab[:60]!r}. 이 과정의 실습: {known}",
            f"lab {lab[:60]!r} does not belong to {run.id}; its labs: {known}",
        )
    return found[lab]
