"""A programme's sums by region and by occupation. The rule: counts of people only, no name, and no group under five.

The two tables, and the counts of people with both scores, share their sums; what one hides, every other hides too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from grader.effect import NO_CONTROL, PAIRED_SIZE
from grader.reports.counts import PARTS, Counts, together
from grader.reports.gain import ONLY_BOTH, gain_table
from grader.reports.suppress import SMALLEST, At, hidden_cells
from grader.reports.table import HIDDEN, Cell, Report, Table, columns
from labs.texts import Text

_COLUMNS = columns(
    ("구분", "Group", "text", 24), ("기관", "Institutions", "count", 8), ("과정", "Course runs", "count", 8),
    ("등록", "Enrolled", "count", 8), ("훈련 중", "Attending", "count", 8), ("수료", "Completed", "count", 8),
    ("미수료", "Not completed", "count", 8), ("중도 종료", "Left", "count", 8),
)  # fmt: skip
TOTAL = Text(ko="합계", en="Total")
_HEADS = {"region": Text(ko="지역별", en="By region"), "occupation": Text(ko="직종별", en="By occupation")}


@dataclass(frozen=True)
class Member:
    """A course run of the programme, by its groups."""

    institution: str
    region: Text
    occupation: Text
    counts: Counts


@dataclass(frozen=True)
class _Group:
    title: Text
    institutions: int
    runs: int
    counts: Counts


def programme_sums(
    title: Text, members: Sequence[Member], as_of: datetime | None, zone: ZoneInfo, waiting: int = 0
) -> Report:
    """The programme's report; `as_of` is the moment of its oldest part, `waiting` the runs not counted yet."""
    groups = {by: _groups(members, by) for by in ("region", "occupation")}
    hidden = _hidden({by: [group.counts for group in found] for by, found in groups.items()})
    counted = tuple(_table(_HEADS[by], found, hidden[by, "parts"]) for by, found in groups.items())
    gained = tuple(_gained(_HEADS[by], found, hidden[by, "scores"]) for by, found in groups.items())
    known = f"{as_of.astimezone(zone):%Y-%m-%d %H:%M}" if as_of else None
    return Report(
        title=Text(ko=f"{title.ko} 현황", en=f"{title.en}: where it stands"),
        facts=((Text(ko="사업", en="Programme"), title), (Text(ko="과정", en="Course runs"), len(members)),
               (Text(ko="기준 시각(가장 오래된 집계)", en="As of (the oldest count)"), known),
               *(((Text(ko="집계 중인 과정", en="Course runs being counted"), waiting),) if waiting else ())),
        tables=(*counted, *gained),
        notes=(
            Text(ko=f"{SMALLEST}명 미만인 집단과, 그 수를 뺄셈으로 알 수 있게 하는 칸은 비공개입니다.",
                 en=f"Groups under {SMALLEST} are hidden, and so are cells from which they could be worked out."),
            Text(ko="훈련 중: 과정이 끝나지 않았고 중도에 나가지 않은 사람. 조기취업으로 수료한 사람은 수료에 듭니다.",
                 en="Attending: whose course is not over and who has not left. Completion by early employment counts as completed."),
            ONLY_BOTH, NO_CONTROL, PAIRED_SIZE,
        ),
        name="programme", landscape=True,
    )  # fmt: skip


def _groups(members: Sequence[Member], by: str) -> list[_Group]:
    found: dict[Text, list[Member]] = {}
    for member in members:
        found.setdefault(getattr(member, by), []).append(member)
    named = sorted(found.items(), key=lambda pair: pair[0].ko)
    return [_group(title, of_group) for title, of_group in (*named, (TOTAL, list(members)))]


def _group(title: Text, members: list[Member]) -> _Group:
    return _Group(
        title, len({member.institution for member in members}), len(members), together(m.counts for m in members)
    )


def _hidden(counts: Mapping[str, Sequence[Counts]]) -> dict[tuple[str, str], frozenset[At]]:
    """The hidden cells of each table, by its groups and what it counts, until none hides what another shows."""
    grids = {}
    for by, found in counts.items():
        grids[by, "parts"] = [[c.enrolled, *(getattr(c, part) for part in PARTS)] for c in found]
        grids[by, "scores"] = [[c.enrolled, len(c.scores), c.enrolled - len(c.scores)] for c in found]
    hidden = {key: hidden_cells(grid) for key, grid in grids.items()}
    while True:
        wanted = {key: hidden[key] | _shared(key, hidden, grids) for key in grids}
        if wanted == hidden:
            return hidden
        hidden = {key: hidden_cells(grid, wanted[key]) for key, grid in grids.items()}


def _shared(
    key: tuple[str, str],
    hidden: Mapping[tuple[str, str], frozenset[At]],
    grids: Mapping[tuple[str, str], list[list[int]]],
) -> set[At]:
    """Cells that other tables hide and that stand in this one: the enrolled of a group, and the sums of the last row."""
    by, what = key
    found: set[At] = set()
    for (other_by, other_what), cells in hidden.items():
        last, other_last = len(grids[key]) - 1, len(grids[other_by, other_what]) - 1
        for row, column in cells:
            if other_by == by and column == 0:
                found.add((row, 0))
            if row == other_last and (column == 0 or other_what == what):
                found.add((last, column))
    return found


def _table(title: Text, groups: Sequence[_Group], hidden: frozenset[At]) -> Table:
    rows = [_row(number, group, hidden) for number, group in enumerate(groups)]
    return Table(_COLUMNS, tuple(rows[:-1]), rows[-1], title)


def _row(number: int, group: _Group, hidden: frozenset[At]) -> tuple[Cell, ...]:
    told = [group.counts.enrolled, *(getattr(group.counts, part) for part in PARTS)]
    shown: list[Cell] = [HIDDEN if (number, column) in hidden else value for column, value in enumerate(told)]
    return group.title, group.institutions, group.runs, *shown


def _gained(title: Text, groups: Sequence[_Group], hidden: frozenset[At]) -> Table:
    shown = [(group.title, None if (at, 1) in hidden else group.counts.scores) for at, group in enumerate(groups)]
    return gain_table(
        Text(ko=f"{title.ko} 사전·사후 비교", en=f"Before and after, {title.en[0].lower()}{title.en[1:]}"), shown
    )
