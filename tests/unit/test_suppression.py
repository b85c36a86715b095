"""Small groups in a programme's sums: hidden, and not to be worked out by who has the whole page and a computer."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from grader.effect import NO_CONTROL, PAIRED_SIZE
from grader.reports.counts import Counts, Scores
from grader.reports.gain import ONLY_BOTH, gain_table
from grader.reports.programme import TOTAL, Member, programme_sums
from grader.reports.suppress import hidden_cells
from grader.reports.table import HIDDEN, Cell
from labs.texts import Text

Cells = list[list[int]]


def grid(rows: list[list[int]]) -> Cells:
    """Parts with their sums: the first column, and the last row."""
    summed = [[sum(row), *row] for row in rows]
    return [*summed, [sum(column) for column in zip(*summed, strict=True)]]


def worlds(cells: Cells, hidden: frozenset[tuple[int, int]]) -> Iterator[Cells]:
    """Every table of two rows that agrees with what is shown: what an attacker with time finds."""
    first, second = (list(_rows(cells, hidden, row)) for row in (0, 1))
    shown = [column for column in range(1, len(cells[0])) if (2, column) not in hidden]
    by_shown = defaultdict(list)
    for row in second:
        by_shown[tuple(row[column] for column in shown)].append(row)
    for row in first:
        wanted = tuple(cells[2][column] - row[column] for column in shown)
        for other in by_shown[wanted]:
            world = grid([row[1:], other[1:]])
            if (2, 0) in hidden or world[2][0] == cells[2][0]:
                yield world


def _rows(cells: Cells, hidden: frozenset[tuple[int, int]], row: int) -> Iterator[list[int]]:
    """Every row that agrees with what is shown of it."""
    most = max(map(max, cells))
    choices = [
        range(most + 1) if (row, column) in hidden else (cells[row][column],) for column in range(1, len(cells[0]))
    ]
    for parts in product(*choices):
        if (row, 0) in hidden or sum(parts) == cells[row][0]:
            yield [sum(parts), *parts]


def exposed(cells: Cells, hidden: frozenset[tuple[int, int]]) -> list[tuple[int, int]]:
    """The small counts that are the same in every world."""
    seen: dict[tuple[int, int], set[int]] = {at: set() for at in hidden}
    for world in worlds(cells, hidden):
        for row, column in hidden:
            seen[row, column].add(world[row][column])
    return [(row, column) for row, column in hidden if len(seen[row, column]) == 1 and 0 < cells[row][column] < 5]


def small_only(cells: Cells) -> frozenset[tuple[int, int]]:
    """What hiding the small counts alone would hide."""
    return frozenset(at for at in product(range(len(cells)), range(len(cells[0]))) if 0 < cells[at[0]][at[1]] < 5)


@pytest.mark.parametrize("seed", range(25))
def test_no_small_count_is_worked_out_from_what_is_shown(seed: int) -> None:
    luck = random.Random(seed)
    cells = grid([[luck.choice((0, 2, 3, 5, 6)) for _ in range(3)] for _ in range(2)])
    assert exposed(cells, hidden_cells(cells)) == []


def test_the_attack_works_where_only_small_counts_are_hidden() -> None:
    cells = grid([[20, 3, 7], [15, 9, 8]])
    assert exposed(cells, small_only(cells)) == [(0, 2)]
    assert exposed(cells, hidden_cells(cells)) == []


def test_two_hidden_cells_that_together_are_few_get_company() -> None:
    cells = grid([[1, 2, 30], [40, 50, 60], [20, 30, 40]])
    hidden = hidden_cells(cells)
    assert {(0, 1), (0, 2)} <= hidden
    assert sum(cells[0][column] for column in (1, 2, 3) if (0, column) in hidden) >= 5 or (0, 0) in hidden


@pytest.mark.parametrize("seed", range(60))
def test_what_a_line_tells_by_subtraction_is_never_a_small_group(seed: int) -> None:
    luck = random.Random(seed)
    cells = grid([[luck.choice((0, 1, 2, 4, 5, 17, 30, 44)) for _ in range(4)] for _ in range(14)])
    hidden = hidden_cells(cells)
    assert small_only(cells) <= hidden
    last = len(cells) - 1
    lines = [[(row, column) for column in range(1, 5)] for row in range(last + 1) if (row, 0) not in hidden]
    lines += [[(row, column) for row in range(last)] for column in range(5) if (last, column) not in hidden]
    for line in lines:
        inside = [cells[row][column] for row, column in line if (row, column) in hidden]
        assert not inside or (len(inside) > 1 and (sum(inside) >= 5 or sum(inside) == 0))


def test_a_table_of_large_groups_hides_nothing_and_an_empty_one_too() -> None:
    assert hidden_cells(grid([[20, 30], [40, 50]])) == frozenset()
    assert hidden_cells(grid([[0, 0], [0, 0]])) == frozenset()


# --- the programme's report --------------------------------------------------------------------------------------------

SEOUL, JEJU, BUSAN = (Text(ko=ko, en=en) for ko, en in (("서울", "Seoul"), ("제주", "Jeju"), ("부산", "Busan")))
FILM, BOOK = Text(ko="영상", en="Film"), Text(ko="출판", en="Book")


def member(region: Text, occupation: Text, *parts: int, pairs: int = 0) -> Member:
    attending, completed, not_completed, left = parts
    scores = tuple(Scores(before=40, before_max=100, after=70, after_max=100) for _ in range(pairs))
    counts = Counts(
        enrolled=sum(parts),
        attending=attending,
        completed=completed,
        not_completed=not_completed,
        left=left,
        scores=scores,
    )
    return Member(f"inst-{region.en}", region, occupation, counts)


def table(members: list[Member], at: int) -> list[tuple[Cell, ...]]:
    found = programme_sums(
        Text(ko="사업", en="Programme"), members, datetime(2026, 7, 1, tzinfo=UTC), ZoneInfo("Asia/Seoul")
    ).tables[at]
    assert found.totals is not None
    return [*found.rows, found.totals]


def test_a_region_of_three_people_is_hidden_and_so_is_what_would_tell_it() -> None:
    members = [member(SEOUL, FILM, 20, 10, 6, 0), member(BUSAN, FILM, 30, 12, 7, 0), member(JEJU, BOOK, 3, 0, 0, 0)]
    by_region = {row[0]: row for row in table(members, 0)}
    assert by_region[JEJU][3] is HIDDEN
    assert by_region[JEJU][4] is HIDDEN
    # Another region's count, or the sum, is hidden too: the three cannot be subtracted.
    assert HIDDEN in (by_region[SEOUL][3], by_region[BUSAN][3])


def test_both_tables_hide_the_same_sums() -> None:
    members = [member(SEOUL, FILM, 40, 0, 0, 2), member(BUSAN, BOOK, 30, 0, 0, 1)]
    regions, occupations = table(members, 0), table(members, 1)
    hidden = [{at for at, cell in enumerate(rows[-1][3:8]) if cell is HIDDEN} for rows in (regions, occupations)]
    assert hidden[0] == hidden[1]
    assert 4 in hidden[0]  # three people left, in all


def test_scores_of_few_are_hidden_with_all_that_is_told_of_them_and_another_groups_with_them() -> None:
    members = [
        member(SEOUL, FILM, 40, 0, 0, 0, pairs=20),
        member(BUSAN, FILM, 40, 0, 0, 0, pairs=20),
        member(JEJU, BOOK, 30, 0, 0, 0, pairs=3),
    ]
    by_region = {row[0]: row for row in table(members, 2)}
    nothing = (*[HIDDEN] * 9, None)
    assert by_region[JEJU][1:] == nothing
    assert nothing in (by_region[SEOUL][1:], by_region[BUSAN][1:])
    shown = [row for row in by_region.values() if row[1] is not HIDDEN]
    assert shown
    assert all(row[2:4] == (40.0, 70.0) for row in shown)


@pytest.mark.parametrize("few", range(1, 5))
def test_scores_of_fewer_than_five_are_never_told_whoever_asks(few: int) -> None:
    scores = [Scores(before=40 + at, before_max=100, after=70, after_max=100) for at in range(few)]
    told = gain_table(SEOUL, [(SEOUL, scores), (TOTAL, scores)])
    assert [row[1:] for row in (*told.rows, told.totals or ())] == [(*[HIDDEN] * 9, None)] * 2


def test_before_and_after_is_told_with_its_intervals_as_counted_by_hand() -> None:
    gains = (10, 20, 30, 40, 50)
    scores = [Scores(before=5, before_max=50, after=10 + gain, after_max=100) for gain in gains]
    told = gain_table(SEOUL, [(SEOUL, scores), (BUSAN, ()), (TOTAL, scores)])
    # Mean 30, standard deviation sqrt(250) = 15.811, t(4) = 2.776: 30 +- 19.63. d_z 1.897, J = 1 - 3/15 = 0.8: g 1.52,
    # +- 2.776 * 0.8 * sqrt(1/5 + 3.6/8) = 1.79.
    assert told.rows[0][1:10] == (5, 10.0, 40.0, 30.0, 10.4, 49.6, 1.52, -0.27, 3.31)
    care = told.rows[0][10]
    assert isinstance(care, Text)
    assert "5명" in care.ko
    assert told.rows[1][1:] == (0, *[None] * 9)


def test_a_programme_says_who_counts_and_what_is_not_proven() -> None:
    notes = programme_sums(SEOUL, [], None, ZoneInfo("Asia/Seoul")).notes
    assert {ONLY_BOTH, NO_CONTROL, PAIRED_SIZE} <= {*notes}


def test_a_report_without_course_runs_is_a_report() -> None:
    assert table([], 0)[-1][1:4] == (0, 0, 0)
