"""Planning official attendance. The rule: one entry for a learner's day, only where it is not what was imported last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from grader.imports.columns import Columns
from grader.imports.plan import FROZEN, Change, Plan, in_order, problem, said, same
from grader.imports.rows import AttendanceRow, Problem
from grader.imports.standing import Entry, Learner, People, Standing, Unclear
from labs.texts import Text

NOT_ENROLLED = Text(
    ko="이 과정의 훈련생이 아닙니다. 명단을 먼저 가져오세요",
    en="not a learner of this course run; import the roster first",
)
NO_TRAINING_DAY = Text(
    ko="시간표에 훈련일로 없는 날짜입니다. 시간표를 먼저 가져오세요",
    en="no training day of the timetable; import the timetable first",
)
AHEAD = Text(ko="아직 오지 않은 날짜입니다", en="this day is still to come")
TWICE = Text(ko="같은 훈련생의 같은 날짜가 파일에 두 번 있습니다", en="the file has this day of this learner twice")


def plan_attendance(
    rows: Sequence[AttendanceRow], standing: Standing, columns: Columns, problems: Sequence[Problem]
) -> Plan:
    """What the official attendance would change."""
    planner = _Attendance(standing, columns)
    changes = tuple(change for row in rows if (change := planner.change_of(row)))
    unchanged = len(rows) - len(changes) - len({one.row for one in planner.problems})
    return Plan("attendance", changes, unchanged, in_order([*problems, *planner.problems]))


class _Attendance:
    def __init__(self, standing: Standing, columns: Columns) -> None:
        self.standing, self.columns = standing, columns
        self.people = People(standing.learners)
        self.days = {hours.day for hours in standing.days}
        self.seen: set[tuple[str, date]] = set()
        self.problems: list[Problem] = []

    def change_of(self, row: AttendanceRow) -> Change | None:
        """What one row changes, or None; a problem is noted."""
        learner = self._learner(row)
        if learner is None or not self._day_is_right(row, learner.login):
            return None
        entry = Entry(learner.login, row.day, row.status, row.check_in, row.check_out)
        last = self.standing.official.get((learner.login, row.day))
        if entry == last:
            return None
        if learner.login in self.standing.frozen:
            self._wrong(row, "day", row.day.isoformat(), FROZEN)
            return None
        return Change(
            row.row,
            "official",
            learner.login,
            learner.name,
            told(last) if last else None,
            told(entry),
            day=row.day,
            act=entry,
        )

    def _learner(self, row: AttendanceRow) -> Learner | None:
        found = self._found(row)
        if isinstance(found, Learner):
            return found
        self._wrong(row, *found)
        return None

    def _found(self, row: AttendanceRow) -> Learner | tuple[str, str, Text]:
        """The learner, or the field that is wrong, what is in it, and why."""
        whose = row.whose
        try:
            learner = self.people.find(whose)
        except Unclear as unclear:
            return unclear.field, said(whose), unclear.text
        if learner is None or not learner.enrolled:
            return "outside_id" if whose.outside_id else "login" if whose.login else "name", said(whose), NOT_ENROLLED
        if whose.name and whose.name != learner.name:
            text = Text(
                ko=f"명단에서 이 훈련생의 이름은 {learner.name}입니다. 파일이 맞으면 명단을 먼저 고치세요",
                en=f"on the roster this learner is called {learner.name}; if the file is right, mend the roster first",
            )
            return "name", whose.name, text
        return learner

    def _day_is_right(self, row: AttendanceRow, login: str) -> bool:
        wrong = (
            NO_TRAINING_DAY if row.day not in self.days
            else AHEAD if row.day > self.standing.today
            else TWICE if (login, row.day) in self.seen
            else None
        )  # fmt: skip
        self.seen.add((login, row.day))
        if wrong:
            self._wrong(row, "day", row.day.isoformat(), wrong)
        return wrong is None

    def _wrong(self, row: AttendanceRow, field: str, found: str, text: Text) -> None:
        self.problems.append(problem(self.columns, row, field, found, text))


def told(entry: Entry) -> Text:
    """An entry as it is shown."""
    hours = [f"{at:%H:%M}" if at else "–" for at in (entry.check_in, entry.check_out)]
    return same(f"{entry.status} {hours[0]}~{hours[1]}" if any((entry.check_in, entry.check_out)) else entry.status)
