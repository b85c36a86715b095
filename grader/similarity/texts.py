"""Texts as marks: hashed runs of letters, words or JSON leaves. The rule: the same text gives the same marks, however it is spaced.

Korean is compared by letters without its spaces, because spacing varies and endings stick to words; other texts by words.
A mark is a number, so that marks of a text, of a structure and of a picture are sets of one kind.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labs.evidence import Evidence

#: How many units make a mark. Eight Korean letters are three or four words: the set phrases of written Korean
#: ("할 수 있습니다") are shorter. Five words are the usual measure for texts with words apart.
LETTERS, WORDS, LEAVES = 8, 5, 3
#: More of a text is not looked at; a book proposal has 1,200 letters.
MAX_TEXT = 20_000
MAX_LEAVES = 3_000
#: A string of a JSON file from this length on also counts as a text, so that rewording a line does not hide the others.
LONG_STRING = 20
TIMING = re.compile(r"^[ \t]*(\d+|.*-->.*)[ \t\r]*$", re.M)


@dataclass(frozen=True)
class Units:
    """A text cut into what is compared; `spans` say where each unit stands in the text."""

    text: str
    units: Sequence[str]
    spans: Sequence[tuple[int, int]]
    run: int

    def marks(self) -> list[int]:
        """The mark of each run, in order."""
        count = len(self.units) - self.run + 1
        return [mark("\n".join(self.units[at : at + self.run])) for at in range(count)]


def mark(text: str) -> int:
    """A text's number."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=7).digest(), "big")


def plain(text: str) -> str:
    """The text as it is kept and shown: one form of each letter, single spaces, cut at its limit."""
    return " ".join(unicodedata.normalize("NFC", text[: MAX_TEXT * 4]).split())[:MAX_TEXT]


def units_of(text: str, lang: str) -> Units:
    """Cut a plain text into letters (Korean) or words."""
    found = list(re.finditer(r"[^\W_]" if lang == "ko" else r"[^\W_]+", text))
    spans = [match.span() for match in found]
    return Units(text, [match.group().casefold() for match in found], spans, LETTERS if lang == "ko" else WORDS)


def leaf_units(text: str) -> Units:
    """Cut the lines that `leaf_lines` gave."""
    spans, at = [], 0
    for line in text.split("\n"):
        spans.append((at, at + len(line)))
        at += len(line) + 1
    return Units(text, [text[start:end].casefold() for start, end in spans], spans, LEAVES)


def spoken(captions: str) -> str:
    """What captions say, without numbers and times: those shift with a cut, the words do not."""
    return plain(TIMING.sub(" ", captions[: MAX_TEXT * 8]))


def leaf_lines(data: Any) -> str:
    """A JSON file's leaves, `key: value` a line; keys in their order by name, lists in theirs, no numbering."""
    lines: list[str] = []
    size = 0
    for key, value in _leaves(data):
        line = f"{key}: {plain(value) if isinstance(value, str) else json.dumps(value)}"[:MAX_TEXT]
        size += len(line) + 1
        if size > MAX_TEXT or len(lines) >= MAX_LEAVES:
            break
        lines.append(line)
    return "\n".join(lines)


def long_strings(data: Any) -> str:
    """The longer strings of a JSON file as one text."""
    found = (plain(value) for _key, value in _leaves(data) if isinstance(value, str) and len(value) >= LONG_STRING)
    return plain(" ".join(found))


def own_words(content: bytes, lang: str) -> tuple[str, set[int]]:
    """What a learner wrote into evidence.json, and the marks of what the AI answered there, which are not theirs."""
    items = Evidence.model_validate_json(content).items
    written = [item.reason if item.decision == "accepted" else f"{item.final} {item.reason}" for item in items]
    answered = {m for item in items for m in units_of(plain(item.ai), lang).marks()}
    return plain(" ".join(written)), answered


def _leaves(data: Any) -> Iterator[tuple[str, Any]]:
    """Walk without recursion: a hostile file is as deep as its parser lets it be."""
    waiting: list[tuple[str, Any]] = [("", data)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(name)[:200], value[name]) for name in sorted(value, reverse=True)]
        elif isinstance(value, list):
            waiting += [(key, part) for part in reversed(value)]
        else:
            yield key, round(value, 2) if isinstance(value, float) else value
