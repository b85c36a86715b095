"""Remembers what was seen within the last minute. The rule: it forgets by itself and never grows."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from hub_config.portal.shared import Shared

WINDOW = timedelta(minutes=1)
TABLE = "CREATE TABLE IF NOT EXISTS seen (thing TEXT PRIMARY KEY, at REAL NOT NULL)"
INDEX = "CREATE INDEX IF NOT EXISTS seen_at ON seen (at)"


class Lately:
    """Says of a thing whether it is new within the minute: a page that refreshes itself is one look a minute."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        with shared.writing() as do:
            do(TABLE)
            do(INDEX)

    def is_new(self, thing: tuple[str, ...], now: datetime) -> bool:
        """Whether this was not seen within the last minute; it is then."""
        with self._shared.writing() as do:
            # What lies ahead is of a clock that was set back.
            do("DELETE FROM seen WHERE at <= ? OR at > ?", (now - WINDOW).timestamp(), now.timestamp())
            added = do("INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1", json.dumps(thing), now.timestamp())  # fmt: skip
            return bool(added)
