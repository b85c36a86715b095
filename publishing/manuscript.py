"""Length of Korean copy in sheets of 200-square manuscript paper (200자 원고지), the unit Korean publishers count in.

The rule: 10 rows of 20 squares; a Korean letter or a mark takes a square, two digits or two small Latin letters share one, and
a paragraph begins a new row after one empty square.
"""

from __future__ import annotations

import re

ROW_SQUARES = 20
SHEET_ROWS = 10
_PAIRED = re.compile(r"[0-9]+|[a-z]+")


def squares(paragraph: str) -> int:
    """Count the squares of one paragraph, its first empty square included."""
    shared = sum(len(run) // 2 for run in _PAIRED.findall(paragraph))
    return 1 + len(paragraph) - shared


def sheets(text: str) -> float:
    """Count 200-square sheets, to a tenth."""
    paragraphs = [line.strip() for line in text.splitlines() if line.strip()]
    rows = sum(-(-squares(paragraph) // ROW_SQUARES) for paragraph in paragraphs)
    return round(rows / SHEET_ROWS, 1)
