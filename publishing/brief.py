"""The author's memo: its numbered lines, which every fact of a proposal must rest on.

The rule: the memo is read as it was handed out, never from the submission.
"""

from __future__ import annotations

import re
from pathlib import Path

_LINE = re.compile(r"^\s*[-*]\s*\*\*(B\d{2})\*\*\s*(.+?)\s*$")


def read_brief(path: Path) -> dict[str, str]:
    """Read the numbered lines of a memo (`- **B07** text`), by id and in order."""
    hits = (_LINE.match(line) for line in path.read_text("utf-8").splitlines())
    return {hit[1]: hit[2] for hit in hits if hit}


def quoted(brief: dict[str, str], line: str) -> str:
    """Give 'B17 “…”' for a finding."""
    return f"{line} “{brief[line]}”" if line in brief else line
