"""A receipt as a row: its columns, and how a call's beginning and end fill them. The rule: what is written here has no
personal data, and nothing that SQLite would refuse, whatever a learner or an upstream sent."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hub_config.ai_gateway.ledger.terms import ZERO, Amount, Opening, Place, Settlement
from hub_config.ai_gateway.redact import without_personal_data

Row = dict[str, Any]
USAGE = ("prompt_tokens", "completion_tokens", "audio_ms", "characters", "images")
#: The columns of a receipt that its hash covers, besides its number. `kept_sha256` is of the content as it was kept.
CHAINED = (
    *("id", "at", "day", "learner", "course", "lab", "endpoint", "model", "upstream", "outcome", "refused"),
    *USAGE,
    *("reserved_krw", "reserved_tokens", "cost_krw", "cost_tokens", "latency_ms", "first_byte_ms"),
    *("request_sha256", "prompt_sha256", "answer_sha256", "kept_sha256"),
)
CONTENT = ("prompt", "answer", "answer_type")
_LONGEST_NAME = 300  # longer than any name of the Hub
_LARGEST = 10**15


def opened(opening: Opening, at: datetime, day: date, kept_bytes: int) -> Row:
    """Give what a receipt holds while its call runs."""
    return {
        **dict.fromkeys(CHAINED),
        "id": opening.receipt,
        "at": instant(at),
        "day": day.isoformat(),
        "learner": _name(opening.place.learner),
        "course": _name(opening.place.course),
        "lab": _name(opening.place.lab),
        "endpoint": _name(opening.endpoint),
        "model": _name(opening.model),
        "upstream": _name(opening.upstream),
        "refused": 0,
        "reserved_krw": opening.reserve.krw,
        "reserved_tokens": opening.reserve.tokens,
        "request_sha256": opening.request_sha256,
        "prompt_sha256": opening.prompt_sha256,
        **dict.fromkeys(CONTENT),
        "prompt": _kept(opening.prompt, kept_bytes),
        "expires_on": (day + timedelta(days=opening.retention_days)).isoformat(),
    }


def ending(row: Row, end: Settlement, kept_bytes: int) -> Row:
    """Give what the end of a call changes in its receipt."""
    spent = cost(end, Amount(row["reserved_krw"], row["reserved_tokens"]))
    answer = _kept(end.answer, kept_bytes)
    answer_type = None if end.answer_type is None else _name(end.answer_type)
    return {
        "id": row["id"],
        "outcome": _name(end.outcome),
        "upstream": row["upstream"] if end.upstream is None else _name(end.upstream),
        **{name: _count(getattr(end.usage, name, None)) for name in USAGE},
        "cost_krw": spent.krw,
        "cost_tokens": spent.tokens,
        "latency_ms": _count(end.latency_ms),
        "first_byte_ms": _count(end.first_byte_ms),
        "answer_sha256": end.answer_sha256,
        "answer": answer,
        "answer_type": answer_type,
        "kept_sha256": None
        if row["prompt"] is answer is None
        else content_sha256([row["prompt"], answer, answer_type]),
    }


def refusal(opening: Opening, outcome: str, at: datetime, day: date, kept_bytes: int) -> Row:
    """Give the receipt of a call that was not let through."""
    row = opened(opening, at, day, kept_bytes) | {"refused": 1, "reserved_krw": 0, "reserved_tokens": 0}
    return row | ending(row, Settlement(outcome), kept_bytes)


def lost(receipt: str, place: Place, day: date, spent: Amount, outcome: str, at: datetime) -> Row:
    """Give the receipt of what was booked ahead for calls that nobody knows of any more."""
    row = opened(Opening(receipt, place, "-", "-", "-", "", "", None, spent, 0), at, day, 0)
    return row | ending(row, Settlement(outcome, cost_krw=None), 0)


def cost(end: Settlement, reserved: Amount) -> Amount:
    """Give what a call costs: never more than was reserved for it."""
    if end.cost_krw is None:
        return reserved
    if end.usage is None:
        tokens = 0 if end.cost_krw == 0 else reserved.tokens
    else:
        tokens = (end.usage.prompt_tokens or 0) + (end.usage.completion_tokens or 0)
    asked = Amount(max(0, end.cost_krw), max(0, tokens))
    return asked.least(reserved) if reserved != ZERO else ZERO


def content_sha256(content: list[str | None]) -> str:
    """Give the hash of a receipt's prompt, answer and the answer's type, as they are kept."""
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def instant(at: datetime) -> str:
    """Write a moment so that its text sorts by time."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def _kept(text: str | None, kept_bytes: int) -> str | None:
    if text is None or len(text) > kept_bytes:
        return None
    # A lone surrogate, which JSON can bring, has no UTF-8.
    plain = text.encode("utf-8", "replace")
    return None if len(plain) > kept_bytes else without_personal_data(plain.decode())


def _name(text: str) -> str:
    return text[:_LONGEST_NAME].encode("utf-8", "replace").decode()


def _count(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= _LARGEST else None
