"""The rotating class code of check-in and check-out: six digits for thirty seconds, bound to the course and the day.

A code is a keyed hash (HMAC-SHA-256, cut as in RFC 4226) of course, local date, purpose and time slot; it can be shown
only by somebody who holds the institution's secret.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import date, datetime

SLOT_SECONDS = 30
DIGITS = 6


def code_at(secret: bytes, course: str, day: date, moment: datetime) -> str:
    """The code that the instructor's screen shows at a moment."""
    return _code(secret, course, day, _slot(moment))


def is_valid(secret: bytes, course: str, day: date, moment: datetime, typed: str) -> bool:
    """Accept the code of this slot or the one before it, so that somebody who types slowly gets in."""
    given = "".join(ch for ch in typed if ch.isascii() and ch.isdigit())
    slot = _slot(moment)
    matches = [hmac.compare_digest(_code(secret, course, day, s), given) for s in (slot, slot - 1)]
    return any(matches)


def seconds_left(moment: datetime) -> int:
    """Whole seconds until the code changes."""
    return SLOT_SECONDS - int(moment.timestamp()) % SLOT_SECONDS


def _slot(moment: datetime) -> int:
    return int(moment.timestamp()) // SLOT_SECONDS


def _code(secret: bytes, course: str, day: date, slot: int) -> str:
    digest = hmac.digest(secret, f"{course}\n{day.isoformat()}\n{slot}".encode(), hashlib.sha256)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"
