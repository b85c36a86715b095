"""Whose turn it is: a line in front of each upstream.

The rule: a freed place goes to the waiting learner with the fewest running calls, and among equals to the one who came first.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hub_config.ai_gateway import errors


@dataclass(eq=False)
class _Waiting:
    learner: str
    upstream: str
    places: int
    turn: asyncio.Future[None]


class Turns:
    """Counts running calls and lets waiting ones in."""

    def __init__(self, calls_per_learner: int, waiting_per_learner: int) -> None:
        self._calls_per_learner = calls_per_learner
        self._waiting_per_learner = waiting_per_learner
        self._of_learner: Counter[str] = Counter()
        self._of_upstream: Counter[str] = Counter()
        self._line: list[_Waiting] = []

    @asynccontextmanager
    async def turn(self, learner: str, upstream: str, places: int) -> AsyncIterator[None]:
        """Wait for a place at the upstream and hold it; GatewayError 429 where the learner's line is full."""
        if sum(waiting.learner == learner for waiting in self._line) >= self._waiting_per_learner:
            raise errors.too_many_waiting()
        waiting = _Waiting(learner, upstream, places, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        self._let_in()
        try:
            await waiting.turn
            yield
        finally:
            self._leave(waiting)

    def _let_in(self) -> None:
        while ready := [w for w in self._line if self._has_place(w)]:
            first = min(ready, key=lambda w: self._of_learner[w.learner])  # min keeps the earliest among equals
            self._line.remove(first)
            self._of_learner[first.learner] += 1
            self._of_upstream[first.upstream] += 1
            first.turn.set_result(None)

    def _has_place(self, waiting: _Waiting) -> bool:
        mine = self._of_learner[waiting.learner] < self._calls_per_learner
        return mine and self._of_upstream[waiting.upstream] < waiting.places and not waiting.turn.cancelled()

    def _leave(self, waiting: _Waiting) -> None:
        if waiting in self._line:
            self._line.remove(waiting)
        else:
            self._of_learner[waiting.learner] -= 1
            self._of_upstream[waiting.upstream] -= 1
            self._of_learner += Counter()  # drops the zeros, so that names do not pile up
        self._let_in()
