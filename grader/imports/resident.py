"""Resident registration numbers. The rule: a file that holds one is refused whole, and no message repeats the number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from labs.texts import UserError

#: A birth date, a digit for century and sex, and six more: with or without a sign between, no digit before or after.
_SHAPE = re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-.\s‐-―−]{0,3}[0-9]\d{6}(?!\d)")
_HEADING = re.compile(r"주민\s*(등록)?\s*번호|resident\s*(registration)?\s*(number|no)", re.IGNORECASE)
#: What stands between two cells, so that the end of one and the beginning of the next are no number.
_BETWEEN = "\x1f|\x1f"


class ResidentNumber(UserError):
    """A file that must not be brought here."""


def holds_resident_number(text: str) -> bool:
    """Whether a text has the form of a resident registration number in it, in any kind of digits."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return _SHAPE.search(plain) is not None


def refuse_resident_numbers(name: str, headings: Sequence[str], lines: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Refuse a table with such a number in any cell, or with a column for them that is filled."""
    named = [index for index, heading in enumerate(headings) if _HEADING.search(unicodedata.normalize("NFKC", heading))]
    if holds_resident_number(_BETWEEN.join(headings)):
        raise _refusal(name, "열 이름", "a heading")
    for number, cells in lines:
        if any(cells[index] for index in named) or holds_resident_number(_BETWEEN.join(cells)):
            at = next((i for i, cell in enumerate(cells) if i in named or holds_resident_number(cell)), 0)
            # The heading may itself be hostile; its place is enough to find it.
            raise _refusal(name, f"{number}행 {at + 1}번째 열", f"row {number}, column {at + 1}")


def _refusal(name: str, ko: str, en: str) -> ResidentNumber:
    return ResidentNumber(
        f"{name}: {ko}에 주민등록번호로 보이는 값이 있어 파일 전체를 받지 않았고 보관하지 않습니다. 그 열을 지우고 다시 올리세요.",
        f"{name}: {en} holds what looks like a resident registration number, so the whole file is refused and not kept; "
        "delete that column and upload it again",
    )
