"""Planning a roster. The rule: nobody is taken off it; a status that ends an enrolment needs its date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from grader.imports.columns import Columns
from grader.imports.logins import Logins
from grader.imports.plan import FROZEN, Change, NewLearner, Plan, in_order, problem, said, same
from grader.imports.rows import Problem, RosterRow
from grader.imports.standing import Learner, Left, People, Standing, Unclear
from grader.records.enrolments import HOW_TEXT
from labs.texts import Text


def plan_roster(rows: Sequence[RosterRow], standing: Standing, columns: Columns, problems: Sequence[Problem]) -> Plan:
    """What the roster would change."""
    planner = _Roster(rows, standing, columns)
    changes = [change for row in rows for change in planner.changes_of(row)]
    enrolled = [learner.login for learner in standing.learners if learner.enrolled]
    missing = tuple(login for login in enrolled if login not in planner.seen)
    changed = {change.row for change in changes}
    wrong = {one.row for one in planner.problems}
    unchanged = sum(row.row not in changed and row.row not in wrong for row in rows)
    return Plan("roster", tuple(changes), unchanged, in_order([*problems, *planner.problems]), missing)


class _Roster:
    def __init__(self, rows: Sequence[RosterRow], standing: Standing, columns: Columns) -> None:
        self.standing, self.columns = standing, columns
        self.people = People(standing.learners)
        self.logins = Logins(standing.institution, standing.taken)
        self.names = Counter(row.whose.name for row in rows)
        self.problems: list[Problem] = []
        self.seen: set[str] = set()
        self.new_ids: set[str] = set()

    def changes_of(self, row: RosterRow) -> list[Change]:
        """What one row changes; nothing where it has a problem, which is noted."""
        before = len(self.problems)
        try:
            learner = self._find(row)
        except Unclear as unclear:
            self._wrong(row, unclear.field, unclear.text)
            return []
        found = list(self._of_known(row, learner) if learner else self._of_new(row))
        if found and self._is_frozen(learner):
            self._wrong(row, "name", FROZEN)
        return found if len(self.problems) == before else []

    def _find(self, row: RosterRow) -> Learner | None:
        learner = self.people.find(row.whose)
        by_name = learner is None or not (row.whose.outside_id == learner.outside_id or row.whose.login)
        nameless = not (row.whose.outside_id or row.whose.login)
        if self.names[row.whose.name] > 1 and by_name and (nameless or learner):
            raise Unclear(
                "name", "파일에 같은 이름이 둘 이상입니다. 훈련생 번호나 아이디를 적으세요",
                "the file has this name more than once; fill in the learner number or the login",
            )  # fmt: skip
        if (learner and learner.login in self.seen) or row.whose.outside_id in self.new_ids:
            raise Unclear("name", "이 사람이 파일에 두 번 있습니다", "the file has this person twice")
        if learner:
            self.seen.add(learner.login)
        return learner

    def _of_new(self, row: RosterRow) -> Iterator[Change]:
        whose = row.whose
        if whose.login and not self.logins.take(whose.login):
            self._wrong(row, "login", Text(ko="다른 사람이 쓰고 있는 아이디입니다", en="somebody else has this login"))
            return
        login = whose.login or self.logins.new(whose.outside_id)
        if whose.outside_id:
            self.new_ids.add(whose.outside_id)
        new = NewLearner(login, whose.name, whose.outside_id or None)
        yield Change(row.row, "person", login, whose.name, None, same(whose.outside_id or whose.name), act=new)
        yield from self._leaving(row, Learner(login, whose.name))

    def _of_known(self, row: RosterRow, learner: Learner) -> Iterator[Change]:
        whose, login = row.whose, learner.login
        if not learner.enrolled:
            yield Change(row.row, "enrolment", login, whose.name, None, same(login), act=login)
        if whose.name != learner.name:
            yield Change(row.row, "name", login, whose.name, same(learner.name), same(whose.name), act=whose.name)
        if whose.outside_id and whose.outside_id != learner.outside_id:
            before = same(learner.outside_id) if learner.outside_id else None
            yield Change(row.row, "outside_id", login, whose.name, before, same(whose.outside_id), act=whose.outside_id)
        yield from self._leaving(row, learner)

    def _leaving(self, row: RosterRow, learner: Learner) -> Iterator[Change]:
        standing = learner.left
        if row.ends is None:
            self._must_not_contradict(row, standing)
            return
        if standing and standing.how == row.ends and row.left_on in (None, standing.on):
            return
        if row.left_on is None:
            self._wrong(row, "left_on")
        elif not self.standing.starts_on <= row.left_on <= self.standing.ends_on:
            self._wrong(row, "left_on", _within(self.standing), row.left_on.isoformat())
        else:
            left = Left(row.ends, row.left_on)
            before = _told(standing) if standing else None
            yield Change(row.row, "left", learner.login, row.whose.name, before, _told(left), act=left)

    def _must_not_contradict(self, row: RosterRow, standing: Left | None) -> None:
        if row.left_on and not row.status:
            self._wrong(row, "status")
        if standing is None or not row.status or (standing.how == "early_employment" and "수료" in row.status):
            return
        told = _told(standing)
        self._wrong(
            row, "status",
            Text(ko=f"여기 기록은 {told.ko}입니다. 파일을 고치거나, 훈련생 화면에서 사유를 적고 퇴소를 취소하세요",
                 en=f"here the record is: {told.en}; mend the file, or take the leaving back on the learner's page with a reason"),
            row.status,
        )  # fmt: skip

    def _is_frozen(self, learner: Learner | None) -> bool:
        frozen = self.standing.frozen
        return bool(frozen) and (learner is None or not learner.enrolled or learner.login in frozen)

    def _wrong(self, row: RosterRow, field: str, text: Text | None = None, found: str | None = None) -> None:
        values = {"outside_id": row.whose.outside_id, "login": row.whose.login, "name": row.whose.name}
        told = values.get(field, "") if found is None else found
        self.problems.append(
            problem(self.columns, row, field, told or (said(row.whose) if field in values else ""), text)
        )


def _told(left: Left) -> Text:
    how = HOW_TEXT[left.how]  # type: ignore[index]
    return Text(ko=f"{left.on} {how.ko}", en=f"{how.en}, {left.on}")


def _within(standing: Standing) -> Text:
    return Text(
        ko=f"훈련 기간({standing.starts_on} ~ {standing.ends_on}) 안의 날짜여야 합니다",
        en=f"a date within the course run ({standing.starts_on} to {standing.ends_on})",
    )
