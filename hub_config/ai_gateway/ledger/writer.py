"""Commits in groups. The rule: whoever asks for a commit gets one that begins after they asked; a commit that fails is
made again with all that it held, and while it fails no money is given out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import date

from hub_config.ai_gateway.ledger.leases import IDLE_SECONDS, Leases, Written
from hub_config.ai_gateway.ledger.rows import Row
from hub_config.ai_gateway.ledger.spool import Spool
from hub_config.ai_gateway.ledger.terms import LedgerError

log = logging.getLogger(__name__)
Write = Callable[[Sequence[Row], Sequence[Written]], Awaitable[None]]


class Writer:
    """What is not committed yet, and the task that commits it."""

    def __init__(
        self, write: Write, spool: Spool, leases: Leases, today: Callable[[], date], commit_seconds: float
    ) -> None:
        self._write, self._spool, self._leases, self._today = write, spool, leases, today
        self._commit_seconds = commit_seconds
        self._rows: list[Row] = []
        self._in_flight: list[Row] = []
        self._dirty, self._hurry = asyncio.Event(), asyncio.Event()
        self._round: asyncio.Future[LedgerError | None] = asyncio.get_running_loop().create_future()
        self._failure: LedgerError | None = None
        self._closing = False
        self._task = asyncio.create_task(self._write_forever(), name="ledger writer")

    @property
    def unwritten(self) -> int:
        """How many closed receipts no commit has made durable yet."""
        return len(self._rows) + len(self._in_flight)

    def add(self, row: Row) -> None:
        """Have a closed receipt written by the next commit."""
        self._rows.append(row)
        self._dirty.set()

    async def flush(self) -> None:
        """Wait for a commit that begins from now on; LedgerError where it fails."""
        if self._closing:
            raise LedgerError("the ledger is closed")
        self._dirty.set()
        self._hurry.set()
        if (failure := await asyncio.shield(self._round)) is not None:
            raise failure

    async def require_working(self) -> None:
        """Raise the error of the last commit where a new try fails too."""
        if self._failure is not None:
            await self.flush()

    async def close(self) -> None:
        """Commit all, give the leases back and stop."""
        self._closing = True
        self._dirty.set()
        self._hurry.set()
        await self._task
        self._in_flight, self._rows = self._rows, []
        await self._commit(self._leases.close())
        self._round.set_result(self._failure)  # for who asked while the last round was under way
        if self._failure is not None:
            raise self._failure

    async def _write_forever(self) -> None:
        while not self._closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._dirty.wait(), IDLE_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), self._commit_seconds)
            await self._next_round()

    async def _next_round(self) -> None:
        # From here to the commit nothing waits: what was asked for until now is in it.
        done, self._round = self._round, asyncio.get_running_loop().create_future()
        self._dirty.clear()
        self._hurry.clear()
        self._in_flight, self._rows = self._rows, []
        await self._commit(self._leases.cut(self._today()))
        done.set_result(self._failure)

    async def _commit(self, leaves: list[Written]) -> None:
        rows = self._in_flight
        try:
            if rows or leaves:
                await self._write(rows, leaves)
        except Exception as error:  # whatever it is: told to those who wait, and tried again
            if self._failure is None:
                log.exception("the receipts cannot be written; %d are waiting", self.unwritten)
            self._failure = LedgerError(f"the ledger cannot be written: {error}")
            self._leases.undone(leaves)
            self._rows = rows + self._rows
            self._dirty.set()
        else:
            self._failure = None
            self._leases.done(leaves)
            self._spool.committed(row["id"] for row in rows)
        self._in_flight = []
