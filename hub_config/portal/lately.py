"""Remembers what was seen within the last minute. The rule: it forgets by itself and never grows."""

from __future__ import annotations

from datetime import datetime, timedelta

WINDOW = timedelta(minutes=1)
MOST = 10_000


class Lately:
    """Says of a thing whether it is new within the minute: a page that refreshes itself is one look a minute."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], datetime] = {}

    def is_new(self, thing: tuple[str, ...], now: datetime) -> bool:
        """Whether this was not seen within the last minute; it is then."""
        if len(self._seen) > MOST:
            self._seen.clear()
        last = self._seen.get(thing)
        if last is not None and timedelta() <= now - last < WINDOW:
            return False
        self._seen[thing] = now
        return True
