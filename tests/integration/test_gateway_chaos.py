"""Money under chaos: clients that leave, providers that misbehave or lie, a gateway that is killed; PRACTICUM_ROUNDS makes it longer."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from itertools import cycle, islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from counting_upstream import BROKEN, LIES, NOT_TAKEN, ROUNDS, CountingUpstream
from gateway_class import (
    Client,
    Heard,
    Running,
    around,
    call_of,
    client,
    gateway_process,
    in_process,
    settings_for,
    spent,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_config.ai_gateway.gateway import Gateway
from hub_config.ai_gateway.ledger import Place
from hub_config.ai_gateway.policy import rules

SEED = 20261123


def tokens(receipt: dict[str, Any]) -> int:
    return (receipt["prompt_tokens"] or 0) + (receipt["completion_tokens"] or 0)


async def leave_at_random(call: Any, heard: Heard, chance: random.Random) -> None:
    """Make a call, and in three of ten cases leave it at any moment: after some time, or after some tokens."""
    task = asyncio.ensure_future(call)
    if chance.random() < 0.3:
        if chance.random() < 0.4:
            await asyncio.wait([task], timeout=chance.choice((0, 0.05, 0.3, 1, 2)) * chance.random())
        else:
            enough = chance.randint(1, 20)
            while not task.done() and heard.tokens < enough:
                await asyncio.sleep(0.002)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("leaves", ["finish", "stop"])
async def test_a_class_that_leaves_its_streams_pays_what_was_worked_and_never_more_than_it_has(
    tmp_path: Path, leaves: str
) -> None:
    chance, streams = random.Random(SEED), min(20, 7 * ROUNDS)
    budget = 130 * streams  # a call reserves more, so not all of them fit
    learners = [f"learner{number}" for number in range(min(30, 10 * ROUNDS))]
    usage = {"running_usage": "llama.cpp"} if leaves == "stop" else {}
    options: dict[str, Any] = {
        "upstream": {"when_client_leaves": leaves, "concurrent_calls": 30, **usage},
        "budgets": {"learner": {"krw": budget}, "course": {"krw": budget * len(learners) * 4 // 5}},
        "pace_seconds": 0.004,
    }
    async with around(tmp_path, **options) as (upstream, config), gateway_process(tmp_path, config) as gateway:
        over: list[str] = []
        upstream.watch = lambda: over.extend(name for name, used in upstream.counted().items() if used > budget)
        async with client(gateway.url) as asking:
            before = gateway.memory_kb()
            calls = [asking.heard(name) for name in learners for _ in range(streams)]
            chance.shuffle(calls)
            asks = [
                asking.ask(
                    heard, prompt=chance.randint(1, 20), tokens=chance.randint(1, 40), stream=True, max_tokens=30
                )
                for heard in calls
            ]
            await asyncio.gather(*(leave_at_random(ask, heard, chance) for ask, heard in zip(asks, calls, strict=True)))
            await asking.quiet(upstream, learners)
            receipts = await asking.receipts()
            budgets = [await asking.get("/video/rough-cut/budget", f"{name}.nbgrader-video") for name in learners]
            report(leaves, gateway, before, receipts, calls)
    assert over == []
    assert all(row["spent_krw"] <= budget and row["reserved_krw"] == 0 for row in budgets)
    assert spent(receipts) == +Counter({name: row["spent_krw"] for name, row in zip(learners, budgets, strict=True)})
    assert spent(receipts).total() <= budget * len(learners) * 4 // 5
    assert {"ok", "client_left", "budget_exceeded"} <= {row["outcome"] for row in receipts}
    worked, heard_by = upstream.by_call(), {heard.call: heard for heard in calls}
    if leaves == "finish":
        assert spent(receipts) == upstream.counted()
        assert sum(map(tokens, receipts)) == upstream.counted().total()
    for receipt in receipts:
        call = call_of(receipt)
        if call not in worked:
            assert receipt["cost_krw"] in (0, receipt["reserved_krw"])
        elif receipt["prompt_tokens"] is None:  # it left before the provider said anything of its usage
            assert receipt["cost_krw"] == receipt["reserved_krw"] >= worked[call].total
        else:
            assert heard_by[call].tokens <= receipt["completion_tokens"] <= worked[call].tokens
            assert receipt["cost_krw"] == tokens(receipt)


async def test_huge_answers_leave_no_memory_behind(tmp_path: Path) -> None:
    """A broken answer of megabytes that waits for the garbage collector would soon be a gigabyte."""
    async with around(tmp_path, retries={"failures": 10_000}, calls_per_learner=20) as (upstream, config):
        upstream.mode = "huge"
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            memory = []
            for calls in (40, 160 * ROUNDS):
                gate = asyncio.Semaphore(10)

                async def one(stream: bool, gate: asyncio.Semaphore) -> Heard:
                    async with gate:
                        return await asking.ask(asking.heard("ann"), stream=stream)

                heard = await asyncio.gather(*(one(number % 2 == 0, gate) for number in range(calls)))
                assert {each.code for each in heard} == {"upstream_broken"}
                memory.append(gateway.memory_kb())
            print(f"\nhuge answers: memory {memory[0]} -> {memory[1]} kB, at most {gateway.memory_kb('VmHWM')} kB")
            assert memory[1] < memory[0] + 50_000


def report(name: str, gateway: Running, before_kb: int, receipts: list[dict[str, Any]], calls: list[Heard]) -> None:
    """Say what was measured, where somebody runs this with -s."""
    outcomes = Counter(row["outcome"] for row in receipts)
    print(f"\n{name}: {len(calls)} calls; receipts {dict(outcomes)}; refused without one {len(calls) - len(receipts)}")
    print(f"memory {before_kb} -> {gateway.memory_kb()} kB, at most {gateway.memory_kb('VmHWM')} kB")


#: What a caller is told, or an answer.
CLEAR = {"upstream_busy", "upstream_failed", "upstream_broken", "upstream_timeout"}
MODES = ("ok", "drip", *NOT_TAKEN, *BROKEN, *LIES)


@pytest.mark.alone
async def test_whatever_the_provider_does_each_call_ends_in_time_and_is_paid_at_most_once(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"connect_seconds": 0.5, "silence_seconds": 0.4}
    options: dict[str, Any] = {
        "upstream": limits, "call_seconds": 3, "retries": {"failures": 10_000}, "calls_per_learner": 20,
    }  # fmt: skip
    async with (
        around(tmp_path, **options) as (upstream, config),
        gateway_process(tmp_path, config) as gateway,
        client(gateway.url) as asking,
    ):
        warm = [await asking.ask(asking.heard("warm"), stream=True) for _ in range(20)]
        assert all(each.whole for each in warm)
        before = gateway.memory_kb()
        kinds = list(islice(cycle(product(MODES, (False, True))), 120 * ROUNDS))
        random.Random(SEED).shuffle(kinds)
        gate, heard, took = asyncio.Semaphore(20), {}, []

        async def one(mode: str, stream: bool) -> None:
            async with gate:
                began = time.monotonic()
                each = await asking.ask(asking.heard(f"ann{len(heard) % 5}"), mode, stream=stream)
                heard[each.call] = (mode, each)
                took.append(time.monotonic() - began)

        await asyncio.gather(*(one(mode, stream) for mode, stream in kinds))
        await asking.quiet(upstream, [f"ann{number}" for number in range(5)])
        after, receipts = gateway.memory_kb(), await asking.receipts()
        report("misbehaving provider", gateway, before, receipts, [*warm, *(each for _, each in heard.values())])
        print(f"slowest call {max(took):.2f} s")
    worked, paid = upstream.by_call(), {call_of(row): row for row in receipts}
    assert len(paid) == len(receipts)
    assert max(took) < 3 + 2
    assert max(upstream.asked.values()) <= 2
    assert all(upstream.asked[call] == 1 for call in worked)  # whom it worked for once, it was not asked again
    for call, (mode, each) in heard.items():
        assert each.whole != (each.code in CLEAR), (mode, each)
        assert (mode in NOT_TAKEN or mode in BROKEN) == (each.code is not None), (mode, each)
        cost, reserved = paid[call]["cost_krw"], paid[call]["reserved_krw"]
        assert cost <= reserved
        if mode in ("429", "500"):
            assert cost == 0
        elif call in worked:
            assert cost >= worked[call].total, mode
        if mode in ("ok", "drip"):
            assert cost == worked[call].total
    assert after < before + 40_000
    assert "canary" not in gateway.log.read_text()


class World:
    """A gateway in this process with a provider that misbehaves, and what was asked of it."""

    def __init__(self, upstream: CountingUpstream, gateway: Gateway, asking: Client) -> None:
        self.upstream, self.gateway, self.asking = upstream, gateway, asking
        self.over: list[str] = []
        upstream.watch = self.look

    def look(self) -> None:
        """Note every account that stands over its limit or below zero at this moment."""
        for learner, where in product(NAMES, ("rough-cut", "-")):
            place = Place(learner, "video", where)
            limits = rules(self.gateway.config, "video", where).limits
            for line in self.gateway.ledger.lines(place, limits):
                if min(line.spent, line.reserved) < 0 or line.spent + line.reserved > line.limit:
                    self.over.append(str(line))


NAMES = ("ann", "bob", "cho")
Step = tuple[str, str, bool, int, int, float | None]


async def play(folder: Path, steps: list[Step], limits: dict[str, Any], leaves: str) -> None:
    """Let clients do the steps all at once, and hold the receipts against the accounts and the provider's own count."""
    upstream = CountingUpstream(pace_seconds=0.001)
    options = {
        "upstream": {"when_client_leaves": leaves, "silence_seconds": 0.3, "concurrent_calls": 3},
        "budgets": {"learner": limits["learner"], "course": limits["course"], "institution": limits["institution"]},
        "labs": {"rough-cut": {"learner": limits["lab"]}},
        "retries": {"failures": 1000},
    }
    async with upstream.serve() as provider:
        config = settings_for(folder, provider, "http://127.0.0.1:9", **options)
        async with in_process(config) as (gateway, url), client(url) as asking:
            world = World(upstream, gateway, asking)
            calls = [asking.heard(step[1]) for step in steps]
            await asyncio.gather(*(_do(asking, heard, step) for heard, step in zip(calls, steps, strict=True)))
            await asking.quiet(upstream, list(NAMES))
            receipts = await asking.receipts()
            world.look()
            accounts = {name: gateway.ledger.spent(Place(name, "video", "-")) for name in NAMES}
    assert world.over == []
    assert {name: spent(receipts)[name] for name in NAMES} == {name: of.krw for name, (of, _) in accounts.items()}
    assert not any(reserved.krw or reserved.tokens for _, reserved in accounts.values())
    assert all(of.krw == of.tokens for of, _ in accounts.values())  # a token costs one won
    _hold_against(upstream, receipts, {heard.call: step for heard, step in zip(calls, steps, strict=True)}, leaves)


