"""Official attendance as events: what the national system said of a learner's day, and how it was read then.

The rule: the reading is kept beside the words, so that a later reading of the same words never changes an old decision.
"""

from __future__ import annotations

from datetime import date, time
from typing import Any

from grader.attendance import Official
from grader.imports.standing import Entry
from grader.official import read_official

OFFICIAL = "attendance.official"


def payload_of(entry: Entry, *, sha256: str, row: int) -> dict[str, Any]:
    """An entry as the journal keeps it, with the file and the row that it came from."""
    read = read_official(entry.status)
    return {
        "day": entry.day.isoformat(),
        "status": entry.status,
        "check_in": _told(entry.check_in),
        "check_out": _told(entry.check_out),
        "counts_as": read.status,
        "happened": list(read.events),
        "excuse_kind": read.excuse_kind,
        "file": sha256,
        "row": row,
    }


def official_of(payload: dict[str, Any]) -> Official:
    """What an event says of its day."""
    return Official(
        payload["counts_as"], tuple(payload["happened"]), payload["excuse_kind"], payload["status"],
        _time(payload["check_in"]), _time(payload["check_out"]),
    )  # fmt: skip


def entry_of(login: str, payload: dict[str, Any]) -> Entry:
    """The entry that an event was made of."""
    check_in, check_out = _time(payload["check_in"]), _time(payload["check_out"])
    return Entry(login, date.fromisoformat(payload["day"]), payload["status"], check_in, check_out)


def _told(at: time | None) -> str | None:
    return f"{at:%H:%M}" if at else None


def _time(text: str | None) -> time | None:
    return time.fromisoformat(text) if text else None
