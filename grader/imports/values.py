"""Texts of cells become dates, times, names and numbers. The rule: what has two readings has none."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, time

_DAY = re.compile(
    r"(\d{4})\s*[-./년]\s*(\d{1,2})\s*[-./월]\s*(\d{1,2})\s*[.일]?\s*(?:\([월화수목금토일]\))?\s*(?:00:00(?::00)?)?",
    re.ASCII,
)
_COMPACT_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2})(?:\s*:\s*(\d{2})(?::00)?|\s*시(?:\s*(\d{1,2})\s*분)?)", re.ASCII)
_COMPACT_CLOCK = re.compile(r"(\d{1,2})(\d{2})", re.ASCII)
_HALVES = {"오전": 0, "am": 0, "오후": 12, "pm": 12}
NO_TIME = ("", "-", "0", "00", "000", "0000", "00:00", "00:00:00")
FORMULA_BEGINS = ("=", "+", "-", "@")
_LOGIN = re.compile(r"[a-z][a-z0-9.-]{0,38}[a-z0-9]")
_OUTSIDE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+=:-]{0,59}")
#: Names of the product's own parts and of a system: an event by one of them would be taken for theirs.
RESERVED = frozenset({"admin", "gateway", "grader", "hub", "model", "portal", "proxy", "root", "service", "system"})
LONGEST_NAME = 60


def day_of(text: str) -> date:
    """2026-07-06, 20260706, 2026.7.6, 2026년 7월 6일 (월); ValueError for anything else."""
    plain = unicodedata.normalize("NFKC", text)
    match = _DAY.fullmatch(plain) or _COMPACT_DAY.fullmatch(plain)
    if match is None:
        raise ValueError("not a date")
    return date(int(match[1]), int(match[2]), int(match[3]))


def time_of(text: str) -> time | None:
    """09:00, 0900, 900, 오전 9:00, 9시 30분; None for 0000 and nothing; ValueError for anything else."""
    plain = unicodedata.normalize("NFKC", text).strip().casefold()
    if plain in NO_TIME:
        return None
    half = next((word for word in _HALVES if plain.startswith(word) or plain.endswith(word)), None)
    clock = plain.removeprefix(half).removesuffix(half).strip() if half else plain
    match = _CLOCK.fullmatch(clock) or (None if half else _COMPACT_CLOCK.fullmatch(clock))
    if match is None:
        raise ValueError("not a time")
    hour, minute = int(match[1]), int(next(filter(None, match.groups()[1:]), 0))
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("not a time of half a day")
        hour = hour % 12 + _HALVES[half]
    return time(hour, minute)


def name_of(text: str) -> str:
    """A person's name; ValueError where it hides or turns letters, is too long, or is a formula for a spreadsheet."""
    if not 1 <= len(text) <= LONGEST_NAME or text.startswith(FORMULA_BEGINS) or not _shows(text):
        raise ValueError("not a name")
    return text


def note_of(text: str, longest: int = 200) -> str:
    """A short text of one line; ValueError where it is too long or hides letters."""
    if not 1 <= len(text) <= longest or not _shows(text):
        raise ValueError("not a short text")
    return text


def login_of(text: str) -> str:
    """A login that the Hub takes and that is a safe name of a folder; ValueError for anything else."""
    if not _LOGIN.fullmatch(text) or ".." in text or text in RESERVED:
        raise ValueError("not a login")
    return text


def outside_id_of(text: str) -> str:
    """The national system's number of a learner; ValueError for anything else."""
    if not _OUTSIDE.fullmatch(text):
        raise ValueError("not a learner number")
    return text


def _shows(text: str) -> bool:
    """No control sign, no direction mark, no half of a letter; a joiner within a picture of signs is one too."""
    return all(unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for sign in text)
