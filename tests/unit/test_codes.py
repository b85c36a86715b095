"""The class code: bound to the course, the day and the half minute, and of no use without the secret."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from grader.codes import SLOT_SECONDS, code_at, seconds_left, slot_at, slot_of

DAY = date(2026, 7, 6)
NOW = datetime(2026, 7, 6, 0, 0, 15, tzinfo=UTC)


def is_valid(secret: bytes, course: str, day: date, moment: datetime, typed: str) -> bool:
    slot = slot_of(secret, course, day, moment, typed)
    assert slot in (None, slot_at(moment), slot_at(moment) - 1)
    return slot is not None


def test_the_shown_code_is_taken_and_soon_no_more() -> None:
    code = code_at(b"secret", "course", DAY, NOW)
    assert len(code) == 6
    assert code.isdigit()
    assert is_valid(b"secret", "course", DAY, NOW, code)
    assert is_valid(b"secret", "course", DAY, NOW + timedelta(seconds=SLOT_SECONDS), f" {code[:3]} {code[3:]} ")
    assert not is_valid(b"secret", "course", DAY, NOW + timedelta(seconds=2 * SLOT_SECONDS), code)
    assert not is_valid(b"secret", "course", DAY, NOW - timedelta(seconds=SLOT_SECONDS), code)


def test_it_is_bound_to_course_day_and_secret() -> None:
    code = code_at(b"secret", "course", DAY, NOW)
    assert not is_valid(b"secret", "other", DAY, NOW, code)
    assert not is_valid(b"secret", "course", DAY + timedelta(days=1), NOW, code)
    assert not is_valid(b"other", "course", DAY, NOW, code)
    assert not is_valid(b"secret", "course", DAY, NOW, "")
    assert not is_valid(b"secret", "course", DAY, NOW, "٣٣٣٣٣٣")


def test_it_says_how_long_it_lasts() -> None:
    assert seconds_left(NOW) == 15
