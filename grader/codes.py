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
MOST_TYPED = 32


def code_at(secret: bytes, course: str, day: date, moment: datetime) -> str:
    """The code that the instructor's screen shows at a moment."""
    return _code(secret, course, day, slot_at(moment))


def slot_of(secret: bytes, course: str, day: date, moment: datetime, typed: str) -> int | None:
    """The slot that a typed code is of: this one or the one before it, so that somebody who types slowly gets in.

    None for any other code. It takes as long for a wrong code as for a right one.
    """
    given = "".join(ch for ch in typed[:MOST_TYPED] if ch.isascii() and ch.isdigit())
    slot = slot_at(moment)
    found = [s for s in (slot - 1, slot) if hmac.compare_digest(_code(secret, course, day, s), given)]
    return found[-1] if found else None


def seconds_left(moment: datetime) -> int:
    """Whole seconds until the code changes."""
    return SLOT_SECONDS - int(moment.timestamp()) % SLOT_SECONDS


def slot_at(moment: datetime) -> int:
    """The number of the half minute, counted from 1970."""
    return int(moment.timestamp()) // SLOT_SECONDS


def is_shown(slot: int, moment: datetime) -> bool:
    """Whether a slot's code is taken at a moment; says nothing about the code itself."""
    return slot_at(moment) - 1 <= slot <= slot_at(moment)


def _code(secret: bytes, course: str, day: date, slot: int) -> str:
    digest = hmac.digest(secret, f"{course}\n{day.isoformat()}\n{slot}".encode(), hashlib.sha256)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"
