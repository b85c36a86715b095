"""Planning a timetable. The rule: the file is the whole timetable, so a day that it does not name is taken out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from grader.imports.columns import Columns
from grader.imports.plan import FROZEN, Change, Plan, in_order, problem, same
from grader.imports.rows import Problem, TimetableRow
from grader.imports.standing import Standing
from grader.records.timetable import Closure, Hours
from labs.texts import Text


def plan_timetable(
    rows: Sequence[TimetableRow], standing: Standing, columns: Columns, problems: Sequence[Problem]
) -> Plan:
    """What the timetable would change."""
    wrong = [*problems, *_wrong_days(rows, standing, columns)]
    days = tuple(Hours(row.day, row.starts, row.ends) for row in rows if row.starts and row.ends)
    closed = tuple(Closure(row.day, row.closed, row.made_up_on) for row in rows if row.closed)
    number = {row.day: row.row for row in rows}
    before, after = _told(standing.days, standing.closed), _told(days, closed)
    changes = [
        _change(number.get(day, 0), day, before.get(day), after.get(day))
        for day in sorted({*before, *after})
        # While a row is wrong, a day that is not there may be the one that could not be read.
        if before.get(day) != after.get(day) and (day in after or not wrong)
    ]
    if changes and standing.frozen:
        wrong.append(Problem(0, "", "", FROZEN))
    unchanged = sum(before.get(day) == told for day, told in after.items())
    in_days = tuple(sorted(days, key=lambda one: one.day))
    return Plan("timetable", tuple(changes), unchanged, in_order(wrong), days=in_days,
                closed=tuple(sorted(closed, key=lambda one: one.day)))  # fmt: skip


def _told(days: Sequence[Hours], closed: Sequence[Closure]) -> dict[date, tuple[str, Text]]:
    """Each day as it is shown: a training day with its hours, or why it was not held."""
    shown: dict[date, tuple[str, Text]] = {
        one.day: ("day", same(f"{one.starts:%H:%M}–{one.ends:%H:%M}")) for one in days
    }
    for one in closed:
        made_up = one.made_up_on
        ko, en = (f" (보강 {made_up})", f" (made up on {made_up})") if made_up else ("", "")
        shown[one.day] = ("closed", Text(ko=f"{one.reason}{ko}", en=f"{one.reason}{en}"))
    return shown


def _change(row: int, day: date, before: tuple[str, Text] | None, after: tuple[str, Text] | None) -> Change:
    kind = (after or before or ("day", None))[0]
    return Change(
        row, "closed" if kind == "closed" else "day", "", "", before and before[1], after and after[1], day=day
    )


def _wrong_days(rows: Sequence[TimetableRow], standing: Standing, columns: Columns) -> list[Problem]:
    held, seen, wrong = {row.day for row in rows if not row.closed}, set[date](), list[Problem]()
    for row in rows:
        if row.day in seen:
            text = Text(ko="같은 날짜가 파일에 두 번 있습니다", en="the file has this date twice")
            wrong.append(problem(columns, row, "day", row.day.isoformat(), text))
        seen.add(row.day)
        if not standing.starts_on <= row.day <= standing.ends_on:
            period = f"{standing.starts_on} ~ {standing.ends_on}"
            text = Text(ko=f"훈련 기간({period}) 안의 날짜여야 합니다", en=f"a date within the course run ({period})")
            wrong.append(problem(columns, row, "day", row.day.isoformat(), text))
        if row.made_up_on and row.made_up_on not in held:
            wrong.append(problem(columns, row, "made_up_on", row.made_up_on.isoformat()))
    return wrong
