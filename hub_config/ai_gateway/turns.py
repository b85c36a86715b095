"""Whose turn it is: a line in front of each upstream.

The rule: a freed place goes to the waiting learner with the fewest running calls, and among equals to the one who came first.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hub_config.ai_gateway import errors

TELL_SECONDS = 2.0
#: How much the newest call weighs in the time that a call is expected to take.
NEWEST = 0.2

#: Told a waiting call's position, from 1, every now and then.
Tell = Callable[[int], Awaitable[None]]


@dataclass(eq=False)
class _Waiting:
    learner: str
    upstream: str
    places: int
    turn: asyncio.Future[None]
    began: float = field(default_factory=time.monotonic)


class Turns:
    """Counts running calls and lets waiting ones in."""

    def __init__(self, calls_per_learner: int, waiting_per_learner: int) -> None:
        self.calls_per_learner = calls_per_learner
        self.waiting_per_learner = waiting_per_learner
        self._of_learner: Counter[str] = Counter()
        self._of_upstream: Counter[str] = Counter()
        self._line: list[_Waiting] = []
        self._call_seconds: dict[str, float] = {}

    @asynccontextmanager
    async def turn(self, learner: str, upstream: str, places: int, tell: Tell) -> AsyncIterator[None]:
        """Wait for a place at the upstream and hold it; GatewayError 429 where the learner's line is full."""
        if sum(waiting.learner == learner for waiting in self._line) >= self.waiting_per_learner:
            position = self.waiting(upstream) + 1
            raise errors.too_many_waiting(position, self.seconds_until(upstream, position, places))
        waiting = _Waiting(learner, upstream, places, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        self._let_in()
        try:
            while not waiting.turn.done():
                await asyncio.wait([waiting.turn], timeout=TELL_SECONDS)
                if not waiting.turn.done():
                    await tell(self._position(waiting))
            waiting.began = time.monotonic()
            yield
        finally:
            self._leave(waiting)

    def running(self, upstream: str) -> int:
        """Give how many calls an upstream has."""
        return self._of_upstream[upstream]

    def waiting(self, upstream: str) -> int:
        """Give how many calls wait for an upstream."""
        return sum(waiting.upstream == upstream for waiting in self._line)

    def first_of(self, learner: str, upstream: str) -> int | None:
        """Give the position of a learner's first waiting call, from 1, or None."""
        mine = [w for w in self._line if w.learner == learner and w.upstream == upstream]
        return self._position(mine[0]) if mine else None

    def seconds_until(self, upstream: str, position: int, places: int) -> float:
        """Expect how long a position in the line waits, from how long calls took lately."""
        return position / places * self._call_seconds.get(upstream, 1.0)

    def _position(self, waiting: _Waiting) -> int:
        """Count who would be let in before: with fewer running calls, or with as many and earlier."""
        mine, before = self._of_learner[waiting.learner], 0
        for number, other in enumerate(self._line):
            if other.upstream == waiting.upstream and other is not waiting:
                theirs = self._of_learner[other.learner]
                before += theirs < mine or (theirs == mine and number < self._line.index(waiting))
        return before + 1

    def _let_in(self) -> None:
        while ready := [w for w in self._line if self._has_place(w)]:
            first = min(ready, key=lambda w: self._of_learner[w.learner])  # min keeps the earliest among equals
            self._line.remove(first)
            self._of_learner[first.learner] += 1
            self._of_upstream[first.upstream] += 1
            first.turn.set_result(None)

    def _has_place(self, waiting: _Waiting) -> bool:
        mine = self._of_learner[waiting.learner] < self.calls_per_learner
        return mine and self._of_upstream[waiting.upstream] < waiting.places and not waiting.turn.cancelled()

    def _leave(self, waiting: _Waiting) -> None:
        if waiting in self._line:
            self._line.remove(waiting)
        else:
            took = time.monotonic() - waiting.began
            before = self._call_seconds.get(waiting.upstream, took)
            self._call_seconds[waiting.upstream] = before + NEWEST * (took - before)
            self._of_learner[waiting.learner] -= 1
            self._of_upstream[waiting.upstream] -= 1
            self._of_learner += Counter()  # drops the zeros, so that names do not pile up
        self._let_in()
