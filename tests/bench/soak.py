"""`make bench-soak`: servers start, work and are put away for half an hour; writes var/bench/soak.json.

Fails where a process is left over, or where the Hub, the proxy or the template takes much more memory at the end than after the first third.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from class_hub import ClassHub, class_hub, pss_kb  # noqa: E402

from hub_config.supervisor import descendants  # noqa: E402

MINUTES, PEOPLE, SAMPLE_SECONDS, GROWTH, SETTLE_SECONDS = 30.0, 6, 5.0, 1.1, 30.0


async def person(hub: ClassHub, name: str, until: float) -> int:
    """Start a server, run a cell in it and put it away, again and again; how often."""
    rounds = 0
    while time.monotonic() < until:
        await hub.start(name)
        await hub.first_cell(name)
        await hub.stop(name)
        rounds += 1
    return rounds


def held_mb(hub: ClassHub) -> dict[str, float]:
    """What the parts that stay hold; of the template what it has for itself alone counts too."""
    assert hub.template
    proxies = set(descendants(hub.process.pid)) - set(hub.servers())
    parts = {"hub": [hub.process.pid], "proxy": list(proxies), "template": [hub.template.pid]}
    return {name: sum(map(pss_kb, pids)) / 1000 for name, pids in parts.items()}


async def samples(hub: ClassHub, until: float) -> list[dict[str, float]]:
    """What they hold, every few seconds."""
    found = []
    while time.monotonic() < until:
        await asyncio.sleep(SAMPLE_SECONDS)
        found.append(held_mb(hub))
    return found


async def soak(minutes: float) -> dict[str, object]:
    """The whole of it."""
    async with class_hub("quick") as hub:
        await hub.start("person-0")
        await hub.stop("person-0")
        await asyncio.sleep(SETTLE_SECONDS)
        alone, until = held_mb(hub), time.monotonic() + minutes * 60
        people = [person(hub, f"person-{number}", until) for number in range(PEOPLE)]
        seen, *rounds = await asyncio.gather(samples(hub, until), *people)
        await asyncio.sleep(SETTLE_SECONDS)
        third = max(1, len(seen) // 3)
        return {
            "minutes": minutes, "servers_started": sum(rounds), "left_over": len(hub.servers()),
            "before_mb": alone, "after_mb": held_mb(hub),
            "first_third_mb": _medians(seen[:third]), "last_third_mb": _medians(seen[-third:]),
        }  # fmt: skip


def _medians(seen: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in seen), 1) for name in seen[0]}


def main() -> None:
    """Soak; the first argument is another number of minutes."""
    found = asyncio.run(soak(float(sys.argv[1]) if sys.argv[1:] else MINUTES))
    out = ROOT / "var" / "bench" / "soak.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1), "utf-8")
    print(json.dumps(found, indent=1))
    first, last = found["first_third_mb"], found["last_third_mb"]
    grown = [name for name in first if last[name] > first[name] * GROWTH]  # type: ignore[attr-defined,index]
    sys.exit(bool(found["left_over"] or grown))


if __name__ == "__main__":
    main()
