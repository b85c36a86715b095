"""Taking personal data and keys out of what is kept. The rule: patterns never go back, so no text makes them slow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from hub_config.ai_gateway import errors

_DASH = r"[-.\s‐-―]?"
_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++")
# Each begins with a character and looks back only then: so the search skips what cannot begin one, three times as fast.
_NUMBERS = (
    # Resident and foreigner registration numbers: a birth date, then a digit for century and sex, then six more.
    (re.compile(rf"\d(?<!\d\d)\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_DASH}[0-9]\d{{6}}(?!\d)"), "[주민등록번호]"),
    # Mobile (010, 011 …), internet (070), areas (02, 031 …), also after +82 and with or without the first 0.
    (
        re.compile(
            rf"[+80](?<!\d[80])(?<!\d\+)(?:(?<=\+)82{_DASH}\(?0?\)?|(?<=8)2{_DASH}\(?0?\)?|(?<=0))"
            rf"(?:1[016789]|70|2|[3-6][1-5]){_DASH}\d{{3,4}}{_DASH}\d{{4}}(?!\d)"
        ),
        "[전화번호]",
    ),
)
KEY_MARK = "[key]"
#: Fewer characters of a key than this ("sk-") say nothing, and every other word ends like them.
SHORTEST = 4


def without_personal_data(text: str) -> str:
    """Replace e-mail addresses, Korean phone numbers and resident numbers by what they were."""
    if "@" in text:
        text = _EMAIL.sub("[이메일]", text)
    for pattern, mark in _NUMBERS:
        text = pattern.sub(mark, text)
    return text


class KeyGuard:
    """Holds a stream back while the end of its text may be the beginning of a key, which comes in pieces."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = list(keys)
        self._ends: dict[str, str] = {}
        self._held = b""

    def passed(self, said: Iterable[tuple[str, str]], data: bytes) -> bytes:
        """Take an event's texts, each with its field's name, and its bytes; give the bytes that may go out now."""
        self._held += data
        for field, text in said:
            # A key within one piece is taken out of the event itself.
            joined = self._ends.get(field, "") + without_keys(text, self._keys)
            if any(key in joined for key in self._keys):
                raise errors.upstream_broken()
            self._ends[field] = max((_begun(joined, key) for key in self._keys), key=len, default="")
        return b"" if any(len(end) >= SHORTEST for end in self._ends.values()) else self.rest()

    def rest(self) -> bytes:
        """Give what is held back, once nothing follows."""
        held, self._held = self._held, b""
        return held


def _begun(text: str, key: str) -> str:
    """Give the end of a text that is the beginning of a key."""
    start = text.find(key[0], max(0, len(text) - len(key) + 1))
    while start >= 0 and not key.startswith(text[start:]):
        start = text.find(key[0], start + 1)
    return text[start:] if start >= 0 else ""


def without_keys(text: str, keys: Iterable[str]) -> str:
    """Replace every key that occurs in the text, as it is and as JSON writes it."""
    for key in filter(None, keys):
        for form in (key, json.dumps(key, ensure_ascii=False)[1:-1], json.dumps(key)[1:-1]):
            text = text.replace(form, KEY_MARK)
    return text
