"""Text of strangers on a page. The rule: no sign that hides or turns other text gets through unseen."""

from __future__ import annotations

import unicodedata

#: Signs that join the letters of a script or a picture, without which text breaks, and the tabulator.
_PLAIN = "\u200c\u200d\t"


def visible(text: str) -> str:
    """The text with its control signs, direction marks and broken halves of letters spelled out as [U+202E]."""
    # Most lines have no such sign, and are not looked at letter by letter.
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line if line.isprintable() else _spelled(line) for line in lines)


def _spelled(line: str) -> str:
    return "".join(sign if _shows(sign) else f"[U+{ord(sign):04X}]" for sign in line)


def _shows(sign: str) -> bool:
    return sign in _PLAIN or unicodedata.category(sign) not in ("Cc", "Cf", "Cs")
