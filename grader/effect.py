"""Before and after: how much more learners score at a course's end than at its start, said honestly.

Scores of the same people, as percent of the points. The standardised effect size is Hedges' g of paired differences:
d_z = mean difference / standard deviation of the differences (Cohen 1988; Lakens 2013, formula 6), times
J = 1 - 3 / (4 (n - 1) - 1) (Hedges 1981). The interval of the mean difference is exact under normal differences
(Student's t); that of the effect size is approximate: g_z +- t * J * sqrt(1/n + d_z^2 / (2 (n - 1))).
The rule: nothing is shown of fewer than five people, and what is shown names what it does not prove.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, cos, pi, sin, sqrt
from statistics import fmean, stdev

from labs.texts import Text

SHOWN_FROM, SMALL_BELOW = 5, 30

NO_CONTROL = Text(
    ko="비교 집단이 없어, 점수 차이를 이 과정의 효과라고 단정할 수 없습니다.",
    en="There is no control group: the difference need not come from this course.",
)
PAIRED_SIZE = Text(
    ko="효과 크기는 같은 사람의 전후 차이를 표준화한 값(Hedges 보정 d_z)이라서, 두 집단을 비교한 효과 크기와 나란히 놓을 수 없습니다.",
    en="The effect size standardises the differences of the same people (d_z with Hedges' correction); "
    "it does not compare with one between two groups.",
)


@dataclass(frozen=True)
class Paired:
    """One person's scores before and after, in points of a maximum each."""

    before_points: float
    before_max: float
    after_points: float
    after_max: float

    @property
    def difference(self) -> float:
        """Percentage points gained."""
        return 100 * (self.after_points / self.after_max - self.before_points / self.before_max)


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """What a group gained: `difference` in percentage points, `size` standardised; None where it is not shown."""

    n: int
    difference: Interval | None
    size: Interval | None
    labels: tuple[Text, ...]


def effect(pairs: Sequence[Paired]) -> Effect:
    """Compare the scores of the same people; a score without a maximum is a ValueError."""
    n = len(pairs)
    if any(pair.before_max <= 0 or pair.after_max <= 0 for pair in pairs):
        raise ValueError("a score needs a maximum above 0")
    if n < SHOWN_FROM:
        return Effect(n, None, None, (_too_few(n),))
    differences = [pair.difference for pair in pairs]
    mean, spread, t = fmean(differences), stdev(differences), t_quantile_975(n - 1)
    margin = t * spread / sqrt(n)
    size = _size(mean / spread, n, t) if spread > 1e-9 else None
    labels = [NO_CONTROL, *([_small(n)] if n < SMALL_BELOW else []), PAIRED_SIZE if size else _all_alike()]
    return Effect(n, Interval(mean, mean - margin, mean + margin), size, tuple(labels))


def t_quantile_975(df: int) -> float:
    """The 97.5 % quantile of Student's t, by halving: the distribution has a closed form for whole degrees of freedom."""
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_within(middle, df) < 0.95 else (low, middle)
    return (low + high) / 2


def _t_within(t: float, df: int) -> float:
    """P(-t < T < t): Abramowitz and Stegun, formulas 26.7.3 and 26.7.4."""
    angle = atan(t / sqrt(df))
    odd = df % 2
    term, total = (cos(angle), 0.0) if odd else (1.0, 0.0)
    for k in range(1 + odd, df, 2):
        total += term
        term *= cos(angle) ** 2 * k / (k + 1)
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total


def _size(d_z: float, n: int, t: float) -> Interval:
    correction = 1 - 3 / (4 * (n - 1) - 1)
    margin = t * sqrt(1 / n + d_z**2 / (2 * (n - 1)))
    return Interval(correction * d_z, correction * (d_z - margin), correction * (d_z + margin))


def _too_few(n: int) -> Text:
    return Text(
        ko=f"전후 점수가 모두 있는 사람이 {n}명입니다. {SHOWN_FROM}명 미만은 개인이 드러날 수 있어 보이지 않습니다.",
        en=f"{n} people have both scores; fewer than {SHOWN_FROM} are not shown, because single people could be made out",
    )


def _small(n: int) -> Text:
    return Text(
        ko=f"사람 수가 적어({n}명) 오차가 큽니다. 95% 신뢰구간을 함께 보세요.",
        en=f"Few people ({n}): the error is large. Read the 95% intervals with the values.",
    )


def _all_alike() -> Text:
    return Text(
        ko="모든 사람의 점수 차이가 같아 효과 크기를 계산할 수 없습니다.",
        en="Everybody's difference is the same, so there is no effect size.",
    )
