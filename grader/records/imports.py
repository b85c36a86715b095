"""Imports in the records: what stands, what a file would change, and applying it. The rule: all of it, or nothing.

A plan that was agreed to is computed again under the write lock; where it is another by now, nothing is applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from grader.imports.columns import Columns, Kind, known_columns
from grader.imports.plan import Change, NewLearner, Plan
from grader.imports.planning import make_plan
from grader.imports.rows import Expected
from grader.imports.standing import Entry, Learner, Left, Standing
from grader.imports.tables import Table
from grader.records import enrolments, journal
from grader.records.attend import zone
from grader.records.batch import NewEvent, append_all
from grader.records.frozen import frozen_in
from grader.records.models import ColumnName, CourseRun, Enrolment, Event, Person
from grader.records.official import OFFICIAL, entry_of, payload_of
from grader.records.timetable import Closure, Hours, set_timetable
from labs.texts import UserError

APPLIED = "import.applied"


class HasProblems(UserError):
    """A file with rows that are wrong: nothing of it is applied."""


class Moved(UserError):
    """The records changed since the preview."""


def columns_of(session: Session, run: CourseRun, kind: Kind, table: Table) -> Columns:
    """A table's columns, with what the institution mapped by hand before."""
    query = select(ColumnName).where(ColumnName.institution_id == run.institution_id, ColumnName.kind == kind)
    return known_columns(kind, table.headings, {row.heading: row.field for row in session.scalars(query)})


def remember_columns(session: Session, run: CourseRun, kind: Kind, mapping: Mapping[str, str]) -> None:
    """Keep a mapping by hand (`grader.imports.columns.checked_mapping`) for the institution's next files."""
    where = (ColumnName.institution_id == run.institution_id, ColumnName.kind == kind)
    session.execute(delete(ColumnName).where(*where, ColumnName.heading.in_(mapping)))
    session.add_all(
        ColumnName(institution_id=run.institution_id, kind=kind, heading=heading, field=field)
        for heading, field in mapping.items()
    )


def plan_import(session: Session, run: CourseRun, table: Table, columns: Columns, now: datetime) -> Plan:
    """What a file would change as the records stand."""
    return make_plan(table, columns, standing_of(session, run, now))


def apply_import(
    session: Session, run: CourseRun, table: Table, columns: Columns, *, agreed: str, actor: str, now: datetime
) -> Plan:
    """Apply a file whose plan has the fingerprint that was agreed to; the same file again changes nothing.

    HasProblems and Moved leave everything as it was; so does any other error, by the caller's transaction.
    """
    plan = plan_import(session, run, table, columns, now)
    if plan.problems:
        raise HasProblems(
            f"잘못된 행이 {len(plan.problems)}건 있어 아무것도 적용하지 않았습니다. 파일을 고쳐 다시 올리세요.",
            f"{len(plan.problems)} problems: nothing was applied; mend the file and upload it again",
        )
    if plan.fingerprint != agreed:
        raise Moved(
            "미리 본 뒤에 기록이 바뀌어 아무것도 적용하지 않았습니다. 미리보기를 다시 확인하세요.",
            "the records changed since the preview, so nothing was applied; look at the preview again",
        )
    if plan.changes:
        _APPLY[plan.kind](session, run, plan, table, actor, now)
        payload = {
            "kind": plan.kind, "file": table.sha256, "counts": plan.counts, "columns": columns.used,
        }  # fmt: skip
        journal.append(session, APPLIED, actor=actor, course=run.id, payload=payload, at=now)
    return plan


def standing_of(session: Session, run: CourseRun, now: datetime) -> Standing:
    """A run as it stands, for planning."""
    approved, institution = run.approved, run.institution
    expected = Expected(
        course_id=approved.outside_id if approved else None,
        round=str(run.round) if run.round is not None else None,
        institution_id=institution.outside_id,
    )
    return Standing(
        institution=institution.id,
        starts_on=run.starts_on,
        ends_on=run.ends_on,
        today=now.astimezone(zone(run)).date(),
        expected=expected,
        learners=tuple(_learners(session, run)),
        taken=frozenset(session.scalars(select(Person.login))),
        days=tuple(Hours(row.day, row.starts, row.ends) for row in run.days),
        closed=tuple(Closure(row.day, row.reason, row.made_up_on) for row in run.closed),
        official=_official(session, run),
        frozen=frozenset(frozen_in(session, run.id)),
    )


