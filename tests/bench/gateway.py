"""`make bench-gateway`: what the gateway adds to a call, beside its peers on this machine, into var/bench/gateway.json.

The rule: one run, and the peers take turns in short rounds, so that the machine's noise hits all alike. Peers: the fake
provider itself, a pass-through of 30 lines, this gateway as a process with its ledger on disk, and LiteLLM's proxy.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from load import Times, request, run
from peers import LEARNERS, Peer, all_peers, fake_upstream, gateway, litellm_version
from upstream import ANSWER_TOKENS, COUNTED

OUT = Path("var/bench/gateway.json")
#: LiteLLM takes many times longer: a part of the calls says as much.
LITELLM_SHARE = 4
MONEY_CALLS = 512


@dataclass(frozen=True)
class Case:
    """A kind of load: how many calls each peer gets, in how many rounds."""

    stream: bool
    at_once: int
    calls: int
    rounds: int

    @property
    def name(self) -> str:
        """Its name in the results."""
        return f"{'stream' if self.stream else 'whole'}_c{self.at_once}"


#: 10,000 calls through the gateway.
CASES = (
    Case(False, 1, 2400, 24),
    Case(True, 1, 1600, 16),
    Case(False, 16, 2000, 5),
    Case(True, 16, 1000, 4),
    Case(False, 64, 2000, 5),
    Case(True, 64, 1000, 4),
)


async def measure(peers: list[Peer], case: Case) -> dict[str, dict[str, Any]]:
    """Let the peers take turns, each round beginning with another one."""
    found = {peer.name: Times() for peer in peers}
    rounds: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(case.rounds):
        for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
            calls = case.calls // case.rounds // (LITELLM_SHARE if peer.name == "litellm" else 1)
            asked = [request(peer.url, peer.tokens[i % len(peer.tokens)], stream=case.stream) for i in range(case.at_once)]  # fmt: skip
            times = await run(peer.url, asked, calls)
            rounds[peer.name].append(statistics.median(times.whole))
            found[peer.name] += times
    return {name: summary(times) | {"p50_ms_of_rounds": [_ms(r) for r in rounds[name]]} for name, times in found.items()}  # fmt: skip


def summary(times: Times) -> dict[str, Any]:
    """Give what is told of a peer in a case."""
    told: dict[str, Any] = {
        "calls": len(times.whole),
        "failed": times.statuses.total() - times.statuses["200"],
        "p50_ms": _ms(statistics.median(times.whole)),
        "p95_ms": _ms(_p95(times.whole)),
        "requests_per_second": round(len(times.whole) / times.took, 1),
    }
    if times.first:
        told |= {
            "first_event_p50_ms": _ms(statistics.median(times.first)),
            "first_event_p95_ms": _ms(_p95(times.first)),
        }
    return told


async def overspend(upstream: str, folder: Path) -> dict[str, int]:
    """Race many calls of one learner, whole and streamed, on a budget for half of them; the provider counts."""
    budget = MONEY_CALLS // 2 * ANSWER_TOKENS
    limits = {"budgets": {"learner": {"krw": budget}}, "calls_per_learner": LEARNERS, "waiting_per_learner": LEARNERS}
    with gateway(upstream, folder / "money", **limits) as peer:
        asked = [request(peer.url, peer.tokens[0], stream=bool(i % 2), model=COUNTED) for i in range(LEARNERS)]
        before = _given(upstream)
        times = await run(peer.url, asked, MONEY_CALLS)
        # Output costs one won a token, and input nothing.
        calls = (_given(upstream) - before) // (ANSWER_TOKENS + 40)
        told = httpx.get(peer.url.removesuffix("/v1") + "/budget", headers={"Authorization": f"Bearer {peer.tokens[0]}"}).json()  # fmt: skip
    return {
        "budget_krw": budget, "calls": times.statuses.total() + LEARNERS, "answered": calls, "refused": times.statuses["429"],
        "spent_krw_by_the_provider": calls * ANSWER_TOKENS, "spent_krw_by_the_gateway": told["spent_krw"],
        "overspend_won": max(0, calls * ANSWER_TOKENS - budget),
    }  # fmt: skip


def headline(cases: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Give the numbers that are compared from one version to the next."""
    alone, streamed, busy = cases["whole_c1"], cases["stream_c1"], cases["whole_c16"]
    direct, minimal, ours = (alone[name]["p50_ms"] for name in ("direct", "minimal", "gateway"))
    return {
        "added_p50_ms_c1": round(ours - direct, 3),
        "p50_vs_minimal_c1": round((ours - direct) / (minimal - direct), 2),
        "p50_ratio_to_minimal_c1": round(ours / minimal, 2),
        "rps_vs_litellm_c16": round(busy["gateway"]["requests_per_second"] / busy["litellm"]["requests_per_second"], 1)
        if "litellm" in busy
        else None,
        "first_byte_added_ms": round(streamed["gateway"]["first_event_p50_ms"] - streamed["direct"]["first_event_p50_ms"], 3),
    }  # fmt: skip


def main() -> None:
    """Measure everything once and write it down."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    cases: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=OUT.parent) as name, fake_upstream() as upstream:
        folder = Path(name)
        with all_peers(upstream, folder) as peers:
            rss = {f"{peer.name}_at_start": peer.rss_mb() for peer in peers[1:]}
            for case in CASES:
                cases[case.name] = asyncio.run(measure(peers, case))
                print(case.name, json.dumps({n: {k: v for k, v in t.items() if k != "p50_ms_of_rounds"} for n, t in cases[case.name].items()}), flush=True)  # fmt: skip
            rss |= {peer.name: peer.rss_mb() for peer in peers[1:]}
        money = asyncio.run(overspend(upstream, folder))
    result = headline(cases) | {"rss_mb": rss["gateway"], "overspend_won": money["overspend_won"]}
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "load": round(os.getloadavg()[1], 1)}
    result |= {"calls_through_the_gateway": sum(case["gateway"]["calls"] for case in cases.values())}
    result |= {"money": money, "rss_mb_of": rss, "cases": cases, "litellm": litellm_version(), "machine": machine}
    OUT.write_text(json.dumps(result, indent=1))
    print(json.dumps({name: value for name, value in result.items() if name != "cases"}, indent=1))


def _given(upstream: str) -> int:
    return int(httpx.get(f"{upstream}/counted").json().get(COUNTED, 0))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
