"""When a server that nobody uses is put away: pure functions over plain data, no database and no clock.

The rule: never in class, and never without a warning that stood its whole time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from grader.attendance import TrainingDay

#: Who comes early to class finds the server as it was left.
BEFORE_CLASS = timedelta(minutes=30)


@dataclass(frozen=True)
class Patience:
    """After how long without use a server is put away, and how long before that its person is warned."""

    after: timedelta
    warning: timedelta


@dataclass(frozen=True)
class Warned:
    """A warning: since when the server had not been used, and when it was said."""

    since: datetime
    at: datetime


@dataclass(frozen=True)
class Standing:
    """How an idle server stands; `warned` is the warning that stands, `next_at` when that changes if nobody uses it."""

    next_at: datetime
    warned: Warned | None = None
    is_over: bool = False


def due_at(since: datetime, now: datetime, days: Iterable[TrainingDay], after: timedelta) -> datetime:
    """When a server last used at `since` has waited long enough; what begins in class begins anew at its end."""
    due = since + after
    for day in sorted(days, key=lambda day: day.starts):
        if since < day.ends and day.starts - BEFORE_CLASS <= max(due, now):
            due = max(due, day.ends + after)
    return due


def stands(
    now: datetime, since: datetime, days: Iterable[TrainingDay], patience: Patience, warned: Warned | None = None
) -> Standing:
    """Say how a server stands that was last used at `since`; `warned` is the warning of before."""
    due = due_at(since, now, days, patience.after)
    if now < due - patience.warning:
        return Standing(due - patience.warning)
    # A warning of before the server was used again is none.
    warned = warned if warned and warned.since == since else Warned(since, now)
    ends_at = max(due, warned.at + patience.warning)
    return Standing(ends_at, warned, is_over=now >= ends_at)
