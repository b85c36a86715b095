"""The gateway or its machine dies at any moment: no receipt is lost that was acknowledged, nothing spent is forgotten."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_support import (
    ANN,
    NO_LIMITS,
    SEOUL,
    Clock,
    as_after_power_loss,
    as_killed,
    leaf_sums,
    limits,
    open_ledger,
    opening,
    receipt_sums,
    rows,
    spool_files,
)

from hub_config.ai_gateway.config import Limit
from hub_config.ai_gateway.ledger import Amount, Place, Settlement, Usage, verify
from hub_config.ai_gateway.ledger import spool as spool_module
from hub_config.ai_gateway.ledger.store import Store

LIMITS = limits(
    learner=Limit(krw=120, tokens=900, krw_per_day=70),
    lab=Limit(krw=80),
    course=Limit(krw=200, tokens_per_day=1500),
    institution=Limit(krw_per_day=230),
)
PLACES = [
    Place(learner, course, lab)
    for learner in ("ann", "bob")
    for course in ("video", "books")
    for lab in ("-", "x", "y")
]
LEASE, SLOW = Amount(20, 200), 3600.0
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 11), st.integers(0, 40), st.integers(0, 300)),
        st.tuples(st.just("settle"), st.integers(0, 99), st.none() | st.integers(-5, 60), st.integers(-10, 400)),
        st.tuples(st.just("refused"), st.integers(0, 11)),
        st.tuples(st.sampled_from(["commit", "kill", "restart", "tomorrow"])),
        st.tuples(st.just("power"), st.floats(0, 1)),
    ),
    max_size=40,
)


@dataclass
class Truth:
    """What was really acknowledged, counted apart from the ledger."""

    open: dict[str, tuple[Place, str, Amount]] = field(default_factory=dict)
    closed: dict[str, tuple[Place, str, Amount]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def sum_of(self, place: Place, day: str) -> Amount:
        total = Amount()
        for where, when, cost in [*self.closed.values(), *self.open.values()]:
            total += cost if (where, when) == (place, day) else Amount()
        return total


class House:
    """A ledger that is driven by steps and dies in between."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.generation = folder, 0
        self.path = folder / "0" / "ledger.sqlite"
        self.clock, self.truth, self.may_be_over = Clock(), Truth(), False

    async def start(self) -> None:
        self.ledger = await open_ledger(self.path, now=self.clock, commit_seconds=SLOW, lease=LEASE)

    async def reserve(self, place: int, krw: int, tokens: int) -> None:
        call = opening(krw, tokens, PLACES[place])
        if await self.ledger.reserve(call, LIMITS) is None:
            self.truth.open[call.receipt] = (call.place, self.day(), call.reserve)

    async def settle(self, which: int, cost: int | None, tokens: int) -> None:
        if not self.truth.open:
            return
        receipt = list(self.truth.open)[which % len(self.truth.open)]
        place, day, reserved = self.truth.open.pop(receipt)
        use = Usage(prompt_tokens=tokens, completion_tokens=0)
        won = self.ledger.settle(receipt, Settlement("ok", cost, use, answer="an answer"))
        spent = Amount(won, reserved.tokens if cost is None else max(0, min(tokens, reserved.tokens)))
        self.truth.closed[receipt] = (place, day, spent)

    async def refused(self, place: int) -> None:
        call = opening(3, 3, PLACES[place])
        self.ledger.refused(call, "model_not_allowed")
        self.truth.refused.add(call.receipt)

    async def commit(self) -> None:
        await self.ledger.flush()

    async def tomorrow(self) -> None:
        self.clock.forward(days=1)

    async def restart(self) -> None:
        await self.ledger.close()
        assert spool_files(self.path) == []
        assert (
            rows(self.path, "SELECT * FROM leaves WHERE leased_krw <> spent_krw OR leased_tokens <> spent_tokens") == []
        )
        self.close_open()
        await self.start()

    async def kill(self) -> None:
        await self._die(as_killed(self.path, self._next()))
        self.close_open()

    async def power(self, kept: float) -> None:
        before = self.ledger
        copy = as_after_power_loss(self.path, self._next(), kept)
        leased = {
            row[:4]: row[4:]
            for row in rows(copy, "SELECT learner, course, lab, day, leased_krw, leased_tokens FROM leaves")
        }
        await self._die(copy)
        assert before is not self.ledger
        after = leaf_sums(self.path)
        for leaf in {
            (*self.name(place), day) for place, day, _ in [*self.truth.closed.values(), *self.truth.open.values()]
        }:
            counted = Amount(*after.get(leaf, (0, 0)))
            assert counted.covers(self.truth.sum_of(Place(*leaf[:3]), leaf[3])), "what was spent is forgotten"
            assert Amount(*leased[leaf]).covers(counted) if leaf in leased else True
        self.read_truth()

    async def _die(self, copy: Path) -> None:
        old, self.path = self.ledger, copy
        await self.start()
        await old.close()  # the dead one's own files, which nobody reads again

    def _next(self) -> Path:
        self.generation += 1
        return self.folder / str(self.generation)

    def close_open(self) -> None:
        self.truth.closed |= self.truth.open
        self.truth.open = {}

    def read_truth(self) -> None:
        """After a power cut the receipts that were not committed yet may be gone; what counts is in their place."""
        found = rows(
            self.path, "SELECT id, learner, course, lab, day, cost_krw, cost_tokens FROM receipts WHERE NOT refused"
        )
        self.truth = Truth(closed={row[0]: (Place(*row[1:4]), row[4], Amount(*row[5:])) for row in found})
        self.may_be_over = True

    def day(self) -> str:
        return self.clock().astimezone(SEOUL).date().isoformat()

    @staticmethod
    def name(place: Place) -> tuple[str, str, str]:
        return place.learner, place.course, place.lab

    def check(self) -> None:
        for place in PLACES:
            for line in self.ledger.lines(place, LIMITS):
                assert line.spent >= 0
                assert line.reserved >= 0
                assert self.may_be_over or line.spent + line.reserved <= line.limit
                assert line.left == max(0, line.limit - line.spent - line.reserved)

    async def check_disk(self) -> None:
        await self.ledger.flush()
        assert receipt_sums(self.path) == leaf_sums(self.path)
        found = rows(self.path, "SELECT id, cost_krw, cost_tokens FROM receipts WHERE NOT refused")
        assert {row[0]: Amount(*row[1:]) for row in found} == {id: each[2] for id, each in self.truth.closed.items()}
        kept = {row[0] for row in rows(self.path, "SELECT id FROM receipts WHERE refused")}
        assert kept <= self.truth.refused or self.may_be_over
        assert kept >= self.truth.refused
        assert verify(self.path, [await self.ledger.head()]) is None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_whatever_happens_in_whatever_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    async def run() -> None:
        house = House(tmp_path_factory.mktemp("house"))
        await house.start()
        try:
            for name, *values in steps:
                await getattr(house, name)(*values)
                house.check()
            await house.check_disk()
        finally:
            await house.ledger.close()

    asyncio.run(run())


