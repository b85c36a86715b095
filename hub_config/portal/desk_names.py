"""Judging without names. The rule: with the switch on, no name and no login of the course's learners is on a page of the desk."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping

VEIL = "○○○"


def code(submission: str) -> str:
    """A submission's short sign: the same on every page, and in no order of the roster."""
    return base64.b32encode(hashlib.sha256(submission.encode()).digest())[:4].decode()


class Veil:
    """Takes names and logins out of text that a learner, a check or an AI wrote; without names it changes nothing."""

    def __init__(self, people: Mapping[str, str]) -> None:
        names = sorted((name for name in people.values() if len(name) > 1), key=len, reverse=True)
        logins = sorted(people, key=len, reverse=True)
        # A Korean particle follows a name without a space; a login is a word of its own.
        parts = [
            *map(re.escape, map(_plain, names)),
            *(rf"(?<![a-z0-9_]){re.escape(login)}(?![a-z0-9_])" for login in logins),
        ]
        self._pattern = re.compile("|".join(parts), re.IGNORECASE) if parts else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub(VEIL, _plain(text)) if self._pattern else text


def _plain(text: str) -> str:
    """Letters in one form: a Mac's file has a name's letters in pieces."""
    return unicodedata.normalize("NFC", text)
