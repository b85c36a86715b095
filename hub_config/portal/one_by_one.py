"""Pages of a process are made one after the other. The rule: who came first is first, and nobody waits long for a page that takes long.

Python runs one thread of a process at a time. Ten pages that are begun together are all ready only when the tenth is; one after the
other the first is ready after a tenth of that time, and the last no later.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

#: For so long a page is waited for; what takes longer, such as a report of all course runs, goes on beside the next ones.
MOST_SECONDS = 0.1


class OneByOne:
    """Lets threads through one by one."""

    def __init__(self, most_seconds: float = MOST_SECONDS) -> None:
        self._most = most_seconds
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        #: Who was let through last, and when; None where that one is done.
        self._last: tuple[object, float] | None = None
        self._here = threading.local()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and hold it; who has it already goes on."""
        if getattr(self._here, "has_it", False):
            yield
            return
        me = object()
        with self._changed:
            self._waiting.append(me)
            try:
                while self._waiting[0] is not me or self._left() > 0:
                    self._changed.wait(self._left() if self._waiting[0] is me else None)
                self._last = me, time.monotonic()
            finally:
                # Who gives up leaves the line too: nobody would come past them.
                self._waiting.remove(me)
                self._changed.notify_all()
        self._here.has_it = True
        try:
            yield
        finally:
            self._here.has_it = False
            with self._changed:
                if self._last is not None and self._last[0] is me:
                    self._last = None
                    self._changed.notify_all()

    def _left(self) -> float:
        """How much longer the last one is waited for."""
        return self._last[1] + self._most - time.monotonic() if self._last else 0.0