async def test_a_machine_that_dies_loses_receipts_and_no_money(tmp_path: Path) -> None:
    """Without leases, the same power cut would give the budget a second time."""
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW, lease=Amount(30, 0))
    for _ in range(3):
        call = opening(10, 0)
        assert await ledger.reserve(call, limits(learner=Limit(krw=100))) is None
        ledger.settle(call.receipt, Settlement("ok", cost_krw=10))
    copy = as_after_power_loss(path, tmp_path / "b", 0)
    assert rows(copy, "SELECT count(*) FROM receipts") == [(0,)]  # all that plain grouped commits would know
    after = await open_ledger(copy)
    assert after.spent(ANN)[0] == Amount(50, 0)  # the first call's most, the largest call, and the lease
    (row,) = await after.spend("lab")
    assert (row["cost_krw"], row["calls"]) == (50, 0)
    assert rows(copy, "SELECT endpoint, outcome FROM receipts") == [("-", "machine_died")]
    await after.close()
    await ledger.close()


async def test_a_reservation_of_a_dead_gateway_is_settled_in_full_once(tmp_path: Path) -> None:
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW)
    call, done = opening(7, 70), opening(5, 50)
    await ledger.reserve(call, NO_LIMITS)
    await ledger.reserve(done, NO_LIMITS)
    ledger.settle(done.receipt, Settlement("ok", 2, Usage(3, 4), answer="well", answer_type="text/plain"))
    copy = as_killed(path, tmp_path / "b")
    for _ in range(2):
        after = await open_ledger(copy)
        assert after.spent(ANN) == (Amount(9, 77), Amount())
        assert after.settle(call.receipt, Settlement("ok", cost_krw=0)) == 0
        died, well = await after.receipt(call.receipt), await after.receipt(done.receipt)
        assert died is not None
        assert well is not None
        assert (died["outcome"], died["cost_krw"], died["prompt"]) == ("gateway_died", 7, "[]")
        assert (well["outcome"], well["cost_krw"], well["answer"]) == ("ok", 2, "well")
        await after.close()
    await ledger.close()


