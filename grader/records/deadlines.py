"""Due times, their terms and extensions in the records, each an event; and the deadline in force for a learner.

The rule: what is changed after a submission came in can only make its verdict milder. Its lateness is judged by the
deadline that stood when it came and by the one that stands now, and the milder verdict holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from sqlalchemy.orm import Session

from grader.deadlines import NO_PENALTY, Lateness, judge, milder, must_take
from grader.records import journal, work
from grader.records.attend import Refused, zone
from grader.records.models import CourseRun, Event
from grader.records.work import Receipt
from labs.catalog import packs
from labs.manifest import Terms

SET, EXTENDED, WITHDRAWN = "deadline.set", "deadline.extended", "deadline.extension_withdrawn"
KINDS = (work.RELEASED, SET, EXTENDED, WITHDRAWN)


@dataclass(frozen=True)
class Deadline:
    """A lab's deadline as it stands for one learner, or for the class where no learner is meant."""

    class_due_at: datetime | None = None
    terms: Terms = NO_PENALTY
    set_by: Event | None = None
    extension: Event | None = None

    @property
    def extended_until(self) -> datetime | None:
        return datetime.fromisoformat(self.extension.payload["until"]) if self.extension else None

    @property
    def due_at(self) -> datetime | None:
        """The class's due time, or the learner's own where that is later."""
        own, everybody = self.extended_until, self.class_due_at
        return max(own, everybody) if own and everybody else everybody

    @property
    def is_extended(self) -> bool:
        """Whether the extension gives this learner more time than the class has."""
        return self.due_at != self.class_due_at

    @property
    def rests_on(self) -> tuple[str, ...]:
        """The events that stand in the place of what the lab said when it was handed out."""
        return tuple(event.id for event in (self.set_by, self.extension) if event)

    def judge(self, moment: datetime) -> Lateness:
        """How late something is that comes at this moment."""
        return judge(moment, self.due_at, self.terms)


class Deadlines:
    """The deadlines of a course, folded from its events in their order."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._of_lab: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            if event.kind in KINDS:
                self._of_lab[event.payload["lab"]].append(event)

    def of(self, lab: str, learner: str = "", as_of: datetime | None = None) -> Deadline:
        """The deadline in force, at a moment where one is named."""
        found = Deadline()
        for event in self._of_lab.get(lab, ()):
            if (as_of is None or event.at <= as_of) and event.subject in ("", learner):
                found = _after(found, event)
        return found

    def lateness(self, receipt: Receipt) -> Lateness:
        """How late a submission is, by the milder of the two deadlines."""
        then, now = self._then_and_now(receipt)
        return milder(now.judge(receipt.received_at), then.judge(receipt.received_at))

    def rests_on(self, receipt: Receipt) -> tuple[str, ...]:
        """The events behind a submission's lateness, beside the release."""
        then, now = self._then_and_now(receipt)
        return tuple(dict.fromkeys((*then.rests_on, *now.rests_on)))

    def changes(self, lab: str) -> list[Event]:
        """What instructors changed, the newest first."""
        return [event for event in self._of_lab.get(lab, ()) if event.kind != work.RELEASED][::-1]

    def _then_and_now(self, receipt: Receipt) -> tuple[Deadline, Deadline]:
        then, now = (self.of(receipt.lab, receipt.learner, as_of) for as_of in (receipt.received_at, None))
        return then, now

    def extensions(self, lab: str) -> dict[str, Event]:
        """The extensions that stand, by learner."""
        standing: dict[str, Event] = {}
        for event in self._of_lab.get(lab, ()):
            if event.kind == EXTENDED:
                standing[event.subject] = event
            elif event.kind == WITHDRAWN:
                standing.pop(event.subject, None)
        return standing


