"""Before and after: the numbers of textbooks, and labels that say what they do not prove."""

from __future__ import annotations

import random
from statistics import NormalDist

import pytest

from grader.effect import NO_CONTROL, PAIRED_SIZE, Paired, effect, t_quantile_975

# Student's own data (1908): extra sleep under two drugs, ten people; t = 4.0621 with 9 degrees of freedom.
SLEEP = [(0.7, 1.9), (-1.6, 0.8), (-0.2, 1.1), (-1.2, 0.1), (-0.1, -0.1), (3.4, 4.4), (3.7, 5.5), (0.8, 1.6), (0.0, 4.6),
         (2.0, 3.4)]  # fmt: skip


def paired(scores: list[tuple[float, float]], full: float = 100) -> list[Paired]:
    return [Paired(before, full, after, full) for before, after in scores]


@pytest.mark.parametrize(
    ("df", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423), (120, 1.9799)]
)
def test_quantiles_are_those_of_the_tables(df: int, quantile: float) -> None:
    assert t_quantile_975(df) == pytest.approx(quantile, abs=5e-5)


def test_for_many_it_is_the_normal_distribution() -> None:
    assert t_quantile_975(10_000) == pytest.approx(NormalDist().inv_cdf(0.975), abs=5e-4)


def test_the_sleep_of_students_paper() -> None:
    found = effect(paired(SLEEP))
    assert found.difference is not None
    assert found.size is not None
    assert found.difference.value == pytest.approx(1.58)
    assert (found.difference.low, found.difference.high) == pytest.approx((0.7001, 2.4599), abs=1e-4)
    assert found.size.value == pytest.approx(1.2846 * (1 - 3 / 35), abs=1e-4)  # d_z = t / sqrt(n)
    assert found.size.low < found.size.value < found.size.high


def test_points_of_different_maxima_are_compared_as_shares() -> None:
    found = effect([Paired(5, 10, 40 + i, 50) for i in range(6)])
    assert found.difference is not None
    assert found.difference.value == pytest.approx(35)


def test_fewer_than_five_are_not_shown() -> None:
    found = effect(paired(SLEEP[:4]))
    assert (found.n, found.difference, found.size) == (4, None, None)
    assert "5명 미만" in found.labels[0].ko
    assert effect(paired(SLEEP[:5])).difference is not None


def test_labels_say_what_is_not_proved() -> None:
    labels = effect(paired(SLEEP)).labels
    assert labels[0] == NO_CONTROL
    assert "10명" in labels[1].ko
    assert labels[2] == PAIRED_SIZE
    dice = random.Random(1)
    many = effect(paired([(dice.random(), dice.random()) for _ in range(30)]))
    assert many.labels == (NO_CONTROL, PAIRED_SIZE)


def test_where_everybody_gains_the_same_there_is_no_size() -> None:
    found = effect(paired([(10 * i, 10 * i + 5) for i in range(6)]))
    assert found.size is None
    assert found.difference is not None
    assert found.difference.value == pytest.approx(5)
    assert "같아" in found.labels[-1].ko


def test_a_score_without_a_maximum_is_an_error() -> None:
    with pytest.raises(ValueError, match="maximum"):
        effect([Paired(1, 0, 1, 10)] * 6)


def test_the_interval_holds_the_truth_in_about_95_of_100() -> None:
    dice = random.Random(7)
    held = 0
    for _ in range(1000):
        found = effect([Paired(0, 100, dice.gauss(8, 12), 100) for _ in range(8)])
        assert found.difference is not None
        held += found.difference.low <= 8 <= found.difference.high
    assert 930 <= held <= 970
