"""What the Hub said of tokens, told by each process of the portal to the others. The rule: a token is only named, never written."""

from __future__ import annotations

import json
import time

from grader.roles import Answer, Caller
from hub_config.portal.shared import Shared

TABLE = "CREATE TABLE IF NOT EXISTS told (name TEXT PRIMARY KEY, until REAL NOT NULL, caller TEXT NOT NULL)"


class Told:
    """The Hub's answers; one that is too old goes when the next comes."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        with shared.writing() as do:
            do(TABLE)

    def get(self, name: str) -> Answer | None:
        """What some process was told last."""
        for until, caller in self._shared.read("SELECT until, caller FROM told WHERE name = ?", name):
            known = json.loads(caller)
            return until, Caller(known[0], known[1], frozenset(known[2])) if known else None
        return None

    def put(self, name: str, answer: Answer) -> None:
        """Tell the others."""
        until, caller = answer
        known = [caller.name, caller.kind, sorted(caller.groups)] if caller else None
        with self._shared.writing() as do:
            do("DELETE FROM told WHERE until <= ?", time.monotonic())
            do("REPLACE INTO told VALUES (?, ?, ?)", name, until, json.dumps(known))
