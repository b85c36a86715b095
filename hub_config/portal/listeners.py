"""Who listens to a page's events. The rule: a bounded number, also of each person, and nobody once the portal is to stop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hub_config.portal.shared import Shared

MOST = 64
#: A browser opens six connections to a host; a person's tabs must not take them all.
MOST_EACH = 4
TABLE = "CREATE TABLE IF NOT EXISTS seats (seat INTEGER PRIMARY KEY, who TEXT NOT NULL, process INTEGER NOT NULL)"
COUNTS = "SELECT count(*), coalesce(sum(who = ?), 0) FROM seats"


class Listeners:
    """Seats, taken and given back; those that a process before this one held are free."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.closing = False
        with shared.writing() as do:
            do(TABLE)
            do("DELETE FROM seats WHERE process = ?", shared.process)

    @property
    def count(self) -> int:
        return int(self._shared.read(COUNTS, "")[0][0])

    def has_room(self, who: str) -> bool:
        """Whether somebody may listen now."""
        return not self.closing and _free(*self._shared.read(COUNTS, who)[0])

    @contextmanager
    def seat(self, who: str) -> Iterator[bool]:
        """A seat for as long as somebody listens; false where there is none."""
        seat = None if self.closing else self._take(who)
        try:
            yield seat is not None
        finally:
            if seat is not None:
                with self._shared.writing() as do:
                    do("DELETE FROM seats WHERE seat = ?", seat)

    def close(self) -> None:
        """Let every stream come to its end."""
        self.closing = True

    def _take(self, who: str) -> int | None:
        with self._shared.writing() as do:
            if not _free(*do(COUNTS, who)[0]):
                return None
            taken = do("INSERT INTO seats (who, process) VALUES (?, ?) RETURNING seat", who, self._shared.process)
            return int(taken[0][0])


def _free(all_taken: int, own: int) -> bool:
    return all_taken < MOST and own < MOST_EACH
