"""What stands in the records of an import's tests, and a plan on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

from import_files import Rows, csv_file

from grader.imports.columns import Kind, known_columns
from grader.imports.plan import Plan
from grader.imports.planning import make_plan
from grader.imports.standing import Learner, Standing
from grader.imports.tables import read_table
from grader.records.timetable import Hours

MONDAY, TUESDAY = date(2026, 7, 6), date(2026, 7, 7)
STANDING = Standing("hanbit", MONDAY, date(2026, 7, 10), today=TUESDAY, taken=frozenset({"teacher"}))


def standing(*learners: Learner, **more: object) -> Standing:
    taken = frozenset({"teacher", *(learner.login for learner in learners)})
    return replace(STANDING, learners=learners, taken=taken, **more)  # type: ignore[arg-type]


def plan(kind: Kind, rows: Rows, stands: Standing = STANDING, **mapped: str) -> Plan:
    table = read_table("파일.csv", csv_file(rows))
    return make_plan(table, known_columns(kind, table.headings, mapped), stands)


def told(found: Plan) -> list[tuple[str, str, str, str]]:
    return [
        (change.kind, change.login, change.before.ko if change.before else "", change.after.ko if change.after else "")
        for change in found.changes
    ]


def problems(found: Plan) -> list[tuple[int, str, str]]:
    return [(one.row, one.column, one.found) for one in found.problems]


HEAD = ("훈련생번호", "이름", "훈련상태", "퇴소일")
HANEUL = Learner("hanbit-t1", "김하늘", "T1", enrolled=True)
WEEK = (Hours(MONDAY, time(9), time(18)), Hours(TUESDAY, time(9), time(18)))
