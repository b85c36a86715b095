"""How quickly a class starts, and what of memory it takes: JupyterHub's own spawner, bubblewrap and quick, side by side.

Through a real Hub and proxy. A server is there when it answers through the proxy; its first cell is a video lab's imports. A class
comes within ten seconds, and is ready when each of thirty has run the first cell. Writes var/bench/spawn.json: the numbers of
quick, and below their names those of the others.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from spawn_hub import hub  # noqa: E402

SPAWNERS = ("stock", "bubblewrap", "quick")
STARTS, CLASS, WITHIN_SECONDS = 7, 30, 10


async def measure(spawner: str) -> dict[str, float]:
    """One kind of spawner, from the first start to a class of thirty."""
    async with hub(spawner) as running:
        await running.start("warm-up")
        await running.stop("warm-up")
        empty = running.pss_mb()
        starts, cells = [], []
        for number in range(STARTS):
            starts.append(await running.start(f"one-{number}"))
            if number == 0:
                one = running.pss_mb()
            if number == 5:
                six = running.pss_mb()
        for number in range(STARTS):
            cells.append(await running.first_cell(f"one-{number}"))
            await running.stop(f"one-{number}")
        came, luck = time.monotonic(), random.Random(9)

        async def come(user: str) -> tuple[float, float]:
            await asyncio.sleep(luck.uniform(0, WITHIN_SECONDS))
            took = await running.start(user)
            return took, took + await running.first_cell(user)

        class_took = await asyncio.gather(*(come(f"class-{number}") for number in range(CLASS)))
        all_ready = time.monotonic() - came
        thirty = running.pss_mb()
        await asyncio.gather(*(running.stop(f"class-{number}") for number in range(CLASS)))
        return {
            "start_median_seconds": statistics.median(starts), "start_slowest_seconds": max(starts), "pss_mb": (six - one) / 5,
            "template_pss_mb": empty, "six_servers_pss_mb": six, "first_cell_seconds": statistics.median(cells),
            "thirty_ready_seconds": all_ready, "of_thirty_start_median_seconds": statistics.median(took for took, _ in class_took),
            "of_thirty_first_cell_median_seconds": statistics.median(took for _, took in class_took),
            "of_thirty_first_cell_slowest_seconds": max(took for _, took in class_took), "thirty_with_kernels_pss_mb": thirty,
        }  # fmt: skip


def main() -> None:
    """Measure what is asked for, else all; what was measured before of others stays."""
    out = ROOT / "var" / "bench" / "spawn.json"
    found: dict[str, Any] = json.loads(out.read_text("utf-8")) if out.is_file() and sys.argv[1:] else {}
    for spawner in sys.argv[1:] or SPAWNERS:
        found[spawner] = {name: round(value, 3) for name, value in asyncio.run(measure(spawner)).items()}
        found[spawner]["load_at_the_end"] = round(os.getloadavg()[0], 1)
        print(spawner, json.dumps(found[spawner], indent=1), flush=True)
        found |= found.get("quick", {})
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
