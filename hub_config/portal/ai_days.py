"""What was spent day by day, as a chart. The rule: every day has its place, also one on which nothing was spent, and the scale begins at nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from hub_config.portal.ai_records import Spend

#: Days that a page goes back.
DAYS = 14
#: The plot of the chart, in pixels: a day's place is a share of the width, whatever that is.
TOP, HEIGHT, SHARE = 24, 120, 0.64


@dataclass(frozen=True)
class Bar:
    """A day's place: where its bar begins, how wide and how high it is, in per cent of the width and in pixels."""

    day: date
    calls: int
    cost_krw: int
    x: float
    width: float
    height: float
    month: bool

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Chart:
    """The bars from the oldest day on, and the won at the end of the scale."""

    bars: tuple[Bar, ...]
    scale: int
    top: int = TOP
    bottom: int = TOP + HEIGHT


def chart(lines: Iterable[Spend], today: date) -> Chart:
    """Lay out the days until today; what is of other days, or of none, is left out."""
    spent = {line.day: line for line in lines}
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    scale = _round_above(max(spent[day].cost_krw if day in spent else 0 for day in days))
    step = 100 / DAYS
    return Chart(tuple(_bar(day, spent.get(day), place * step, step, scale) for place, day in enumerate(days)), scale)


def _bar(day: date, spent: Spend | None, start: float, step: float, scale: int) -> Bar:
    won, calls = (max(0, spent.cost_krw), spent.calls) if spent else (0, 0)
    month = start == 0 or day.day == 1
    return Bar(day, calls, won, start + step * (1 - SHARE) / 2, step * SHARE, HEIGHT * won / scale, month)


def _round_above(most: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    size = 1
    while size * 10 <= most:
        size *= 10
    return next(number * size for number in (1, 2, 5, 10) if number * size >= most)
