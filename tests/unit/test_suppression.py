"""Small groups in a programme's sums: hidden, and not to be worked out by who asks for every slice and has a computer."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import get_args
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from grader.effect import NO_CONTROL, PAIRED_SIZE
from grader.reports.counts import PARTS, PHASES, Counts, Part, Phase, Scores
from grader.reports.cube import Cube, Figures, Member, Slice
from grader.reports.gain import ONLY_BOTH, gain_table
from grader.reports.programme import TOTAL, By, Names, programme_report
from grader.reports.suppress import blocks, is_told
from grader.reports.table import HIDDEN, Report
from labs.texts import Text

PRIME = 2_147_483_647
#: Where somebody can stand, by what the course run's dates say alone.
POSSIBLE: dict[Phase, tuple[Part, ...]] = {
    "before": ("attending", "left"), "running": ("attending", "completed", "left"), "over": ("completed", "not_completed", "left"),
}  # fmt: skip
KINDS = [(phase, part, scored) for phase in PHASES for part in POSSIBLE[phase] for scored in (True, False)]


def member(
    region: str, institution: str, occupation: str, phase: Phase, people: dict[tuple[Part, bool], int]
) -> Member:
    """A course run by how many stand where, with and without scores."""
    parts = {part: sum(many for (p, _), many in people.items() if p == part) for part in PARTS}
    scores = tuple(
        Scores(part=part, before=40, before_max=100, after=70, after_max=100)
        for (part, scored), many in people.items() for _ in range(many) if scored
    )  # fmt: skip
    enrolled = sum(parts.values())
    counts = Counts(phase=phase, enrolled=enrolled, held=10 * enrolled, credited=9 * enrolled, scores=scores, **parts)
    return Member(region, institution, occupation, counts)


def world(seed: int) -> list[Member]:
    """A programme of three regions, at most two institutions in each, two occupations, made by lot."""
    luck = random.Random(seed)
    sizes = luck.choice(((0, 1, 2, 3), (0, 2, 5, 9), (0, 1, 7, 12, 20)))
    return [
        member(region, f"{region}-{number}", occupation, phase,
               {(part, scored): luck.choice(sizes) for part in POSSIBLE[phase] for scored in (True, False)})
        for region in "abc" for number in range(luck.choice((1, 2))) for occupation in ("film", "book")
        for phase in luck.sample(PHASES, luck.choice((1, 1, 2))) if luck.random() < 0.8
    ]  # fmt: skip


def slices(members: Sequence[Member]) -> Iterator[Slice]:
    """Every slice that a programme's address can name."""
    regions = {m.region for m in members}
    institutions = {(m.region, m.institution) for m in members}
    places = [(None, None), *((r, None) for r in regions), *institutions, *((None, i) for _, i in institutions)]
    occupations = {m.occupation for m in members}
    for (region, institution), occupation, phase in product(places, (None, *occupations), (None, *PHASES)):
        yield Slice(region, institution, occupation, phase)


class Attacker:
    """Knows everything that is told, and what cannot be, and solves for what is not."""

    def __init__(self, members: Sequence[Member], told: dict[Slice, Figures]) -> None:
        cells = sorted({(m.region, m.institution, m.occupation) for m in members})
        self.at = {key: n for n, key in enumerate(product(cells, KINDS))}
        lines: list[np.ndarray] = []
        for asked, figures in told.items():
            for indicator, value in self.sums(asked, figures):
                # Counts are never below zero: a sum of nothing is a sum of nothings.
                lines += [indicator] if value else [self._unit(n) for n in np.flatnonzero(indicator)]
        self.basis = _reduced(np.array(lines or [np.zeros(len(self.at))]))

    def sums(self, asked: Slice, figures: Figures) -> Iterator[tuple[np.ndarray, int]]:
        """What is told of a slice, as (the people that are counted, how many)."""
        for name in ("enrolled", "over", "over_completed", *PARTS):
            if (value := getattr(figures, name)) is not None:
                yield self.people(asked, name), value
        if figures.scores is not None:
            yield self.people(asked, "scored"), len(figures.scores)

    def people(self, asked: Slice, kind: str) -> np.ndarray:
        """Who is counted: of a slice, those of a kind."""
        found = np.zeros(len(self.at))
        for ((region, institution, occupation), (phase, part, scored)), n in self.at.items():
            key = (region, institution, occupation, phase)
            inside = all(
                getattr(asked, name) in (None, value)
                for name, value in zip(("region", "institution", "occupation", "phase"), key, strict=True)
            )
            kinds = {"enrolled", part, *(["over"] if phase == "over" else []), "scored" if scored else "not scored"}
            kinds |= {"over_completed"} if (phase, part) == ("over", "completed") else set()
            kinds |= {"over_others"} if phase == "over" and part != "completed" else set()
            found[n] = inside and kind in kinds
        return found

    def knows(self, indicator: np.ndarray) -> bool:
        """Whether a sum follows from what is told."""
        return not _rest(self.basis, indicator).any()

    def _unit(self, at: int) -> np.ndarray:
        line = np.zeros(len(self.at))
        line[at] = 1
        return line


