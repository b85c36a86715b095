"""`practicum import`: the office's preview as lines of text, and applying it. The rule: a named person of the office applies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from grader.imports.columns import Kind
from grader.imports.limits import MAX_FILE_BYTES, BadFile
from grader.imports.plan import CHANGE_TEXT, Plan
from grader.imports.tables import Table, read_table
from grader.records.db import open_database, reading, writing
from grader.records.imports import apply_import, columns_of, plan_import
from grader.records.models import CourseRun, StaffRole
from grader.records.state import find_course
from hub_config.portal.visible import visible
from hub_config.settings import Settings
from labs.texts import Text, UserError


def preview(settings: Settings, kind: Kind, file: Path, course: str) -> Plan:
    """What a file would change."""
    table, engine = _read(file), open_database(settings.records_database)
    try:
        with reading(engine) as session:
            run = find_course(session, course)
            return plan_import(session, run, table, columns_of(session, run, kind, table), datetime.now(UTC))
    finally:
        engine.dispose()


def apply(settings: Settings, kind: Kind, file: Path, course: str, *, agreed: Plan, by: str) -> Plan:
    """Apply a file as it was shown, by somebody of the institution's office."""
    table, engine = _read(file), open_database(settings.records_database)
    try:
        return _apply(engine, kind, table, course, agreed, by)
    finally:
        engine.dispose()


def _apply(engine: Engine, kind: Kind, table: Table, course: str, agreed: Plan, by: str) -> Plan:
    with writing(engine) as session:
        run = find_course(session, course)
        _must_be_office(session, run, by)
        told = columns_of(session, run, kind, table)
        return apply_import(session, run, table, told, agreed=agreed.fingerprint, actor=by, now=datetime.now(UTC))


def lines_of(plan: Plan) -> Iterator[Text]:
    """A plan as it is printed: its numbers, every problem, every change."""
    counts = plan.counts
    yield Text(
        ko=f"추가 {counts['added']}, 변경 {counts['changed']}, 빠짐 {counts['removed']}, 그대로 {counts['unchanged']}, "
        f"문제 {len(plan.problems)}",
        en=f"{counts['added']} added, {counts['changed']} changed, {counts['removed']} taken out, "
        f"{counts['unchanged']} as they stand, {len(plan.problems)} problems",
    )
    for one in plan.problems:
        at, found = f"{visible(one.column)}: {visible(one.found)!r}" if one.column else "", visible(one.text.en)
        yield Text(ko=f"✘ {one.row}행 {at} → {visible(one.text.ko)}", en=f"✘ row {one.row} {at} → {found}")
    for change in plan.changes:
        who = " ".join(filter(None, [visible(change.name), change.login, str(change.day or "")]))
        kind, before, after = CHANGE_TEXT[change.kind], change.before, change.after
        yield Text(
            ko=f"· {change.row}행 {kind.ko} {who}: {visible(before.ko) if before else '없음'} → {visible(after.ko) if after else '빠짐'}",
            en=f"· row {change.row} {kind.en} {who}: {visible(before.en) if before else 'none'} → {visible(after.en) if after else 'taken out'}",
        )


def _read(file: Path) -> Table:
    if file.stat().st_size > MAX_FILE_BYTES:
        raise BadFile(
            f"{file.name}: 파일이 너무 큽니다(10 MB까지).", f"{file.name}: the file is too large (at most 10 MB)"
        )
    return read_table(file.name, file.read_bytes())


def _must_be_office(session: Session, run: CourseRun, by: str) -> None:
    group = f"institution-{run.institution_id}"
    if session.get(StaffRole, (by, group)) is None:
        raise UserError(
            f"{by[:60]!r}: 이 기관의 담당자가 아닙니다. --by에 {group} 역할이 있는 아이디를 적으세요.",
            f"{by[:60]!r} is not of this institution's office; name a login with the role {group} with --by",
        )
