"""Who listens to a page's events. The rule: a bounded number, also of each person, and nobody once the portal is to stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 64
#: A browser opens six connections to a host; a person's tabs must not take them all.
MOST_EACH = 4


class Listeners:
    """Seats of the event loop: taken and given back there only, so no lock is needed."""

    def __init__(self) -> None:
        self._seats: Counter[str] = Counter()
        self.closing = False

    @property
    def count(self) -> int:
        return self._seats.total()

    def has_room(self, who: str) -> bool:
        """Whether somebody may listen now."""
        return not self.closing and self.count < MOST and self._seats[who] < MOST_EACH

    @contextmanager
    def seat(self, who: str) -> Iterator[bool]:
        """A seat for as long as somebody listens; false where there is none."""
        if not self.has_room(who):
            yield False
            return
        self._seats[who] += 1
        try:
            yield True
        finally:
            self._seats[who] -= 1

    def close(self) -> None:
        """Let every stream come to its end."""
        self.closing = True
