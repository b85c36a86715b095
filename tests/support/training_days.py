"""Training days of eight hours in Seoul, from Monday on: what the pure tests of attendance begin with."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from grader.attendance import TrainingDay

SEOUL = ZoneInfo("Asia/Seoul")
MONDAY = date(2026, 7, 6)


def at(hour: int, minute: int = 0, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time(hour, minute), SEOUL)


def training_day(day: date = MONDAY) -> TrainingDay:
    return TrainingDay(day, at(9, day=day), at(17, day=day))
