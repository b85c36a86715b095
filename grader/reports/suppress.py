"""Hiding small groups in a table of counts, and so many others that none can be worked out.

A table here is a grid whose last row is the sum of the rows, and whose first column is the sum of the others. Hidden are
first the counts of 1 to 4, sums too. Then, as long as a line (a row, or a column) tells too much of what is hidden in it
(a single cell, or several that together are fewer than five, which subtraction gives), another of its cells is hidden. At
last every hidden cell is held against all lines at once: one that they fix to a value, or to a range narrower than five, has
company hidden too. The rule: what is shown together tells no group of one to four.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

SMALLEST = 5
Grid = Sequence[Sequence[int]]
At = tuple[int, int]
Line = list[At]


def hidden_cells(grid: Grid, also: Iterable[At] = ()) -> frozenset[At]:
    """The cells (row, column) that must not be shown; with `also` those that another table hides."""
    cells = [(row, column) for row in range(len(grid)) for column in range(len(grid[row]))]
    hidden = {(row, column) for row, column in cells if 0 < grid[row][column] < SMALLEST} | {*also}
    lines = list(_lines(grid))
    while True:
        told = next((line for line in lines if _tells(grid, line, hidden)), None)
        if told is None and (exposed := _exposed(grid, lines, hidden)) is not None:
            told = next((line for line in lines if exposed in line and _shown(line, hidden)), None)
            if told is None:
                # Whatever else is shown belongs to other lines: then nothing of this table is.
                return frozenset(cells)
        if told is None:
            return frozenset(hidden)
        choice = _shown(told, hidden)
        if not choice:
            return frozenset(cells)
        hidden.add(min(choice, key=lambda at: _cost(grid, at)))


def _lines(grid: Grid) -> Iterator[Line]:
    """Every row and every column: in each, the sum is among the cells."""
    rows, width = len(grid), len(grid[0])
    yield from ([(row, column) for column in range(width)] for row in range(rows))
    yield from ([(row, column) for row in range(rows)] for column in range(width))


def _tells(grid: Grid, line: Line, hidden: set[At]) -> bool:
    """Whether a line alone tells a small group: by the sum of what is hidden in it, which subtraction gives."""
    inside = [at for at in line if at in hidden]
    if not inside:
        return False
    parts = [at for at in inside if not _is_sum(line, at)]
    if len(parts) < len(inside):  # the sum is hidden too: nothing can be subtracted from it, unless no part is hidden
        return not parts
    return len(parts) == 1 or 0 < sum(grid[row][column] for row, column in parts) < SMALLEST


def _is_sum(line: Line, at: At) -> bool:
    is_row = line[0][0] == line[-1][0]
    return at == (line[0] if is_row else line[-1])


def _shown(line: Line, hidden: set[At]) -> list[At]:
    return [at for at in line if at not in hidden]


def _cost(grid: Grid, at: At) -> tuple[bool, bool, int, At]:
    """What is lost least: an empty cell protects little, a sum says much, a small count says little."""
    row, column = at
    return row == len(grid) - 1 or column == 0, grid[row][column] == 0, grid[row][column], at


def _exposed(grid: Grid, lines: Sequence[Line], hidden: set[At]) -> At | None:
    """The first hidden cell that all lines together fix, or hold in too narrow a range."""
    order = sorted(hidden)
    equations = [_equation(grid, line, order) for line in lines if any(at in hidden for at in line)]
    for at, value in _solved(equations, order).items():
        if value is not None:
            return at
    low, high = _ranges(grid, lines, hidden)
    return next((at for at in order if high[at] - low[at] < SMALLEST - 1 and grid[at[0]][at[1]] != 0), None)


def _equation(grid: Grid, line: Line, order: Sequence[At]) -> list[Fraction]:
    """Parts minus sum are zero, with what is shown on the right."""
    signs = {at: -1 if _is_sum(line, at) else 1 for at in line}
    right = -sum(sign * grid[at[0]][at[1]] for at, sign in signs.items() if at not in order)
    return [*(Fraction(signs.get(at, 0)) for at in order), Fraction(right)]


def _solved(rows: list[list[Fraction]], order: Sequence[At]) -> dict[At, Fraction | None]:
    """Gauss and Jordan: the cells that the equations fix."""
    pivot = 0
    for column in range(len(order)):
        found = next((n for n in range(pivot, len(rows)) if rows[n][column]), None)
        if found is None:
            continue
        rows[pivot], rows[found] = rows[found], rows[pivot]
        lead = rows[pivot][column]
        rows[pivot] = [value / lead for value in rows[pivot]]
        for n, row in enumerate(rows):
            if n != pivot and row[column]:
                rows[n] = [value - row[column] * other for value, other in zip(row, rows[pivot], strict=True)]
        pivot += 1
    fixed: dict[At, Fraction | None] = {}
    for row in rows[:pivot]:
        unknown = [order[n] for n, value in enumerate(row[:-1]) if value]
        if len(unknown) == 1:
            fixed[unknown[0]] = row[-1]
    return fixed


def _ranges(grid: Grid, lines: Sequence[Line], hidden: set[At]) -> tuple[dict[At, int], dict[At, int]]:
    """What each hidden cell can be, as far as one line after the other narrows it: counts are never below zero."""
    most = max(map(max, grid)) * 2 + SMALLEST
    low, high = dict.fromkeys(hidden, 0), dict.fromkeys(hidden, most)

    def bound(at: At, ends: dict[At, int]) -> int:
        return ends[at] if at in hidden else grid[at[0]][at[1]]

    for _ in range(12):
        for line in lines:
            total = next(at for at in line if _is_sum(line, at))
            parts = [at for at in line if at != total]
            for at in line:
                if at not in hidden:
                    continue
                others = [other for other in parts if other != at]
                least, greatest = sum(bound(o, low) for o in others), sum(bound(o, high) for o in others)
                if at == total:
                    low[at], high[at] = max(low[at], least), min(high[at], greatest)
                else:
                    low[at] = max(low[at], bound(total, low) - greatest)
                    high[at] = min(high[at], bound(total, high) - least)
    return low, high
