"""How often pages without a login are asked for. The rule: one address is counted by the minute, and nothing is kept longer."""

from __future__ import annotations

import time

from hub_config.portal.shared import Shared

MOST_A_MINUTE = 60
TABLE = "CREATE TABLE IF NOT EXISTS asked (address TEXT PRIMARY KEY, minute INTEGER NOT NULL, count INTEGER NOT NULL)"


class AddressLimiter:
    """Counts the requests of each network address in this minute."""

    def __init__(self, shared: Shared, most: int = MOST_A_MINUTE) -> None:
        self._shared, self._most = shared, most
        with shared.writing() as do:
            do(TABLE)

    def allows(self, address: str) -> bool:
        """Count a request, and say whether it is one too many."""
        minute = int(time.monotonic() // 60)  # the machine's own, the same for each process
        with self._shared.writing() as do:
            do("DELETE FROM asked WHERE minute <> ?", minute)
            counted = do(
                "INSERT INTO asked VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
                address, minute,
            )  # fmt: skip
            return bool(counted[0][0] <= self._most)
