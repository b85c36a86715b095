"""Taking personal data and keys out of what is kept. The rule: patterns never go back, so no text makes them slow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_DASH = r"[-.\s‐-―]?"
_PATTERNS = (
    (re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++"), "[이메일]"),
    # Resident and foreigner registration numbers: a birth date, then a digit for century and sex, then six more.
    (re.compile(rf"(?<!\d)\d{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_DASH}[0-9]\d{{6}}(?!\d)"), "[주민등록번호]"),
    # Mobile (010, 011 …), internet (070), areas (02, 031 …), also after +82 and with or without the first 0.
    (
        re.compile(
            rf"(?<!\d)(?:\+?82{_DASH}\(?0?\)?|0)(?:1[016789]|70|2|[3-6][1-5]){_DASH}\d{{3,4}}{_DASH}\d{{4}}(?!\d)"
        ),
        "[전화번호]",
    ),
)
KEY_MARK = "[key]"


def without_personal_data(text: str) -> str:
    """Replace e-mail addresses, Korean phone numbers and resident numbers by what they were."""
    for pattern, mark in _PATTERNS:
        text = pattern.sub(mark, text)
    return text


def without_keys(text: str, keys: Iterable[str]) -> str:
    """Replace every key that occurs in the text, as it is and as JSON writes it."""
    for key in filter(None, keys):
        for form in (key, json.dumps(key, ensure_ascii=False)[1:-1], json.dumps(key)[1:-1]):
            text = text.replace(form, KEY_MARK)
    return text
