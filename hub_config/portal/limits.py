"""How often pages without a login are asked for. The rule: one address is counted by the minute, and nothing is kept longer."""

from __future__ import annotations

import threading
import time
from collections import Counter

MOST_A_MINUTE = 60


class AddressLimiter:
    """Counts the requests of each network address in this minute."""

    def __init__(self, most: int = MOST_A_MINUTE) -> None:
        self._most = most
        self._minute = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def allows(self, address: str) -> bool:
        """Count a request, and say whether it is one too many."""
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._counts.clear()
            self._counts[address] += 1
            return self._counts[address] <= self._most
