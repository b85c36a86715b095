"""The ledger's words: what it is asked, and what it answers. The rule: plain values, all amounts whole and never negative."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple

from hub_config.ai_gateway.config import Limit

AccountName = Literal["learner", "lab", "course", "institution"]
Unit = Literal["krw", "tokens"]
Period = Literal["all", "day"]
#: What of a call is read with its receipt: nothing, what was asked, or the answer too.
Content = Literal["none", "asked", "all"]
Group = Literal["course", "learner", "lab", "day", "model", "outcome"]
OK, GATEWAY_DIED, MACHINE_DIED = "ok", "gateway_died", "machine_died"


class LedgerError(Exception):
    """The ledger cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who calls, and where; a lab of `-` is no lab."""

    learner: str
    course: str
    lab: str


class Amount(NamedTuple):
    """Won and tokens, counted side by side."""

    krw: int = 0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:  # type: ignore[override]
        return Amount(self.krw + other.krw, self.tokens + other.tokens)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.krw - other.krw, self.tokens - other.tokens)

    def covers(self, other: Amount) -> bool:
        """Tell whether this is at least the other in both."""
        return self.krw >= other.krw and self.tokens >= other.tokens

    def least(self, other: Amount) -> Amount:
        """Give the smaller of both, each by itself."""
        return Amount(min(self.krw, other.krw), min(self.tokens, other.tokens))

    def most(self, other: Amount) -> Amount:
        """Give the larger of both, each by itself."""
        return Amount(max(self.krw, other.krw), max(self.tokens, other.tokens))


ZERO = Amount()


class Bound(NamedTuple):
    """One limit that is set."""

    account: AccountName
    unit: Unit
    period: Period
    limit: int


#: The fields of a Limit, and what they bound. Those that never renew come first: they are the truer refusal.
_FIELDS: tuple[tuple[str, Unit, Period], ...] = (
    ("krw", "krw", "all"),
    ("tokens", "tokens", "all"),
    ("krw_per_day", "krw", "day"),
    ("tokens_per_day", "tokens", "day"),
)
_ACCOUNTS: tuple[AccountName, ...] = ("learner", "lab", "course", "institution")


@dataclass(frozen=True)
class Limits:
    """What holds for a call: the learner's in the course run, the learner's in the lab, the course's, the institution's."""

    learner: Limit
    lab: Limit
    course: Limit
    institution: Limit

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """The limits that are set, in the order in which they are looked at."""
        return tuple(
            Bound(account, unit, period, limit)
            for field, unit, period in _FIELDS
            for account in _ACCOUNTS
            if (limit := getattr(getattr(self, account), field)) is not None
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known of a call before it is made; a prompt of None is not kept."""

    receipt: str
    place: Place
    endpoint: str
    model: str
    upstream: str
    request_sha256: str
    prompt_sha256: str
    prompt: str | None
    reserve: Amount
    retention_days: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What an upstream says that a call used."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    audio_ms: int | None = None
    characters: int | None = None
    images: int | None = None


@dataclass(slots=True)
class Settlement:
    """How a call ended; a cost of None is the whole reservation, an upstream the one that answered."""

    outcome: str
    cost_krw: int | None = 0
    usage: Usage | None = None
    upstream: str | None = None
    answer_sha256: str | None = None
    answer: str | None = None
    answer_type: str | None = None
    latency_ms: int = 0
    first_byte_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The limit that a call would have passed."""

    account: AccountName
    unit: Unit
    period: Period
    left: int
    needed: int
    renews_at: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """How one limit stands."""

    account: AccountName
    unit: Unit
    period: Period
    limit: int
    spent: int
    reserved: int
    left: int
    renews_at: datetime | None


@dataclass(frozen=True, slots=True)
class Use:
    """How far the accounts of one kind have used a limit: the most that any of them has spent, and how many have nothing left."""

    most: Limit
    used_up: int


@dataclass(frozen=True, slots=True)
class ReceiptQuery:
    """Which receipts are asked for: of any course where none is named; `before` is the last one already seen, `until` the first moment no more."""

    courses: tuple[str, ...] = ()
    lab: str | None = None
    learner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = 100
    content: Content = "none"


@dataclass(frozen=True, slots=True)
class Page:
    """Receipts, newest first, and whether more of them follow."""

    rows: list[dict[str, Any]]
    has_more: bool


def new_receipt_id() -> str:
    """Make a receipt's id."""
    return f"rcpt_{secrets.token_hex(12)}"