async def _do(asking: Client, heard: Heard, step: Step) -> None:
    mode, _, stream, asked, answered, leaves_after = step
    task = asyncio.ensure_future(asking.ask(heard, mode, asked, answered, stream=stream))
    if leaves_after is not None:
        await asyncio.wait([task], timeout=leaves_after)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _hold_against(
    upstream: CountingUpstream, receipts: list[dict[str, Any]], steps: dict[str, Step], leaves: str
) -> None:
    paid = {call_of(row): row for row in receipts}
    assert len(paid) == len(receipts)
    for call, work in upstream.by_call().items():
        row, (mode, _, _, _, _, leaves_after) = paid[call], steps[call]
        assert work.total <= row["cost_krw"] <= row["reserved_krw"]
        if mode == "ok" and (leaves_after is None or leaves == "finish"):
            assert row["cost_krw"] == tokens(row) == work.total


limit = st.fixed_dictionaries(
    {}, optional={name: st.integers(150, 1500) for name in ("krw", "tokens", "krw_per_day", "tokens_per_day")}
)
step = st.tuples(
    st.one_of(st.just("ok"), st.sampled_from(MODES)),
    st.sampled_from(NAMES),
    st.booleans(),
    st.integers(1, 30),
    st.integers(1, 40),
    st.one_of(st.none(), st.floats(0, 0.15)),
)


