"""Lateness: the worked examples of the rule, and what must hold for every moment and every policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.deadlines import DAY, Lateness, NotTaken, explained, judge, milder, must_take, taken_off
from labs.manifest import Due, LatePolicy, Terms

SEOUL, BERLIN = ZoneInfo("Asia/Seoul"), ZoneInfo("Europe/Berlin")
DUE = datetime(2026, 7, 9, 23, 59, 59, tzinfo=SEOUL)
PERCENT = Terms(grace_minutes=10, late=LatePolicy(policy="percent", percent_per_day=10, at_most_days=3))
SECOND = timedelta(seconds=1)

all_terms = st.builds(
    Terms,
    grace_minutes=st.integers(0, 1440),
    late=st.builds(
        LatePolicy,
        policy=st.sampled_from(["none", "percent", "refuse"]),
        percent_per_day=st.integers(0, 100),
        at_most_days=st.integers(0, 40),
    ),
)
moments = st.timedeltas(timedelta(days=-60), timedelta(days=60)).map(lambda over: DUE + over)


@pytest.mark.parametrize(
    ("over", "days", "percent"),
    [
        (timedelta(days=-3), 0, 0),
        (timedelta(0), 0, 0),
        (timedelta(minutes=10), 0, 0),  # exactly at due + grace is in time
        (timedelta(minutes=10) + SECOND, 1, 10),
        (DAY, 1, 10),  # the grace moves no later day, and takes none away
        (DAY + SECOND, 2, 20),
        (2 * DAY + SECOND, 3, 30),
        (3 * DAY + SECOND, 4, 30),  # the penalty has stopped growing, the days have not
        (timedelta(days=400), 400, 30),
    ],
)
def test_worked_examples(over: timedelta, days: int, percent: int) -> None:
    assert judge(DUE + over, DUE, PERCENT) == Lateness(DUE, days, percent)


def test_a_day_is_24_hours_whatever_the_clocks_do() -> None:
    """In Berlin the night before 29 March 2026 has 23 hours: the same hour on the wall comes an hour early."""
    terms = Terms(grace_minutes=0, late=LatePolicy(percent_per_day=10))
    due = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    same_hour = datetime(2026, 3, 29, 12, tzinfo=BERLIN)
    assert judge(same_hour, due, terms).days_late == 1
    assert judge(same_hour + timedelta(hours=1), due, terms).days_late == 1
    assert judge(same_hour + timedelta(hours=1, seconds=1), due, terms).days_late == 2
    autumn = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
    assert judge(datetime(2026, 10, 25, 12, tzinfo=BERLIN), autumn, terms).days_late == 2
    assert judge(datetime(2026, 10, 25, 11, tzinfo=BERLIN), autumn, terms).days_late == 1


def test_the_policies() -> None:
    late = DUE + 2 * DAY
    assert judge(late, DUE, Terms(late=LatePolicy(policy="none"))) == Lateness(DUE, 2, 0)
    assert judge(late, DUE, Terms(late=LatePolicy(policy="refuse"))) == Lateness(DUE, 2, 0, refused=True)
    assert judge(late, None, PERCENT) == Lateness()
    assert judge(late, DUE, Terms(late=LatePolicy(percent_per_day=60, at_most_days=3))).percent == 100


@given(moments, moments, all_terms)
def test_later_is_never_better(one: datetime, other: datetime, terms: Terms) -> None:
    early, late = judge(min(one, other), DUE, terms), judge(max(one, other), DUE, terms)
    assert early.days_late <= late.days_late
    assert early.percent <= late.percent
    assert early.refused <= late.refused


@given(moments, all_terms, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_a_later_due_time_or_a_longer_grace_is_never_worse(moment: datetime, terms: Terms, more: timedelta) -> None:
    here = judge(moment, DUE, terms)
    assert milder(judge(moment, DUE + more, terms), here).percent == judge(moment, DUE + more, terms).percent
    longer = terms.model_copy(update={"grace_minutes": terms.grace_minutes + int(more.total_seconds()) // 60})
    assert judge(moment, DUE, longer).days_late <= here.days_late


@given(all_terms)
def test_the_end_of_the_grace_is_the_last_moment_in_time(terms: Terms) -> None:
    end = DUE + timedelta(minutes=terms.grace_minutes)
    assert judge(end, DUE, terms) == Lateness(DUE)
    assert judge(end + SECOND, DUE, terms).days_late >= 1
    assert judge(end + timedelta(microseconds=1), DUE, terms).refused is (terms.late.policy == "refuse")


@given(moments, all_terms, st.sampled_from([SEOUL, BERLIN, UTC, ZoneInfo("America/St_Johns")]))
def test_the_zone_that_a_time_is_written_in_does_not_matter(moment: datetime, terms: Terms, zone: ZoneInfo) -> None:
    elsewhere = judge(moment.astimezone(zone), DUE.astimezone(zone), terms)
    assert elsewhere == judge(moment, DUE, terms)
    assert elsewhere.percent in range(101)


@pytest.mark.parametrize(
    ("score", "percent", "off"),
    [(85, 10, 8.5), (85, 0, 0), (33.37, 100, 33.37), (0, 30, 0), (12.5, 10, 1.2), (12.51, 10, 1.3), (70.3, 30, 21.1)],
)
def test_what_is_taken_off(score: float, percent: int, off: float) -> None:
    assert taken_off(score, percent) == off


@given(st.floats(0, 1000).map(lambda score: round(score, 2)), st.integers(0, 100))
def test_never_more_than_the_score_is_taken_off(score: float, percent: int) -> None:
    off = taken_off(score, percent)
    assert 0 <= off <= score
    assert abs(off - score * percent / 100) <= 0.0501


def test_the_milder_verdict() -> None:
    ten, thirty, refused = Lateness(DUE, 1, 10), Lateness(DUE, 9, 30), Lateness(DUE, 1, 0, refused=True)
    assert milder(ten, thirty) == milder(thirty, ten) == ten
    assert milder(refused, thirty) == thirty
    assert milder(Lateness(), ten) == Lateness()


def test_what_is_not_taken_names_the_due_time_and_what_to_do() -> None:
    refuse = Terms(late=LatePolicy(policy="refuse"), attempts=2)
    must_take(judge(DUE, DUE, refuse), refuse, 1)
    with pytest.raises(NotTaken, match="2026-07-09 23:59") as late:
        must_take(judge(DUE + DAY, DUE, refuse), refuse, 0)
    assert "7월 9일 23:59" in late.value.text.ko
    with pytest.raises(NotTaken, match="2 of 2 used") as used:
        must_take(judge(DUE, DUE, refuse), refuse, 2)
    assert "2번까지 제출할 수 있는데 모두 사용" in used.value.text.ko
    must_take(judge(DUE + 9 * DAY, DUE, PERCENT), PERCENT, 1000)


def test_each_verdict_and_each_term_has_its_words() -> None:
    refuse = Terms(grace_minutes=0, late=LatePolicy(policy="refuse"), attempts=1)
    said = [judge(DUE + over, DUE, PERCENT).text.en for over in (timedelta(0), DAY, 2 * DAY)]
    assert said == ["in time", "1 day late, 10% taken off", "2 days late, 20% taken off"]
    assert judge(DUE + DAY, DUE, refuse).text.ko == "1일 늦음, 제출할 수 없음"
    assert judge(DUE + DAY, DUE, Terms(late=LatePolicy(policy="none"))).text.ko == "1일 늦음, 감점 없음"
    assert [text.en for text in explained(PERCENT)] == [
        "Each day late takes off 10% of the points, at most 30%.",
        "Up to 10 minutes after the due time is still in time.",
    ]
    assert [text.en for text in explained(refuse)] == [
        "Nothing is taken after the due time.",
        "One submission is taken.",
    ]
    assert explained(Terms(attempts=3), is_due=False)[0].ko == "3번까지 제출할 수 있습니다."
    assert "감점하지 않습니다" in explained(Terms(late=LatePolicy(at_most_days=0)))[0].ko


def test_a_lab_says_its_terms() -> None:
    due = Due.model_validate({"days_after_release": 5, "grace_minutes": 0, "late": {"policy": "refuse"}, "attempts": 3})
    assert due.terms == Terms(grace_minutes=0, late=LatePolicy(policy="refuse"), attempts=3)
    assert Due().terms == PERCENT