def _learners(session: Session, run: CourseRun) -> Iterable[Learner]:
    """Everybody who is or was enrolled at the institution: of other institutions nothing is told here."""
    here = set(session.scalars(select(Enrolment.login).where(Enrolment.course_id == run.id)))
    query = select(Event).where(Event.course_id == run.id, Event.kind.in_((enrolments.ENDED, enrolments.END_WITHDRAWN)))
    left = enrolments.ends(journal.in_order(session, query))
    runs = select(CourseRun.id).where(CourseRun.institution_id == run.institution_id)
    logins = select(Enrolment.login).where(Enrolment.course_id.in_(runs))
    people = select(Person.login, Person.name, Person.outside_id).where(Person.login.in_(logins)).order_by(Person.login)
    for login, name, outside_id in session.execute(people):
        ended = left.get(login)
        standing = Left(ended.payload["how"], date.fromisoformat(ended.payload["on"])) if ended else None
        yield Learner(login, name, outside_id, login in here, standing)


def _official(session: Session, run: CourseRun) -> dict[tuple[str, date], Entry]:
    entries = (entry_of(event.subject, event.payload) for event in journal.events(session, run.id, kind=OFFICIAL))
    return {(entry.login, entry.day): entry for entry in entries}


def _apply_roster(session: Session, run: CourseRun, plan: Plan, table: Table, actor: str, now: datetime) -> None:
    new = [change.act for change in plan.changes if isinstance(change.act, NewLearner)]
    joined = [change.login for change in plan.changes if change.kind in ("person", "enrolment")]
    session.add_all(Person(login=one.login, name=one.name, outside_id=one.outside_id) for one in new)
    session.flush()
    session.add_all(Enrolment(course_id=run.id, login=login) for login in joined)
    for change in plan.changes:
        if change.kind in ("name", "outside_id"):
            setattr(session.get_one(Person, change.login), change.kind, change.act)
    session.flush()
    session.expire(run, ["enrolments"])
    opened = [NewEvent(enrolments.OPENED, login, {"file": table.sha256}) for login in joined]
    append_all(session, opened, actor=actor, course=run.id, at=now)
    for change in plan.changes:
        if isinstance(change.act, Left):
            _leave(session, run, change, change.act, table, actor, now)


def _leave(
    session: Session, run: CourseRun, change: Change, left: Left, table: Table, actor: str, now: datetime
) -> None:
    by: dict[str, Any] = {"reason": _reason(change.row, table), "actor": actor, "now": now}
    if change.before:
        enrolments.withdraw_end(session, run, change.login, **by)
    enrolments.end(session, run, change.login, how=left.how, on=left.on, **by)  # type: ignore[arg-type]


def _apply_timetable(session: Session, run: CourseRun, plan: Plan, table: Table, actor: str, now: datetime) -> None:
    set_timetable(session, run, plan.days, plan.closed, actor=actor, reason=_reason(0, table), now=now)


def _apply_attendance(session: Session, run: CourseRun, plan: Plan, table: Table, actor: str, now: datetime) -> None:
    new = [
        NewEvent(OFFICIAL, change.login, payload_of(change.act, sha256=table.sha256, row=change.row))
        for change in plan.changes
        if isinstance(change.act, Entry)
    ]
    append_all(session, new, actor=actor, course=run.id, at=now)


def _reason(row: int, table: Table) -> str:
    """The file by its content and not by its name, which may name a person."""
    at = f" {row}행" if row else ""
    return f"파일에서 가져옴: {table.sha256[:12]}{at}"


_APPLY = {"roster": _apply_roster, "timetable": _apply_timetable, "attendance": _apply_attendance}
