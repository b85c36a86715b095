"""Which servers are about to be put away, and who wants to keep theirs. The rule: what is not known keeps a server running."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from grader.attendance import TrainingDay
from grader.idle import Patience, Standing, Warned, stands


class IdleServers:
    """The warnings that stand, and who wants to keep a server; after a restart of the portal everybody is warned anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._warned: dict[str, tuple[Warned, datetime]] = {}
        self._kept: dict[str, datetime] = {}

    def judge(
        self, login: str, since: datetime, now: datetime, days: Sequence[TrainingDay], patience: Patience
    ) -> Standing:
        """Say how a person's server stands, and note its warning."""
        with self._lock:
            since = min(since, now)
            since = max(since, self._kept.get(login, since))
            before, _ends_at = self._warned.pop(login, (None, now))
            standing = stands(now, since, days, patience, before)
            if standing.warned and not standing.is_over:
                self._warned[login] = standing.warned, standing.next_at
            return standing

    def ends_at(self, login: str, now: datetime) -> datetime | None:
        """When a person's server is put away, where they have been warned of it."""
        with self._lock:
            _warned, ends_at = self._warned.get(login, (None, now))
        return ends_at if ends_at > now else None

    def keep(self, login: str, now: datetime) -> None:
        """Count a person's server as used now."""
        with self._lock:
            self._kept[login] = now
            self._warned.pop(login, None)