def _after(found: Deadline, event: Event) -> Deadline:
    """A deadline after one more event: an instructor's word stands before the lab's, whichever came first."""
    if event.kind == EXTENDED:
        return replace(found, extension=event)
    if event.kind == WITHDRAWN:
        return replace(found, extension=None)
    if event.kind == work.RELEASED and found.set_by is not None:
        return found
    due, terms = event.payload["due_at"], event.payload.get("terms")
    return replace(
        found,
        class_due_at=datetime.fromisoformat(due) if due else None,
        terms=Terms.model_validate(terms) if terms else NO_PENALTY,
        set_by=event if event.kind == SET else None,
    )


def deadlines_of(session: Session, course: str) -> Deadlines:
    """A course's deadlines as they stand."""
    found = [event for kind in KINDS for event in journal.events(session, course, kind=kind)]
    return Deadlines(sorted(found, key=lambda event: event.seq))


def default_of(run: CourseRun, lab: str, now: datetime) -> tuple[datetime | None, Terms | None]:
    """What the lab itself says: the end of its due day in the institution's time zone, and its terms.

    Nothing for an assignment that no pack describes: its instructor sets a due time, or it has none.
    """
    described = next((found for pack in packs().values() for found in pack.labs if found.id == lab), None)
    if described is None:
        return None, None
    due = described.lab.due
    day = now.astimezone(zone(run)).date() + timedelta(days=due.days_after_release)
    return datetime.combine(day, time(23, 59, 59), zone(run)), due.terms


def must_accept(session: Session, run: CourseRun, lab: str, learner: str, now: datetime) -> None:
    """Refuse a submission that comes too late or once too often. In the transaction that records it, so none slips in."""
    standing = deadlines_of(session, run.id).of(lab, learner)
    attempts = len(work.submissions(session, run.id, lab=lab, learner=learner)) if standing.terms.attempts else 0
    must_take(standing.judge(now), standing.terms, attempts)


def set_deadline(
    session: Session, run: CourseRun, lab: str, *, due_at: datetime | None, terms: Terms, reason: str, instructor: str,
    now: datetime,
) -> Event:  # fmt: skip
    """Record a lab's due time (or that it has none) and its terms, for the whole class."""
    work.lab_of(run, lab)
    payload = {
        "lab": lab,
        "due_at": due_at.astimezone(zone(run)).isoformat() if due_at else None,
        "terms": terms.model_dump(mode="json"),
        "reason": _reason(reason),
    }
    return journal.append(session, SET, actor=instructor, course=run.id, payload=payload, at=now)


def extend(
    session: Session, run: CourseRun, lab: str, *, learner: str, until: datetime, reason: str, instructor: str,
    now: datetime,
) -> Event:  # fmt: skip
    """Record more time for one learner; it stands in the place of an earlier extension."""
    work.lab_of(run, lab)
    _enrolled(run, learner)
    everybody = deadlines_of(session, run.id).of(lab).class_due_at
    if everybody is None:
        raise Refused("nothing_to_extend")
    if until <= everybody:
        raise Refused("extension_not_later")
    payload = {"lab": lab, "until": until.astimezone(zone(run)).isoformat(), "reason": _reason(reason)}
    return journal.append(session, EXTENDED, actor=instructor, course=run.id, subject=learner, payload=payload, at=now)


def withdraw(
    session: Session, run: CourseRun, lab: str, *, learner: str, reason: str, instructor: str, now: datetime
) -> Event:
    """Record that a learner's extension is taken back; what came in while it stood keeps it."""
    standing = deadlines_of(session, run.id).extensions(lab).get(learner)
    if standing is None:
        raise Refused("no_extension")
    payload = {"lab": lab, "extension": standing.id, "reason": _reason(reason)}
    return journal.append(session, WITHDRAWN, actor=instructor, course=run.id, subject=learner, payload=payload, at=now)


def _enrolled(run: CourseRun, learner: str) -> None:
    if learner not in {enrolment.login for enrolment in run.enrolments}:
        raise Refused("not_enrolled")


def _reason(reason: str) -> str:
    if not reason.strip():
        raise Refused("deadline_reason_missing")
    return reason.strip()[:500]
