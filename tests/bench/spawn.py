"""How quickly a class starts, and what of memory it takes: JupyterHub's own spawner, bubblewrap and quick, side by side.

Through a real Hub and proxy. A server is there when it answers through the proxy; its first cell is a video lab's imports.
Writes var/bench/spawn.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from class_hub import class_hub  # noqa: E402

SPAWNERS = ("quick", "bubblewrap", "stock")
STARTS, CLASS = 7, 30


async def measure(spawner: str) -> dict[str, float]:
    """One kind of spawner, from the first start to a class of thirty."""
    async with class_hub(spawner) as running:
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
        begun = time.monotonic()
        await asyncio.gather(*(running.start(f"class-{number}") for number in range(CLASS)))
        ready = time.monotonic() - begun
        await asyncio.gather(*(running.first_cell(f"class-{number}") for number in range(CLASS)))
        all_cells = time.monotonic() - begun
        thirty = running.pss_mb()
        await asyncio.gather(*(running.stop(f"class-{number}") for number in range(CLASS)))
        return {
            "start_median_seconds": statistics.median(starts), "start_slowest_seconds": max(starts), "pss_mb": (six - one) / 5,
            "template_pss_mb": empty, "six_servers_pss_mb": six, "first_cell_seconds": statistics.median(cells),
            "thirty_ready_seconds": ready, "thirty_first_cell_seconds": all_cells, "thirty_with_kernels_pss_mb": thirty,
        }  # fmt: skip


def main() -> None:
    """Measure what is asked for, else all; what was measured before of others stays."""
    out = ROOT / "var" / "bench" / "spawn.json"
    found: dict[str, Any] = json.loads(out.read_text("utf-8")) if out.is_file() and sys.argv[1:] else {}
    for spawner in sys.argv[1:] or SPAWNERS:
        found[spawner] = {name: round(value, 3) for name, value in asyncio.run(measure(spawner)).items()}
        found[spawner]["load_at_the_end"] = round(os.getloadavg()[0], 1)
        print(spawner, json.dumps(found[spawner], indent=1), flush=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
