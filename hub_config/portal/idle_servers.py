"""Which servers are about to be put away, and who wants to keep theirs. The rule: what is not known keeps a server running."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from grader.attendance import TrainingDay
from grader.idle import Patience, Standing, Warned, stands
from hub_config.portal.shared import Shared

#: Moments as ISO texts in UTC, or nothing.
TABLE = (
    "CREATE TABLE IF NOT EXISTS idle (login TEXT PRIMARY KEY, since TEXT, warned_at TEXT, ends_at TEXT, kept_at TEXT)"
)


class IdleServers:
    """The warnings that stand, and who wants to keep a server; after a restart of Practicum everybody is warned anew."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        with shared.writing() as do:
            do(TABLE)

    def judge(
        self, login: str, since: datetime, now: datetime, days: Sequence[TrainingDay], patience: Patience
    ) -> Standing:
        """Say how a person's server stands, and note its warning."""
        with self._shared.writing() as do:
            found = do("SELECT since, warned_at, kept_at FROM idle WHERE login = ?", login)
            known_since, warned_at, kept_at = map(_moment, found[0]) if found else (None, None, None)
            since = min(since, now)
            since = max(since, kept_at or since)
            before = Warned(known_since, warned_at) if known_since and warned_at else None
            standing = stands(now, since, days, patience, before)
            told = standing.warned if not standing.is_over else None
            row = (told.since, told.at, standing.next_at, kept_at) if told else (None, None, None, kept_at)
            do("REPLACE INTO idle VALUES (?, ?, ?, ?, ?)", login, *map(_text, row))
            return standing

    def ends_at(self, login: str, now: datetime) -> datetime | None:
        """When a person's server is put away, where they have been warned of it."""
        found = self._shared.read("SELECT ends_at FROM idle WHERE login = ?", login)
        ends_at = _moment(found[0][0]) if found else None
        return ends_at if ends_at and ends_at > now else None

    def keep(self, login: str, now: datetime) -> None:
        """Count a person's server as used now."""
        with self._shared.writing() as do:
            do("REPLACE INTO idle VALUES (?, NULL, NULL, NULL, ?)", login, now.isoformat())


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
