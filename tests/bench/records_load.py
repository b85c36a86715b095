"""`make bench-checkin`: what learners wait when they check in at once, on both databases, into var/bench/check_in.json.

The rule: the real portal in a process of its own, a real PostgreSQL with its syncs to the disk, and forty days of records before.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from check_in_load import measure
from postgres import running

OUT = Path("var/bench/check_in.json")
P95_MS, PAST_DAYS = 300, 40
CASES = [("sqlite", 30, 5), ("postgresql", 30, 5), ("postgresql", 500, 60), ("sqlite", 500, 60)]


def main() -> None:
    """Measure each case; the exit code is 1 where somebody was lost or waited too long."""
    found, good = [], True
    with tempfile.TemporaryDirectory() as folder, running(safe=True) as server:
        for database, learners, seconds in CASES:
            url = server.migrated() if database == "postgresql" else f"sqlite:///{folder}/{learners}.db"
            told = measure(url, learners, seconds, PAST_DAYS, settle_seconds=10).told()
            held = told["failed"] == 0 and told["recorded"] == learners and told["chain_holds"]
            good = good and bool(held) and told["check_p95_ms"] < P95_MS
            found.append({"database": database, "seconds": seconds, **told, "load_average": os.getloadavg()[0]})
            print(json.dumps(found[-1]))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"cores": os.cpu_count(), "python": platform.python_version(), "cases": found}, indent=1))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
