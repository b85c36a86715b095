"""Logins for new learners. The rule: made of the institution and the outside id or a running number, never of a name.

The same learner gets the same login on the same state; it is a safe name for the Hub, a folder and an address.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST, LONGEST_PREFIX = 40, 12


class Logins:
    """Gives new logins that nobody has."""

    def __init__(self, institution: str, taken: Iterable[str]) -> None:
        self._prefix = (_slug(institution) or "x")[:LONGEST_PREFIX].strip("-")
        if not self._prefix[0].isalpha():
            self._prefix = f"i{self._prefix}"
        self._taken = set(taken)
        self._number = 0

    def take(self, login: str) -> bool:
        """Take a login that somebody chose; False where it is taken."""
        if login in self._taken:
            return False
        self._taken.add(login)
        return True

    def new(self, outside_id: str) -> str:
        """A login for somebody with that outside id, or with none."""
        if not outside_id:
            return self._numbered(f"{self._prefix}-", "04d")
        base = f"{self._prefix}-{_distinct(outside_id)}"
        return base if self.take(base) else self._numbered(f"{base[: LONGEST - 6]}-", "d", start=2)

    def _numbered(self, base: str, form: str, start: int = 0) -> str:
        number = start or self._number + 1
        while not self.take(login := f"{base}{number:{form}}"):
            number += 1
        if not start:
            self._number = number
        return login


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _distinct(outside_id: str) -> str:
    """The id in small letters and digits; where that loses something, a part of its hash tells it from others."""
    slug, longest = _slug(outside_id), LONGEST - LONGEST_PREFIX - 9
    if slug == outside_id.lower() and len(slug) <= longest:
        return slug
    mark = hashlib.sha256(outside_id.encode()).hexdigest()[:8]
    return f"{slug[: longest - 9].strip('-')}-{mark}".strip("-")
