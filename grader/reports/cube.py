"""A programme's learners by institution and occupation, and what may be told of which part of them.

The rule: what is told of any slice (region, institution, occupation, phase) comes from the same blocks (`suppress.py`), so no
slice minus another one tells a small group. Four depths: how many are enrolled and how they attended; how many of the course
runs that are over completed; how everybody stands (attending, completed, not completed, left); who has scores before and after.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from grader.reports.counts import PARTS, Counts, Phase, Scores, together
from grader.reports.suppress import Block, blocks, is_told

#: Institution and occupation: the finest that anything is told of; the phase is told apart within it.
Cell = tuple[str, str]
#: What a slice is worth when a small group has to be put together with another: whole regions and occupations first.
WORTH = {"region": 40, "occupation": 40, "region and occupation": 4, "institution": 3, "cell": 1}
#: Each of these is tried as worth so much more, and what keeps most is taken.
FAVOURED, FACTOR = ("region", "occupation"), 20


@dataclass(frozen=True)
class Member:
    """A course run of the programme, by its groups' ids; the occupation is empty where it is not known."""

    region: str
    institution: str
    occupation: str
    counts: Counts


@dataclass(frozen=True)
class Slice:
    """A part of a programme; an empty field leaves it open."""

    region: str | None = None
    institution: str | None = None
    occupation: str | None = None
    phase: Phase | None = None

    def holds(self, member: Member) -> bool:
        """Whether a course run is in it, whatever its phase."""
        return (
            self.region in (None, member.region)
            and self.institution in (None, member.institution)
            and self.occupation in (None, member.occupation)
        )


@dataclass(frozen=True)
class Figures:
    """What is told of a slice; None: hidden. `over` are the learners of the course runs that are over."""

    institutions: int
    runs: int
    enrolled: int | None = None
    held: int | None = None
    credited: int | None = None
    over: int | None = None
    over_completed: int | None = None
    attending: int | None = None
    completed: int | None = None
    not_completed: int | None = None
    left: int | None = None
    scores: tuple[Scores, ...] | None = None

    @property
    def attendance_percent(self) -> int | None:
        """Credited of the days that are judged, in whole percent, never rounded up; None where hidden or none."""
        return self.credited * 100 // self.held if self.credited is not None and self.held else None

    @property
    def completion_percent(self) -> int | None:
        """Completed of the learners whose course run is over, in whole percent."""
        return self.over_completed * 100 // self.over if self.over_completed is not None and self.over else None


class Cube:
    """The course runs of a programme, cut into blocks once."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = tuple(members)
        self._known: dict[Slice, Figures] = {}

    def figures(self, asked: Slice) -> Figures:
        """What may be told of a slice; a page asks for the same ones in several tables and on its map."""
        if asked not in self._known:
            self._known[asked] = self._count(asked)
        return self._known[asked]

    def _count(self, asked: Slice) -> Figures:
        found = [member for member in self.members if asked.holds(member)]
        cells = {_cell(member) for member in found}
        found = [member for member in found if asked.phase in (None, member.counts.phase)]
        sums, over = together(m.counts for m in found), together(m.counts for m in found if m.counts.phase == "over")
        told: dict[str, object] = {}
        if is_told(cells, self.enrolled):
            told |= {"enrolled": sums.enrolled, "held": sums.held, "credited": sums.credited}
        if is_told(cells, self.completed):
            told |= {"over": over.enrolled, "over_completed": over.completed}
        if is_told(cells, self.standing):
            told |= {part: getattr(sums, part) for part in PARTS}
        if is_told(cells, self.scored):
            told["scores"] = sums.scores
        return Figures(len({member.institution for member in found}), len(found), **told)  # type: ignore[arg-type]

    @cached_property
    def enrolled(self) -> tuple[Block, ...]:
        """Blocks of which is told how many are enrolled, in each phase."""
        return self._blocks([frozenset([cell]) for cell in {_cell(member) for member in self.members}], _enrolled)

    @cached_property
    def completed(self) -> tuple[Block, ...]:
        """Blocks of which is told how many completed of the course runs that are over."""
        return self._blocks(self.enrolled, _completed)

    @cached_property
    def standing(self) -> tuple[Block, ...]:
        """Blocks of which is told how everybody stands."""
        return self._blocks(self.completed, lambda counts: {part: getattr(counts, part) for part in PARTS})

    @cached_property
    def scored(self) -> tuple[Block, ...]:
        """Blocks of which is told who has scores before and after."""
        return self._blocks(self.completed, _scored)

    def _blocks(self, start: Iterable[Block], kinds: Callable[[Counts], Mapping[str, int]]) -> tuple[Block, ...]:
        cells: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
        for member in self.members:
            phase = member.counts.phase
            cells[_cell(member)].update({(phase, kind): many for kind, many in kinds(member.counts).items()})
        tried = [blocks(cells, start, self._groups(favoured)) for favoured in FAVOURED]
        base = self._groups()
        return max(tried, key=lambda told: sum(worth for group, worth in base.items() if is_told(group, told)))

    def _groups(self, favoured: str = "") -> dict[Block, int]:
        """The slices that pages ask for, and what each is worth."""
        cells: dict[tuple[str, ...], set[Cell]] = defaultdict(set)
        for m in self.members:
            keys: tuple[tuple[str, ...], ...] = (
                ("region", m.region), ("occupation", m.occupation), ("region and occupation", m.region, m.occupation),
                ("institution", m.institution), ("cell", m.institution, m.occupation),
            )  # fmt: skip
            for key in keys:
                cells[key].add(_cell(m))
        worth: Counter[Block] = Counter()
        for key, group in cells.items():
            worth[frozenset(group)] += WORTH[key[0]] * (FACTOR if key[0] == favoured else 1)
        return dict(worth)


def _cell(member: Member) -> Cell:
    return member.institution, member.occupation


def _enrolled(counts: Counts) -> dict[str, int]:
    return {"enrolled": counts.enrolled}


def _completed(counts: Counts) -> dict[str, int]:
    """Of a course run that is not over nothing is told at this depth."""
    completed = counts.completed if counts.phase == "over" else 0
    return {"completed": completed, "others": counts.enrolled - completed}


def _scored(counts: Counts) -> dict[str, int]:
    """Those with scores and those without, so that neither is a small group."""
    return {"scored": len(counts.scores), "not scored": counts.enrolled - len(counts.scores)}
