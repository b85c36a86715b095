"""What is booked ahead on disk for each learner, lab and day. The rule: the database always holds at least what was spent
and reserved, so that a machine that dies at any moment cannot have spent more than it then counts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from hub_config.ai_gateway.ledger.terms import ZERO, Amount, Place

IDLE_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class Leaf:
    """A learner's day in a lab; `leased` is what the disk surely holds, `largest` the most that one call needed."""

    place: Place
    day: date
    spent: Amount = ZERO
    reserved: Amount = ZERO
    waiting: Amount = ZERO
    largest: Amount = ZERO
    leased: Amount = ZERO
    touched: float = field(default_factory=time.monotonic)

    @property
    def used(self) -> Amount:
        """What was spent and reserved."""
        return self.spent + self.reserved

    def wants(self, ahead: Amount) -> Amount:
        """Give the lease with which the next calls need not wait."""
        return self.used + self.waiting + self.largest + ahead

    def covers(self, need: Amount) -> bool:
        """Tell whether a call fits into the lease."""
        return self.leased.covers(self.used + need)

    def is_idle(self, now: float) -> bool:
        """Tell whether nobody has called here for a while."""
        return self.reserved == self.waiting == ZERO and now - self.touched >= IDLE_SECONDS


@dataclass(frozen=True, slots=True)
class Written:
    """A leaf as a commit writes it."""

    leaf: Leaf
    spent: Amount
    leased: Amount


class Leases:
    """The leaves of today, and those of earlier days that are still needed."""

    def __init__(self, lease: Amount) -> None:
        self._lease = lease
        self._leaves: dict[tuple[Place, date], Leaf] = {}
        self._touched: dict[Leaf, None] = {}
        self._swept = time.monotonic()

    def begin(self, leaf: Leaf) -> None:
        """Take over a leaf of the database."""
        self._leaves[leaf.place, leaf.day] = leaf

    def leaf(self, place: Place, day: date) -> Leaf:
        """Give a learner's day in a lab."""
        return self._leaves.setdefault((place, day), Leaf(place, day))

    def touch(self, leaf: Leaf) -> None:
        """Have the next commit write the leaf, with its lease topped up."""
        leaf.touched = time.monotonic()
        self._touched[leaf] = None

    def cut(self, today: date) -> list[Written]:
        """Give what the commit that begins now must write; a lease that it makes smaller counts as smaller at once."""
        written = [Written(leaf, leaf.spent, leaf.wants(self._lease)) for leaf in self._touched]
        written += [Written(leaf, leaf.spent, leaf.spent) for leaf in self._idle(today)]
        self._touched = {}
        for each in written:
            each.leaf.leased = each.leaf.leased.least(each.leased)
        return written

    def close(self) -> list[Written]:
        """Give all leases back."""
        return [Written(leaf, leaf.spent, leaf.used) for leaf in self._leaves.values()]

    def done(self, written: list[Written]) -> None:
        """Use the leases that a commit has made durable."""
        for each in written:
            each.leaf.leased = each.leased

    def undone(self, written: list[Written]) -> None:
        """Write them again next time: the commit failed, and whether the disk holds the old or the new is not known."""
        self._touched = {each.leaf: None for each in written} | self._touched

    def _idle(self, today: date) -> Iterator[Leaf]:
        """Once a minute, find the leases to give back, and forget the leaves of days that are over."""
        now = time.monotonic()
        if now - self._swept < IDLE_SECONDS:
            return
        self._swept = now
        for key, leaf in list(self._leaves.items()):
            if not leaf.is_idle(now) or leaf in self._touched:
                continue
            if leaf.leased != leaf.spent:
                yield leaf
            elif leaf.day < today:
                del self._leaves[key]
