"""How alike two wordings are: what was said, and what a caption or a recogniser makes of it.

The rule this module keeps: spacing, punctuation, capitals and hesitations make no difference; every other letter does.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher

#: Captions leave hesitations out, so comparing leaves them out too.
HESITATIONS = re.compile(r"(?<![가-힣])(음+|어+|아|그게|그러니까|저기|뭐)(?![가-힣])|\b(u+m+|u+h+|oh|well|so)\b", re.I)
#: Longer texts are cut: comparing takes time by the square.
MAX_COMPARED = 1200


def plain(text: str) -> str:
    """Reduce a text to its letters and figures, without hesitations."""
    composed = unicodedata.normalize("NFKC", text[:MAX_COMPARED]).casefold()
    return "".join(c for c in HESITATIONS.sub(" ", composed) if c.isalnum())


def likeness(one: str, other: str) -> float:
    """Give the share of letters that two texts have in common and in order, 0 to 1."""
    return SequenceMatcher(None, plain(one), plain(other), autojunk=False).ratio()