@pytest.mark.parametrize("torn", [b'{"id": "rcpt_', b"\x00" * 4096, b"[1]\n", b'{"id":"x"}', b"{}\n"])
async def test_a_torn_last_line_is_no_hindrance(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW)
    await ledger.reserve(opening(7), NO_LIMITS)
    copy = as_killed(path, tmp_path / "b")
    with spool_files(copy)[-1].open("ab") as file:
        file.write(torn)
    after = await open_ledger(copy)
    assert after.spent(ANN)[0].krw == 7
    await after.close()
    await ledger.close()


class Killed(BaseException):
    """In the place of a kill."""


@pytest.mark.parametrize("step", ["read", "write", "written", "deleted one", "deleted", "header"])
async def test_a_kill_while_it_recovers_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 10)
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW)
    running, later = opening(7), opening(4)
    await ledger.reserve(running, NO_LIMITS)
    for call in (opening(5), later):
        await ledger.reserve(call, NO_LIMITS)
        ledger.settle(call.receipt, Settlement("ok", cost_krw=3))
        if call is not later:
            await ledger.flush()
    copy = as_killed(path, tmp_path / "b")
    assert len(spool_files(copy)) == 2

    with monkeypatch.context() as patch:
        _kill_at(patch, step)
        with pytest.raises(Killed):
            await open_ledger(copy)
    after = await open_ledger(copy)
    assert after.spent(ANN)[0].krw == 13
    assert {row[1]: row[0] for row in rows(copy, "SELECT cost_krw, id FROM receipts")} | {running.receipt: 7} == {
        row[1]: row[0] for row in rows(copy, "SELECT cost_krw, id FROM receipts")
    }
    assert receipt_sums(copy) == leaf_sums(copy)
    await after.close()
    await ledger.close()


def _kill_at(patch: pytest.MonkeyPatch, step: str) -> None:
    def killed(*_: Any) -> Any:
        raise Killed

    def after(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            real(*values, **named)
            raise Killed

        return call

    targets: dict[str, tuple[Any, str, Any]] = {
        "read": (spool_module, "read", after(spool_module.read)),
        "write": (Store, "head", killed),
        "written": (Store, "write", after(Store.write)),
        "deleted one": (Path, "unlink", after(Path.unlink)),
        "deleted": (spool_module, "delete", after(spool_module.delete)),
        "header": (spool_module, "_write_at", killed),
    }
    target, name, value = targets[step]
    patch.setattr(target, name, value)


@pytest.mark.parametrize("step", ["ftruncate", "open", "_write_at", "unlink"])
async def test_a_kill_while_the_spool_starts_anew_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The disk is copied at the very step, before and after it."""
    monkeypatch.setattr(spool_module, "SEGMENT_BYTES", 10)
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW)
    copies: list[Path] = []

    def copying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **named: Any) -> Any:
            copies.append(as_killed(path, tmp_path / f"copy{len(copies)}"))
            result = real(*values, **named)
            copies.append(as_killed(path, tmp_path / f"copy{len(copies)}"))
            return result

        return call

    running, done = opening(7), opening(5)
    await ledger.reserve(running, NO_LIMITS)
    await ledger.reserve(done, NO_LIMITS)
    ledger.settle(done.receipt, Settlement("ok", cost_krw=3))
    target: Any = {"ftruncate": os, "open": os, "_write_at": spool_module, "unlink": Path}[step]
    with monkeypatch.context() as patch:
        patch.setattr(target, step, copying(getattr(target, step)))
        await ledger.flush()  # a new file, the old one stays
        ledger.settle(running.receipt, Settlement("ok", cost_krw=4))
        await ledger.flush()  # all is in the database: the files are cut and deleted
    assert copies
    for copy in copies:
        with monkeypatch.context() as patch:
            patch.undo()
            after = await open_ledger(copy)
        settled = rows(path, "SELECT id, cost_krw FROM receipts")
        found = dict(rows(copy, "SELECT id, cost_krw FROM receipts"))
        assert found in (dict(settled), dict(settled) | {running.receipt: 7})
        assert after.spent(ANN)[0].krw == sum(found.values())
        await after.close()
    await ledger.close()


async def test_a_spool_that_is_gone_counts_like_a_machine_that_died(tmp_path: Path) -> None:
    path = tmp_path / "a" / "ledger.sqlite"
    ledger = await open_ledger(path, commit_seconds=SLOW)
    await ledger.reserve(opening(5), NO_LIMITS)
    copy = as_killed(path, tmp_path / "b")
    for file in spool_files(copy):
        file.unlink()
    after = await open_ledger(copy)
    assert after.spent(ANN)[0].krw >= 5
    assert rows(copy, "SELECT outcome FROM receipts") == [("machine_died",)]
    await after.close()
    await ledger.close()