@settings(
    max_examples=25 * ROUNDS, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(
    st.lists(step, min_size=4, max_size=16),
    st.fixed_dictionaries(dict.fromkeys(("learner", "lab", "course", "institution"), limit)),
    st.sampled_from(["finish", "stop"]),
)
def test_no_interleaving_passes_a_limit_or_loses_a_token(
    steps: list[Step], limits: dict[str, Any], leaves: str
) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps, limits, leaves))


async def test_a_gateway_killed_again_and_again_loses_no_call_and_no_money(tmp_path: Path) -> None:
    chance, budget = random.Random(SEED), 6000 * ROUNDS
    learners = ["ann", "bob", "cho", "dan"]
    options: dict[str, Any] = {
        "budgets": {"learner": {"krw": budget, "tokens_per_day": budget}},
        "pace_seconds": 0.002, "lease_krw": 300, "commit_seconds": 0.1,
    }  # fmt: skip
    calls: list[Heard] = []
    async with around(tmp_path, **options) as (upstream, config):
        for end in [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL] * ROUNDS:
            async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
                asking.number = len(calls)
                asked = [asking.heard(name) for name in learners * 6]
                calls += asked
                running = [
                    asyncio.create_task(_late(asking, heard, chance.random() * 0.6, chance.random() < 0.5))
                    for heard in asked
                ]
                await asyncio.sleep(0.2 + 0.4 * chance.random())
                gateway.process.send_signal(end)
                await asyncio.wait_for(gateway.process.wait(), 10)
                await asyncio.gather(*running)
        async with gateway_process(tmp_path, config) as gateway, client(gateway.url) as asking:
            receipts = await asking.receipts()
            budgets = [await asking.get("/video/-/budget", f"{name}.nbgrader-video") for name in learners]
            report("killed", gateway, gateway.memory_kb(), receipts, calls)
    paid = {call_of(row): row for row in receipts}
    assert len(paid) == len(receipts)
    assert {"ok", "gateway_died"} <= {row["outcome"] for row in receipts}
    assert spent(receipts) == +Counter({name: row["spent_krw"] for name, row in zip(learners, budgets, strict=True)})
    assert all(row["spent_krw"] <= budget and row["reserved_krw"] == 0 for row in budgets)
    worked = upstream.by_call()
    for call, work in worked.items():
        assert work.total <= paid[call]["cost_krw"] <= paid[call]["reserved_krw"]
    for heard in calls:
        if heard.whole:  # what somebody was told is there, to the token
            assert paid[heard.call]["cost_krw"] == tokens(paid[heard.call]) == worked[heard.call].total


async def _late(asking: Client, heard: Heard, seconds: float, stream: bool) -> None:
    await asyncio.sleep(seconds)
    await asking.ask(heard, tokens=20, stream=stream)
