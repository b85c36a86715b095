"""The ledger: budgets that hold and receipts that stay, at the price of one write into memory and one into a file.

The rule: nothing is acknowledged that a kill could lose, and nothing is given out that the disk does not already hold as
leased; see accounts, leases, spool and store for one half-sentence each.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hub_config.ai_gateway.config import NO_LAB, Limit
from hub_config.ai_gateway.ledger import reads, spool
from hub_config.ai_gateway.ledger.accounts import Accounts
from hub_config.ai_gateway.ledger.leases import Leaf, Leases, Written
from hub_config.ai_gateway.ledger.recovery import recover
from hub_config.ai_gateway.ledger.rows import Row, ending, opened, refusal
from hub_config.ai_gateway.ledger.spool import Spool
from hub_config.ai_gateway.ledger.store import Store
from hub_config.ai_gateway.ledger.terms import (
    GATEWAY_DIED,
    ZERO,
    AccountName,
    Amount,
    Group,
    LedgerError,
    Limits,
    Line,
    Opening,
    Page,
    Place,
    ReceiptQuery,
    Refusal,
    Settlement,
    Use,
)
from hub_config.ai_gateway.ledger.writer import Writer

log = logging.getLogger(__name__)
REFUSALS_PER_MINUTE = 30
_REMEMBERED = 4096
T = TypeVar("T")


def utc_now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Call:
    row: Row
    place: Place
    leaf: Leaf


class Ledger:
    """What the gateway's calls may cost, did cost, and were."""

    def __init__(
        self,
        store: Store,
        thread: ThreadPoolExecutor,
        spool: Spool,
        *,
        zone: ZoneInfo,
        lease: Amount,
        commit_seconds: float,
        kept_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._store, self._thread, self._spool = store, thread, spool
        self._zone, self._kept_bytes, self._now = zone, kept_bytes, now
        self._day = now().astimezone(zone).date()
        self._accounts, self._leases = Accounts(zone), Leases(lease)
        self._switches: dict[tuple[str, str], Row] = {}
        self._open: dict[str, _Call] = {}
        self._settled: OrderedDict[str, int] = OrderedDict()
        self._refusals: dict[str, deque[datetime]] = {}
        self._writer = Writer(self._write, spool, self._leases, self._today, commit_seconds)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        institution: str,
        zone: ZoneInfo,
        lease: Amount,
        commit_seconds: float,
        kept_bytes: int,
        now: Callable[[], datetime] = utc_now,
    ) -> Ledger:
        """Open the database, and first settle what a gateway that died has left."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        try:
            store, files = await asyncio.wrap_future(thread.submit(_open_files, path, institution, now()))
        except BaseException:
            thread.shutdown()
            raise
        ledger = cls(
            store, thread, files, zone=zone, lease=lease, commit_seconds=commit_seconds, kept_bytes=kept_bytes, now=now
        )
        await ledger._run(ledger._load)
        return ledger

    async def reserve(self, opening: Opening, limits: Limits) -> Refusal | None:
        """Reserve a call's most under all its limits, and open its receipt; or give the limit that it would pass."""
        self._check_new(opening)
        while True:
            await self._writer.require_working()
            day = self._today()
            if refused := self._accounts.refusal(opening.place, day, limits, opening.reserve):
                return refused
            leaf = self._leases.leaf(opening.place, day)
            if leaf.covers(opening.reserve):
                break
            await self._raise_lease(leaf, opening.reserve)  # others may spend meanwhile: look again
        # From the check to the booking nothing waits.
        row = opened(opening, self._now(), day, self._kept_bytes)
        self._spool.append(row)
        self._accounts.reserve(opening.place, day, opening.reserve)
        leaf.reserved += opening.reserve
        self._open[opening.receipt] = _Call(row, opening.place, leaf)
        self._leases.touch(leaf)  # topped up by the next commit; no commit for this alone
        return None

    def settle(self, receipt: str, end: Settlement) -> int:
        """Close a receipt, turn its reservation into its cost, and give that; a closed one stays as it is."""
        call = self._open.pop(receipt, None)
        if call is None:
            return self._settled.get(receipt, 0)
        change = ending(call.row, end, self._kept_bytes)
        self._note(change)
        reserved = Amount(call.row["reserved_krw"], call.row["reserved_tokens"])
        spent = Amount(change["cost_krw"], change["cost_tokens"])
        self._accounts.settle(call.place, call.leaf.day, reserved, spent)
        call.leaf.reserved -= reserved
        call.leaf.spent += spent
        self._leases.touch(call.leaf)
        self._writer.add(call.row | change)
        self._remember(receipt, spent.krw)
        return spent.krw

    def refused(self, opening: Opening, outcome: str) -> None:
        """Keep a receipt, at no cost, of a call that was not let through; of one learner not more than some a minute."""
        now = self._now()
        lately = self._refusals.setdefault(opening.place.learner, deque(maxlen=REFUSALS_PER_MINUTE))
        if len(lately) == REFUSALS_PER_MINUTE and (now - lately[0]).total_seconds() < 60:
            return
        lately.append(now)
        row = refusal(opening, outcome, now, self._today(), self._kept_bytes)
        self._note(row)
        self._writer.add(row)

    def lines(self, place: Place, limits: Limits) -> list[Line]:
        """Tell how each limit stands that is set."""
        return self._accounts.lines(place, self._today(), limits)

    def left(self, place: Place, limits: Limits) -> tuple[int | None, int | None]:
        """Give how many won and how many tokens are left at most; None where nothing limits them."""
        return self._accounts.left(place, self._today(), limits)

    def spent(self, place: Place) -> tuple[Amount, Amount]:
        """Give what a learner has spent and reserved in the course run."""
        return self._accounts.total(place)

    def use(self, account: AccountName, course: str, lab: str, limit: Limit) -> Use:
        """Tell how far a kind of account has used a limit; without a course those of all courses."""
        return self._accounts.use(account, course, lab, self._today(), limit)

    async def receipts(self, query: ReceiptQuery) -> Page:
        """Give a page of closed receipts, newest first."""
        await self.flush()
        return await self._run(lambda: reads.receipts(self._store.db, query))

    async def receipt(self, id: str) -> dict[str, Any] | None:
        """Give a closed receipt with its content."""
        await self.flush()
        return await self._run(lambda: reads.receipt(self._store.db, id))

    async def spend(
        self, group: Group, *courses: str, since: datetime | None = None, until: datetime | None = None,
        by: Group | None = None, limit: int | None = None,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Give what was spent, by course, learner, lab, day, model or outcome, or by two of them; in all courses where none is named, and with a limit the dearest."""
        await self.flush()
        return await self._run(lambda: reads.spend(self._store.db, group, courses, by, limit, since=since, until=until))

    async def answered(self, course: str, lab: str, learner: str) -> list[dict[str, Any]]:
        """Give the calls that went well and whose answers are kept, oldest first."""
        await self.flush()
        return await self._run(lambda: reads.answered(self._store.db, course, lab, learner))

    def is_off(self, course: str, lab: str) -> bool:
        """Tell whether somebody has switched AI off in the lab or in the whole course."""
        return any(switch["off"] for name in (lab, NO_LAB) if (switch := self.switch(course, name)))

    def switch(self, course: str, lab: str) -> dict[str, Any] | None:
        """Give how a switch stands: off, by whom, since when; None where nobody has touched it."""
        return self._switches.get((course, lab))

    async def set_switch(self, course: str, lab: str, off: bool, by: str) -> None:
        """Switch AI off or on in a lab, or with `-` in the whole course; it is on the disk when this returns."""
        await self._run(lambda: self._store.set_switch(course, lab, off, by, self._now()))
        self._switches = await self._run(self._store.switches)

    async def head(self) -> tuple[int, str]:
        """Give the newest committed receipt's number and hash."""
        return await self._run(self._store.head)

    async def expire(self, today: date) -> int:
        """Delete the prompts and answers whose days are over; give how many."""
        return await self._run(lambda: self._store.expire(today))

    def unwritten(self) -> int:
        """Give how many closed receipts are not committed yet."""
        return self._writer.unwritten

    async def flush(self) -> None:
        """Commit what is not committed yet."""
        if self.unwritten():
            await self._writer.flush()

    async def close(self) -> None:
        """Settle calls that still run in full, commit all and close the database."""
        for receipt in list(self._open):
            self.settle(receipt, Settlement(GATEWAY_DIED, cost_krw=None))
        try:
            await self._writer.close()
        finally:
            self._spool.close()
            await asyncio.wrap_future(self._thread.submit(self._store.close))
            self._thread.shutdown()

    def _load(self) -> None:
        for place, spent in self._store.totals():
            self._accounts.begin(place, None, spent)
        for leaf in self._store.leaves_since(self._day):
            self._accounts.begin(leaf.place, leaf.day, leaf.spent)
            self._leases.begin(leaf)
        self._switches = self._store.switches()

    def _today(self) -> date:
        """The institution's day; it never goes back, whatever the clock does, for a day's budget would be there twice."""
        today = self._now().astimezone(self._zone).date()
        if today > self._day:
            self._day = today
            self._accounts.forget_before(today)
            self._refusals.clear()
        return self._day

    def _check_new(self, opening: Opening) -> None:
        if not opening.reserve.covers(ZERO):
            raise ValueError("a reservation is never negative")
        if opening.receipt in self._open or opening.receipt in self._settled:
            raise ValueError(f"{opening.receipt} is there already")

    async def _raise_lease(self, leaf: Leaf, need: Amount) -> None:
        leaf.waiting += need
        leaf.largest = leaf.largest.most(need)
        self._leases.touch(leaf)
        try:
            await self._writer.flush()
        finally:
            leaf.waiting -= need

    def _note(self, event: Row) -> None:
        try:
            self._spool.append(event)
        except LedgerError as error:
            # The call has been made, so it is counted; should the gateway die before the commit, it costs its most.
            log.error("%s; the receipt %s waits for the commit", error, event["id"])

    def _remember(self, receipt: str, cost_krw: int) -> None:
        self._settled[receipt] = cost_krw
        if len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)

    async def _write(self, rows: Sequence[Row], leaves: Sequence[Written]) -> None:
        await self._run(lambda: self._store.write(rows, leaves))

    async def _run(self, work: Callable[[], T]) -> T:
        # Shielded: a caller who leaves does not undo work that the thread has begun, and the thread keeps the order.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))


def _open_files(path: Path, institution: str, now: datetime) -> tuple[Store, Spool]:
    store: Store | None = None
    try:
        store = Store(path, institution)
        recover(store, spool.read(path), now)
        spool.delete(path)
        return store, Spool(path)
    except BaseException as error:
        if store is not None:
            store.close()
        if isinstance(error, (sqlite3.Error, OSError)):
            raise LedgerError(f"the ledger {path} cannot be opened: {error}") from error
        raise
