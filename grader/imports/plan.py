"""What an import would change: a plan of rows, on what stands. The rule: pure, so that a preview and its applying are one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from grader.imports.columns import Columns, Kind, file_kind
from grader.imports.rows import Problem, Row, Whose
from grader.imports.standing import Entry, Left
from grader.records.timetable import Closure, Hours
from labs.texts import Text

ChangeKind = Literal["person", "enrolment", "name", "outside_id", "left", "day", "closed", "official"]
CHANGE_TEXT: dict[ChangeKind, Text] = {
    "person": Text(ko="새 훈련생", en="new learner"),
    "enrolment": Text(ko="명단에 추가", en="added to the roster"),
    "name": Text(ko="이름", en="name"),
    "outside_id": Text(ko="훈련생 번호", en="learner number"),
    "left": Text(ko="퇴소", en="end of the enrolment"),
    "day": Text(ko="훈련일", en="training day"),
    "closed": Text(ko="휴강일", en="day not held"),
    "official": Text(ko="공식 출결", en="official attendance"),
}
FROZEN = Text(
    ko="수료 판정이 확정되어 있어 바꿀 수 없습니다. 먼저 사유를 적고 판정을 다시 열어야 합니다",
    en="the completion decision is frozen; it has to be opened again with a reason first",
)


@dataclass(frozen=True)
class NewLearner:
    """A person to be made and enrolled."""

    login: str
    name: str
    outside_id: str | None


@dataclass(frozen=True)
class Change:
    """One thing that would be other than before; None before: it is new, None after: it is taken away."""

    row: int
    kind: ChangeKind
    login: str
    name: str
    before: Text | None
    after: Text | None
    day: date | None = None
    #: What applying it needs.
    act: NewLearner | Left | Entry | str | None = None


@dataclass(frozen=True)
class Plan:
    """Everything that an import would change, what it would leave, and what is wrong with the file."""

    kind: Kind
    changes: tuple[Change, ...]
    unchanged: int
    problems: tuple[Problem, ...] = ()
    #: Learners of the run that the roster does not name; they stay.
    missing: tuple[str, ...] = ()
    #: The whole timetable.
    days: tuple[Hours, ...] = ()
    closed: tuple[Closure, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many things are added, changed, removed and left as they are."""
        found = Counter(
            "added" if change.before is None else "removed" if change.after is None else "changed"
            for change in self.changes
        )
        return {name: found[name] for name in ("added", "changed", "removed")} | {"unchanged": self.unchanged}

    @property
    def fingerprint(self) -> str:
        """Tells two plans apart: who agrees to one does not agree to another."""
        told = repr((self.kind, self.changes, self.days, self.closed, len(self.problems)))
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()


def same(text: str) -> Text:
    """A text that reads the same in both languages."""
    return Text(ko=text or "-", en=text or "-")


def problem(columns: Columns, row: Row, field: str, found: str, text: Text | None = None) -> Problem:
    """A problem of a row in a field's column; without a text, what would be right there."""
    known = file_kind(columns.kind).fields[field]
    heading = columns.headings[columns.at[field]] if field in columns.at else known.title.ko
    return Problem(row.row, heading, found[:60], text or known.right)


def said(whose: Whose) -> str:
    """How a row names its person."""
    return whose.outside_id or whose.login or whose.name


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda one: one.row))


def without(rows: Sequence[Change], dropped: set[int]) -> tuple[Change, ...]:
    """The changes of rows that have no problem."""
    return tuple(change for change in rows if change.row not in dropped)
