"""Before and after as a table: means, the difference and the effect size with their intervals (`grader/effect.py`).

The rule: a hidden group shows nothing of its scores, and no group is told without its interval and its warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from grader.effect import NO_CONTROL, PAIRED_SIZE, SHOWN_FROM, Interval, Paired, effect
from grader.reports.counts import Scores
from grader.reports.table import HIDDEN, Cell, Table, columns
from labs.texts import Text

_COLUMNS = columns(
    ("구분", "Group", "text", 24), ("전후 점수 인원", "With both scores", "count", 9),
    ("사전 평균(%)", "Mean before (%)", "percent", 9), ("사후 평균(%)", "Mean after (%)", "percent", 9),
    ("차이(%p)", "Difference (points)", "points", 10), ("차이의\n95% 하한", "95% from", "points", 9), ("차이의\n95% 상한", "95% to", "points", 9),
    ("효과 크기", "Effect size", "points", 9), ("효과 크기의\n95% 하한", "95% from", "points", 11), ("효과 크기의\n95% 상한", "95% to", "points", 11),
    ("읽을 때 주의", "Read with care", "text", 34),
)  # fmt: skip
ONLY_BOTH = Text(
    ko="사전·사후 비교는 확정된 사전 점수와 사후 점수가 모두 있는 사람만 셉니다. 지각 제출 감점 전의 점수이고, 만점에 대한 백분율입니다.",
    en="Before and after counts only people with a final score both before and after, in percent of the points, "
    "before anything is taken off for being late.",
)
#: Everybody's groups have these in the notes.
_IN_NOTES = (NO_CONTROL, PAIRED_SIZE)


def gain_table(title: Text, groups: Sequence[tuple[Text, Sequence[Scores] | None]]) -> Table:
    """A table of (group, scores), None where they are hidden; the last group is the sum of the others."""
    rows = [(name, *_cells(scores)) for name, scores in groups]
    return Table(_COLUMNS, tuple(rows[:-1]), rows[-1], title, names_are_known=True)


def _cells(scores: Sequence[Scores] | None) -> tuple[Cell, ...]:
    if scores is None or 0 < len(scores) < SHOWN_FROM:
        return (*[HIDDEN] * 9, None)
    if not scores:
        return (0, *[None] * 9)
    pairs = [Paired(each.before, each.before_max, each.after, each.after_max) for each in scores]
    found = effect(pairs)
    said = [label for label in found.labels if label not in _IN_NOTES]
    care = Text(ko=" ".join(label.ko for label in said), en=" ".join(label.en for label in said)) if said else None
    return (found.n, *_means(pairs), *_interval(found.difference, 1), *_interval(found.size, 2), care)


def _means(pairs: Sequence[Paired]) -> tuple[float, float]:
    before = fmean(100 * pair.before_points / pair.before_max for pair in pairs)
    after = fmean(100 * pair.after_points / pair.after_max for pair in pairs)
    return round(before, 1), round(after, 1)


def _interval(found: Interval | None, digits: int) -> tuple[Cell, Cell, Cell]:
    if found is None:
        return None, None, None
    return round(found.value, digits), round(found.low, digits), round(found.high, digits)
