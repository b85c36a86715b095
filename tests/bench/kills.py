"""`make bench-kills`: the Hub and the template killed fifty times each while ten servers work; writes var/bench/kills.json.

Fails where a request to a running server failed, a server is lost, or the Hub is not back within ten seconds at p95.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from running import free_base_port, start  # noqa: E402
from server_kills import kills, ten_servers  # noqa: E402

KILLS, P95_SECONDS = 50, 10.0


async def measure(folder: Path, count: int) -> dict[str, object]:
    """The kills, on a Practicum of their own."""
    site = start(folder / "var", free_base_port())
    try:
        async with ten_servers(site) as servers:
            started, found = await servers.started(), {}
            for name in ("hub", "template"):
                away = await kills(servers, name, count)
                found[name] = {"kills": count, "away_median_seconds": statistics.median(away),
                               "away_p95_seconds": statistics.quantiles(away, n=20)[-1], "away_slowest_seconds": max(away)}  # fmt: skip
                print(name, json.dumps(found[name]), len(servers.failures), "failures", flush=True)
            kept = await servers.all_adopted() and await servers.started() == started
            return {**found, "requests": servers.asked, "failures": servers.failures, "servers_kept": kept,
                    "slowest_request_seconds": servers.slowest_seconds}  # fmt: skip
    finally:
        site.stop()


def main() -> None:
    """Measure; the first argument is another number of kills."""
    with tempfile.TemporaryDirectory(prefix="bench-kills-") as folder:
        found = asyncio.run(measure(Path(folder), int(sys.argv[1]) if sys.argv[1:] else KILLS))
    out = ROOT / "var" / "bench" / "kills.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1), "utf-8")
    print(json.dumps(found, indent=1))
    slow = found["hub"]["away_p95_seconds"] > P95_SECONDS  # type: ignore[index]
    sys.exit(bool(found["failures"]) or slow or not found["servers_kept"])


if __name__ == "__main__":
    main()
