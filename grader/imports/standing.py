"""What stands in the records before an import, as plain data, and how a row's person is found in it.

The rule: by the outside id first, then by the login, then by a name that one learner of the run has; never by a guess.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time

from grader.imports.rows import Expected, Whose
from grader.records.timetable import Closure, Hours
from labs.texts import Text


@dataclass(frozen=True)
class Left:
    """How and when an enrolment ended."""

    how: str
    on: date


@dataclass(frozen=True)
class Learner:
    """Somebody whom the institution knows as a learner."""

    login: str
    name: str
    outside_id: str | None = None
    enrolled: bool = False
    left: Left | None = None


@dataclass(frozen=True)
class Entry:
    """A learner's day as the national system has it."""

    login: str
    day: date
    status: str
    check_in: time | None = None
    check_out: time | None = None


@dataclass(frozen=True)
class Standing:
    """A course run as it stands, and everybody whom its institution knows."""

    institution: str
    starts_on: date
    ends_on: date
    today: date
    expected: Expected = field(default_factory=Expected)
    learners: tuple[Learner, ...] = ()
    #: Every login of the records, of other institutions and of staff too.
    taken: frozenset[str] = frozenset()
    days: tuple[Hours, ...] = ()
    closed: tuple[Closure, ...] = ()
    official: Mapping[tuple[str, date], Entry] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()


class Unclear(Exception):
    """A row's person is not clear; `field` is the column to mend, `text` what is wrong with it."""

    def __init__(self, field: str, ko: str, en: str) -> None:
        super().__init__(en)
        self.field, self.text = field, Text(ko=ko, en=en)


class People:
    """Finds the learners of an institution by what a row says of them."""

    def __init__(self, learners: Iterable[Learner]) -> None:
        self._by_id: dict[str, list[Learner]] = defaultdict(list)
        self._by_login: dict[str, Learner] = {}
        self._by_name: dict[str, list[Learner]] = defaultdict(list)
        for learner in learners:
            self._by_login[learner.login] = learner
            if learner.outside_id:
                self._by_id[learner.outside_id].append(learner)
            if learner.enrolled:
                self._by_name[learner.name].append(learner)

    def find(self, whose: Whose) -> Learner | None:
        """The learner that a row is about, or None where nobody is known; Unclear where it could be another."""
        return self._with_id(whose) or self._with_login(whose) or self._with_name(whose)

    def _with_id(self, whose: Whose) -> Learner | None:
        found = self._by_id.get(whose.outside_id, [])
        if len(found) > 1:
            raise Unclear("outside_id", "이 번호를 가진 사람이 둘 이상입니다", "several people have this number")
        if found and whose.login not in ("", found[0].login):
            login = found[0].login
            raise Unclear("login", f"이 번호의 훈련생은 {login}입니다", f"the learner with that number is {login}")
        return found[0] if found else None

    def _with_login(self, whose: Whose) -> Learner | None:
        found = self._by_login.get(whose.login)
        if found and whose.outside_id and found.outside_id:
            raise Unclear(
                "outside_id", f"{found.login}의 번호는 {found.outside_id}입니다",
                f"the number of {found.login} is {found.outside_id}",
            )  # fmt: skip
        return found

    def _with_name(self, whose: Whose) -> Learner | None:
        if whose.login:
            return None
        # Somebody with another number is somebody else of the same name.
        found = [one for one in self._by_name.get(whose.name, []) if not (whose.outside_id and one.outside_id)]
        if len(found) > 1:
            raise Unclear(
                "name", "이 과정에 같은 이름이 둘 이상입니다. 훈련생 번호나 아이디를 적으세요",
                "several learners of this course run have this name; fill in the learner number or the login",
            )  # fmt: skip
        return found[0] if found else None