def _reduced(lines: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Gauss over a prime field: lines with their first place, each 1."""
    basis: list[tuple[int, np.ndarray]] = []
    for line in np.unique(lines, axis=0):
        rest = _rest(basis, line)
        if (places := np.flatnonzero(rest)).size:
            first = int(places[0])
            basis.append((first, rest * pow(int(rest[first]), -1, PRIME) % PRIME))
    return basis


def _rest(basis: list[tuple[int, np.ndarray]], line: np.ndarray) -> np.ndarray:
    rest = line.astype(np.int64) % PRIME
    for first, known in basis:
        if rest[first]:
            rest = (rest - rest[first] * known) % PRIME
    return rest


def worked_out(members: Sequence[Member], told: dict[Slice, Figures]) -> list[tuple[Slice, str, int]]:
    """The small groups that an attacker finds: of any slice any kind, and of any cell any way to stand."""
    attacker = Attacker(members, told)
    truth = np.array([_truth(members, *key) for key in attacker.at])
    kinds = ("enrolled", "over", "over_completed", "over_others", "scored", "not scored", *PARTS)
    wanted = [(asked, kind, attacker.people(asked, kind)) for asked in told for kind in kinds]
    wanted += [(Slice(), str(key), attacker._unit(n)) for key, n in attacker.at.items()]
    return [
        (asked, kind, int(indicator @ truth))
        for asked, kind, indicator in wanted
        if 0 < indicator @ truth < 5 and attacker.knows(indicator)
    ]


def _truth(members: Sequence[Member], cell: tuple[str, str, str], kind: tuple[Phase, Part, bool]) -> int:
    phase, part, scored = kind
    found = [m.counts for m in members if (m.region, m.institution, m.occupation) == cell and m.counts.phase == phase]
    with_scores = sum(score.part == part for counts in found for score in counts.scores)
    return with_scores if scored else sum(getattr(counts, part) for counts in found) - with_scores


@pytest.mark.parametrize("seed", range(12))
def test_no_small_group_is_worked_out_from_every_slice_together(seed: int) -> None:
    members = world(seed)
    cube = Cube(members)
    assert worked_out(members, {asked: cube.figures(asked) for asked in slices(members)}) == []


def small_only(members: Sequence[Member], asked: Slice) -> Figures:
    """What hiding the small counts of a slice alone would tell."""
    found = [m.counts for m in members if asked.holds(m) and asked.phase in (None, m.counts.phase)]
    sums = {part: sum(getattr(counts, part) for counts in found) for part in ("enrolled", *PARTS)}
    shown = {name: None if 0 < value < 5 else value for name, value in sums.items()}
    return Figures(0, len(found), **shown)


def test_the_attack_works_where_only_small_counts_are_hidden() -> None:
    found = 0
    for seed in range(3):
        members = world(seed)
        found += len(worked_out(members, {asked: small_only(members, asked) for asked in slices(members)}))
    assert found > 10


def test_a_regions_row_minus_an_occupations_tells_nothing() -> None:
    few: dict[tuple[Part, bool], int] = {("completed", False): 3}
    many: dict[tuple[Part, bool], int] = {("completed", False): 20, ("not_completed", False): 10}
    members = [
        member("a", "a-1", "film", "over", many), member("a", "a-2", "book", "over", few), member("b", "b-1", "film", "over", many),
    ]  # fmt: skip
    cube = Cube(members)
    region, film = cube.figures(Slice(region="a")), cube.figures(Slice(region="a", occupation="film"))
    assert cube.figures(Slice(region="a", occupation="book")).enrolled is None
    assert region.enrolled is None or film.enrolled is None
    assert cube.figures(Slice()).enrolled == 63


@pytest.mark.parametrize("seed", range(30))
def test_what_is_told_is_true_and_never_a_small_count(seed: int) -> None:
    members = world(seed)
    cube = Cube(members)
    for asked in slices(members):
        told = cube.figures(asked)
        found = [m.counts for m in members if asked.holds(m) and asked.phase in (None, m.counts.phase)]
        for name in ("enrolled", *PARTS):
            value = getattr(told, name)
            assert value in (None, sum(getattr(counts, name) for counts in found))
            assert value is None or not 0 < value < 5
        assert told.scores is None or not 0 < len(told.scores) < 5
        assert told.credited is None or told.enrolled is not None
        assert told.over is None or not 0 < told.over - (told.over_completed or 0) < 5


def test_blocks_are_whole_and_as_fine_as_can_be() -> None:
    cells = {"a": {"x": 9}, "b": {"x": 2}, "c": {"x": 4}, "d": {"x": 30}}
    start = [frozenset([cell]) for cell in cells]
    told = blocks(cells, start, {frozenset("bc"): 5, frozenset("ab"): 1})
    assert {*told} == {frozenset("a"), frozenset("bc"), frozenset("d")}
    assert is_told("bcd", told)
    assert not is_told("ab", told)
    assert blocks({"a": {"x": 3}}, [frozenset("a")], {}) == ()


def test_a_programme_of_few_people_tells_nothing_of_them() -> None:
    members = [member("a", "a-1", "film", "running", {("attending", False): 4})]
    assert Cube(members).figures(Slice()) == Figures(1, 1)


# --- the programme's report --------------------------------------------------------------------------------------------

SEOUL, BUSAN = Text(ko="서울", en="Seoul"), Text(ko="부산", en="Busan")
NAMES = Names({"a": SEOUL, "b": BUSAN}, {"film": Text(ko="영상", en="Film")}, {"a-1": Text(ko="한빛", en="Hanbit")})


def report(members: list[Member], asked: Slice = Slice()) -> Report:  # noqa: B008 (it is frozen)
    return programme_report(
        Text(ko="사업", en="Programme"),
        Cube(members),
        asked,
        NAMES,
        datetime(2026, 7, 1, tzinfo=UTC),
        ZoneInfo("Asia/Seoul"),
    )


def test_a_report_tells_its_slice_and_hides_what_the_cube_hides() -> None:
    many: dict[tuple[Part, bool], int] = {("completed", True): 20, ("not_completed", False): 10, ("left", False): 2}
    members = [
        member("a", "a-1", "film", "over", many), member("b", "b-1", "film", "over", many), member("b", "b-2", "", "over", many),
    ]  # fmt: skip
    whole, seoul = report(members), report(members, Slice(region="a"))
    rows = {row[0]: row[1:] for row in whole.tables[0].rows}
    assert rows[SEOUL][:7] == (1, 1, 32, 90, 32, 20, 62)
    assert rows[SEOUL][7:] == (HIDDEN,) * 4
    assert whole.tables[0].totals == (TOTAL, 3, 3, 96, 90, 96, 60, 62, 0, 60, 30, 6)
    assert [table.title for table in seoul.tables if table.title][-1] == Text(ko="직종별 사전·사후 비교", en="Before and after, by occupation")  # fmt: skip
    assert (Text(ko="지역", en="Region"), SEOUL) in seoul.facts
    assert seoul.tables[0].totals == (TOTAL, *rows[SEOUL])


@pytest.mark.parametrize("by", get_args(By))
def test_a_report_of_any_slice_has_rows_that_fit(by: By) -> None:
    members = world(5)
    value = "over" if by == "phase" else getattr(members[0], by)
    assert report(members, Slice(**{by: value})).tables  # type: ignore[arg-type]
    assert report([], Slice(**{by: value})).tables  # type: ignore[arg-type]


@pytest.mark.parametrize("few", range(1, 5))
def test_scores_of_fewer_than_five_are_never_told_whoever_asks(few: int) -> None:
    scores = [Scores(part="completed", before=40 + at, before_max=100, after=70, after_max=100) for at in range(few)]
    told = gain_table(SEOUL, [(SEOUL, scores), (TOTAL, scores)])
    assert [row[1:] for row in (*told.rows, told.totals or ())] == [(*[HIDDEN] * 9, None)] * 2


def test_before_and_after_is_told_with_its_intervals_as_counted_by_hand() -> None:
    gains = (10, 20, 30, 40, 50)
    scores = [Scores(part="completed", before=5, before_max=50, after=10 + gain, after_max=100) for gain in gains]
    told = gain_table(SEOUL, [(SEOUL, scores), (BUSAN, ()), (TOTAL, scores)])
    # Mean 30, standard deviation sqrt(250) = 15.811, t(4) = 2.776: 30 +- 19.63. d_z 1.897, J = 1 - 3/15 = 0.8: g 1.52,
    # +- 2.776 * 0.8 * sqrt(1/5 + 3.6/8) = 1.79.
    assert told.rows[0][1:10] == (5, 10.0, 40.0, 30.0, 10.4, 49.6, 1.52, -0.27, 3.31)
    care = told.rows[0][10]
    assert isinstance(care, Text)
    assert "5명" in care.ko
    assert told.rows[1][1:] == (0, *[None] * 9)


def test_a_page_leaves_out_before_and_after_only_where_nobody_has_both() -> None:
    few = [Scores(part="completed", before=1, before_max=2, after=2, after_max=2)]
    assert gain_table(SEOUL, [(SEOUL, ()), (TOTAL, ())]).tells_nothing
    assert not gain_table(SEOUL, [(SEOUL, few), (TOTAL, few)]).tells_nothing, "hidden is not nothing"
    assert not report(world(5)).tables[0].tells_nothing


def test_a_programme_says_who_counts_and_what_is_not_proven() -> None:
    assert {ONLY_BOTH, NO_CONTROL, PAIRED_SIZE} <= {*report([]).notes}


def test_a_report_without_course_runs_is_a_report() -> None:
    assert (report([]).tables[0].totals or ())[1:4] == (0, 0, 0)
