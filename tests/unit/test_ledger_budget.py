"""Budgets hold: all limits of a call or none, in won and tokens, in all and by day, whatever races or lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from ledger_support import ANN, NO_LIMITS, Clock, limits, open_ledger, opening

from hub_config.ai_gateway.config import Limit
from hub_config.ai_gateway.ledger import Amount, Ledger, LedgerError, Line, Place, Refusal, Settlement, Usage

TEN = limits(learner=Limit(krw=10))
BOB = Place("bob", "video", "rough-cut")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(tmp_path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    opened = await open_ledger(tmp_path / "gateway" / "ledger.sqlite", now=clock)
    yield opened
    await opened.close()


async def spend(ledger: Ledger, krw: int = 1, tokens: int = 0, place: Place = ANN) -> None:
    call = opening(krw, tokens, place)
    assert await ledger.reserve(call, NO_LIMITS) is None
    assert ledger.settle(call.receipt, Settlement("ok", cost_krw=None)) == krw


async def test_reserving_holds_where_checking_first_overspends(ledger: Ledger) -> None:
    async def check_then_spend(spent: list[int]) -> None:
        if 10 - sum(spent) >= 1:
            await asyncio.sleep(0)  # the call
            spent.append(1)

    async def reserve_then_spend() -> bool:
        call = opening()
        if await ledger.reserve(call, TEN):
            return False
        await asyncio.sleep(0)
        ledger.settle(call.receipt, Settlement("ok", cost_krw=1))
        return True

    naive: list[int] = []
    await asyncio.gather(*(check_then_spend(naive) for _ in range(30)))
    let_through = await asyncio.gather(*(reserve_then_spend() for _ in range(30)))
    assert sum(naive) == 30
    assert sum(let_through) == 10
    assert ledger.spent(ANN)[0].krw == 10


async def test_a_call_is_booked_to_all_its_accounts_or_to_none(ledger: Ledger) -> None:
    tight = limits(learner=Limit(krw=100), course=Limit(krw=100), institution=Limit(tokens=5))
    assert await ledger.reserve(opening(3, 10), tight) == Refusal("institution", "tokens", "all", 5, 10, None)
    assert ledger.spent(ANN) == (Amount(), Amount())
    assert ledger.left(ANN, tight) == (100, 5)


@pytest.mark.parametrize(
    ("account", "also_counts", "does_not"),
    [
        ("learner", Place("ann", "video", "-"), BOB),
        ("learner", Place("ann", "video", "titles"), Place("ann", "books", "rough-cut")),
        ("lab", ANN, Place("ann", "video", "titles")),
        ("course", BOB, Place("bob", "books", "-")),
    ],
)
async def test_whose_calls_an_account_counts(ledger: Ledger, account: str, also_counts: Place, does_not: Place) -> None:
    holds = limits(**{account: Limit(krw=10)})
    await spend(ledger, 7)
    refused = await ledger.reserve(opening(4, place=also_counts), holds)
    assert refused == Refusal(account, "krw", "all", 3, 4, None)  # type: ignore[arg-type]
    assert await ledger.reserve(opening(4, place=does_not), holds) is None


async def test_the_institution_counts_everybody(ledger: Ledger) -> None:
    await spend(ledger, 7)
    refused = await ledger.reserve(opening(4, place=Place("cho", "books", "-")), limits(institution=Limit(krw=10)))
    assert refused is not None
    assert refused.account == "institution"


async def test_a_labs_limit_holds_in_a_lab_only(ledger: Ledger) -> None:
    no_lab = Place("ann", "video", "-")
    assert await ledger.reserve(opening(9, place=no_lab), limits(lab=Limit(krw=1))) is None
    assert ledger.lines(no_lab, limits(lab=Limit(krw=1))) == []


async def test_a_days_budget_is_there_again_at_the_institutions_midnight(ledger: Ledger, clock: Clock) -> None:
    daily = limits(learner=Limit(krw=100, krw_per_day=10))
    clock.at = datetime(2026, 11, 23, 14, 59, tzinfo=UTC)  # 23:59 in Seoul
    await spend(ledger, 10)
    midnight = datetime(2026, 11, 23, 15, tzinfo=UTC)
    assert await ledger.reserve(opening(1), daily) == Refusal("learner", "krw", "day", 0, 1, midnight)
    assert ledger.lines(ANN, daily) == [
        Line("learner", "krw", "all", 100, 10, 0, 90, None),
        Line("learner", "krw", "day", 10, 10, 0, 0, midnight),
    ]
    clock.at = midnight
    assert await ledger.reserve(opening(10), daily) is None
    assert ledger.left(ANN, daily) == (0, None)


async def test_a_clock_that_is_set_back_does_not_give_a_day_twice(ledger: Ledger, clock: Clock) -> None:
    daily = limits(learner=Limit(krw_per_day=10))
    await spend(ledger, 10)
    clock.forward(days=-1)
    assert await ledger.reserve(opening(1), daily) is not None


async def test_a_cost_goes_to_the_day_of_its_reservation(ledger: Ledger, clock: Clock) -> None:
    daily = limits(learner=Limit(krw=100, krw_per_day=10))
    call = opening(10)
    assert await ledger.reserve(call, daily) is None
    clock.forward(days=1)
    assert await ledger.reserve(opening(4), daily) is None
    assert ledger.settle(call.receipt, Settlement("ok", cost_krw=10)) == 10
    assert [(line.period, line.left) for line in ledger.lines(ANN, daily)] == [("all", 86), ("day", 6)]
    (day, _) = await ledger.spend("day"), await ledger.flush()
    assert [(row["day"], row["cost_krw"]) for row in day] == [("2026-11-23", 10)]


async def test_a_limit_that_never_renews_is_told_before_the_days(ledger: Ledger) -> None:
    both = limits(learner=Limit(krw=10, krw_per_day=5))
    await spend(ledger, 10)
    refused = await ledger.reserve(opening(1), both)
    assert refused is not None
    assert refused.renews_at is None


async def test_what_a_call_does_not_need_does_not_stop_it(ledger: Ledger) -> None:
    await spend(ledger, 10)
    assert await ledger.reserve(opening(krw=0, tokens=5), limits(learner=Limit(krw=5, tokens=5))) is None


@pytest.mark.parametrize(
    ("end", "krw", "tokens"),
    [
        (Settlement("ok", cost_krw=4, usage=Usage(10, 20)), 4, 30),
        (Settlement("ok", cost_krw=400, usage=Usage(1000, 2000)), 5, 50),
        (Settlement("ok", cost_krw=-4, usage=Usage(-10, -20)), 0, 0),
        (Settlement("ok", cost_krw=10**30, usage=Usage(10**30, 0)), 5, 50),
        (Settlement("broken", cost_krw=None), 5, 50),
        (Settlement("broken", cost_krw=None, usage=Usage(1, 1)), 5, 50),
        (Settlement("ok", cost_krw=4), 4, 50),
        (Settlement("upstream_failed"), 0, 0),
        (Settlement("ok", cost_krw=0, usage=Usage(10, 20)), 0, 30),
    ],
)
async def test_what_a_call_costs(ledger: Ledger, end: Settlement, krw: int, tokens: int) -> None:
    call = opening(5, 50)
    await ledger.reserve(call, NO_LIMITS)
    assert ledger.settle(call.receipt, end) == krw
    assert ledger.spent(ANN) == (Amount(krw, tokens), Amount())
    row = await ledger.receipt(call.receipt)
    assert row is not None
    assert (row["cost_krw"], row["cost_tokens"], row["reserved_krw"], row["reserved_tokens"]) == (krw, tokens, 5, 50)


async def test_settling_twice_counts_once(ledger: Ledger) -> None:
    call = opening(5)
    await ledger.reserve(call, TEN)
    assert [ledger.settle(call.receipt, Settlement("ok", cost_krw=cost)) for cost in (3, 5)] == [3, 3]
    await ledger.flush()
    assert ledger.settle(call.receipt, Settlement("ok", cost_krw=5)) == 3
    assert ledger.settle("rcpt_unknown", Settlement("ok", cost_krw=5)) == 0
    assert ledger.left(ANN, TEN) == (7, None)


async def test_a_reservation_is_never_negative_nor_made_twice(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="negative"):
        await ledger.reserve(opening(-1), TEN)
    call = opening()
    await ledger.reserve(call, TEN)
    with pytest.raises(ValueError, match="there already"):
        await ledger.reserve(call, TEN)


async def test_a_learner_who_leaves_while_the_lease_is_raised_has_booked_nothing(ledger: Ledger) -> None:
    call = asyncio.create_task(ledger.reserve(opening(5), TEN))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ledger.left(ANN, TEN) == (10, None)
    assert await ledger.reserve(opening(10), TEN) is None


async def test_refused_calls_leave_receipts_but_not_without_end(ledger: Ledger, clock: Clock) -> None:
    for _ in range(100):
        ledger.refused(opening(5, 50), "budget_exceeded")
    ledger.refused(opening(5, 50, BOB), "model_not_allowed")
    clock.forward(minutes=1)
    ledger.refused(opening(5, 50), "budget_exceeded")
    (video,) = await ledger.spend("course")
    assert (video["calls"], video["refused"], video["cost_krw"]) == (0, 32, 0)
    assert ledger.spent(ANN) == (Amount(), Amount())


async def test_a_switch_holds_for_a_lab_or_for_the_whole_course_and_over_a_restart(
    tmp_path: Path, clock: Clock
) -> None:
    path = tmp_path / "switches" / "ledger.sqlite"
    first = await open_ledger(path, now=clock)
    assert first.switch("video", "-") is None
    await first.set_switch("video", "-", True, "ines")
    await first.set_switch("books", "proposal", True, "ines")
    await first.set_switch("video", "titles", False, "ines")
    await first.close()
    second = await open_ledger(path, now=clock)
    assert second.is_off("video", "rough-cut")
    assert second.is_off("video", "titles")
    assert second.is_off("books", "proposal")
    assert not second.is_off("books", "-")
    assert second.switch("video", "-") == {"off": True, "by": "ines", "at": "2026-11-23T03:00:00.000+00:00"}
    await second.set_switch("video", "-", False, "ines")
    assert not second.is_off("video", "rough-cut")
    await second.close()
    with pytest.raises(LedgerError, match="closed"):
        await second.reserve(opening(), NO_LIMITS)


async def test_all_is_there_again_after_a_clean_end(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "again" / "ledger.sqlite"
    all_limits = limits(
        learner=Limit(krw=100, krw_per_day=50), lab=Limit(krw=30), course=Limit(tokens=1000), institution=Limit(krw=99)
    )
    first = await open_ledger(path, now=clock)
    await spend(first, 10, 100)
    await spend(first, 3, 30, BOB)
    clock.forward(days=1)
    await spend(first, 7, 70)
    before = first.lines(ANN, all_limits), first.spent(ANN)
    await first.close()
    second = await open_ledger(path, now=clock)
    assert (second.lines(ANN, all_limits), second.spent(ANN)) == before
    assert date(2026, 11, 24) == clock().date()
    await second.close()
