"""Budgets as arithmetic, in memory. The rule: a call is checked against all its limits and booked in one go, nothing
waits between, so spent + reserved never passes a limit that held when it was booked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hub_config.ai_gateway.config import NO_LAB, Limit
from hub_config.ai_gateway.ledger.terms import (
    ZERO,
    AccountName,
    Amount,
    Bound,
    Limits,
    Line,
    Place,
    Refusal,
    Use,
)

_Owner = tuple[str, str, str]


@dataclass(slots=True)
class _Sum:
    spent: Amount = ZERO
    reserved: Amount = ZERO


class Accounts:
    """What everybody has spent and reserved, in all and by day."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._sums: dict[tuple[_Owner, date | None], _Sum] = {}

    def begin(self, place: Place, day: date | None, spent: Amount) -> None:
        """Count what was spent before this start, in all (no day) or on a day."""
        for owner in _owners(place).values():
            account = self._sums.setdefault((owner, day), _Sum())
            account.spent += spent

    def lines(self, place: Place, day: date, limits: Limits) -> list[Line]:
        """Tell how each limit stands that is set."""
        return [
            Line(
                bound.account, bound.unit, bound.period, bound.limit, spent, reserved, left, self._renews_at(bound, day)
            )
            for bound, spent, reserved, left in self._standing(place, day, limits)
        ]

    def left(self, place: Place, day: date, limits: Limits) -> tuple[int | None, int | None]:
        """Give how many won and how many tokens are left at most; None where nothing limits them."""
        krw: int | None = None
        tokens: int | None = None
        for bound, _, _, left in self._standing(place, day, limits):
            if bound.unit == "krw":
                krw = left if krw is None else min(krw, left)
            else:
                tokens = left if tokens is None else min(tokens, left)
        return krw, tokens

    def refusal(self, place: Place, day: date, limits: Limits, need: Amount) -> Refusal | None:
        """Give the first limit that a call would pass; what a call does not need stops it not."""
        for bound, _, _, left in self._standing(place, day, limits):
            needed = need.krw if bound.unit == "krw" else need.tokens
            if needed > left:
                return Refusal(bound.account, bound.unit, bound.period, left, needed, self._renews_at(bound, day))
        return None

    def reserve(self, place: Place, day: date, need: Amount) -> None:
        """Book a call's most."""
        for account in self._of(place, day):
            account.reserved += need

    def settle(self, place: Place, day: date, reserved: Amount, spent: Amount) -> None:
        """Turn a reservation of a day into what it cost."""
        for account in self._of(place, day):
            account.reserved -= reserved
            account.spent += spent

    def total(self, place: Place) -> tuple[Amount, Amount]:
        """Give what a learner has spent and reserved in the course run."""
        account = self._sums.get((_owners(place)["learner"], None), _Sum())
        return account.spent, account.reserved

    def use(self, account: AccountName, course: str, lab: str, day: date, limit: Limit) -> Use:
        """Tell how far a kind of account has used a limit; without a course those of all courses."""
        spent: dict[_Owner, list[int]] = {}
        for (owner, period), counted in self._sums.items():
            if _kind(owner) == account and owner[2] == lab and course in ("", owner[1]) and period in (None, day):
                known, at = spent.setdefault(owner, [0, 0, 0, 0]), 0 if period is None else 2
                known[at : at + 2] = counted.spent
        limits = (limit.krw, limit.tokens, limit.krw_per_day, limit.tokens_per_day)
        most = [max(numbers) for numbers in zip(*spent.values(), strict=True)] or [0, 0, 0, 0]
        used_up = sum(
            any(most is not None and number >= most for number, most in zip(numbers, limits, strict=True))
            for numbers in spent.values()
        )
        return Use(Limit(krw=most[0], tokens=most[1], krw_per_day=most[2], tokens_per_day=most[3]), used_up)

    def forget_before(self, day: date) -> None:
        """Drop the sums of days that are over and have nothing reserved any more."""
        over = [
            key
            for key, account in self._sums.items()
            if key[1] is not None and key[1] < day and account.reserved == ZERO
        ]
        for key in over:
            del self._sums[key]

    def _of(self, place: Place, day: date) -> list[_Sum]:
        return [
            self._sums.setdefault((owner, period), _Sum())
            for owner in _owners(place).values()
            for period in (None, day)
        ]

    def _standing(self, place: Place, day: date, limits: Limits) -> Iterator[tuple[Bound, int, int, int]]:
        """Each limit that is set and holds there, with what is spent, reserved and left."""
        owners = _owners(place)
        for bound in limits.bounds:
            owner = owners.get(bound.account)
            if owner is not None:
                counted = self._sums.get((owner, None if bound.period == "all" else day)) or _Sum()
                spent, reserved = counted.spent, counted.reserved
                used = (spent.krw, reserved.krw) if bound.unit == "krw" else (spent.tokens, reserved.tokens)
                yield bound, *used, max(0, bound.limit - sum(used))

    def _renews_at(self, bound: Bound, day: date) -> datetime | None:
        return None if bound.period == "all" else _midnight_after(day, self._zone)


@lru_cache(maxsize=4096)
def _owners(place: Place) -> dict[AccountName, _Owner]:
    """Whose accounts a call is booked to; an empty name stands for everybody, or everything."""
    owners: dict[AccountName, _Owner] = {"learner": (place.learner, place.course, "")}
    if place.lab != NO_LAB:
        owners["lab"] = (place.learner, place.course, place.lab)
    return owners | {"course": ("", place.course, ""), "institution": ("", "", "")}


def _kind(owner: _Owner) -> AccountName:
    learner, course, lab = owner
    if learner:
        return "lab" if lab else "learner"
    return "course" if course else "institution"


@lru_cache(maxsize=8)
def _midnight_after(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
