"""A submission's text on the desk, and what became of the AI's draft. The rule: text stays text, and no file makes a page
that is too long to read."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from labs.evidence import Evidence, Item

MOST_CHARACTERS = 60_000
MOST_BYTES = 4 * MOST_CHARACTERS
EVIDENCE_BYTES = 4_000_000
MOST_DRAFTS, MOST_LINES = 40, 400


@dataclass(frozen=True)
class Shown:
    """The text of a file, as far as it is shown."""

    text: str
    cut: bool = False


@dataclass(frozen=True)
class Draft:
    """One AI answer and what the learner made of it, line by line: ' ' kept, '-' taken out, '+' put in."""

    item: Item
    lines: tuple[tuple[str, str], ...]
    cut: bool


def text_of(file: Path) -> Shown | None:
    """A file's text; None for what is no text."""
    with file.open("rb") as stream:
        raw = stream.read(MOST_BYTES + 1)
    if b"\0" in raw:
        return None
    text = _decoded(raw[:MOST_BYTES])
    return Shown(text[:MOST_CHARACTERS], len(raw) > MOST_BYTES or len(text) > MOST_CHARACTERS)


def _decoded(raw: bytes) -> str:
    # Korean office programs still write CP949; a file that was cut may end within a letter.
    for name in ("utf-8-sig", "cp949"):
        try:
            return raw.decode(name)
        except UnicodeDecodeError as error:
            if len(raw) == MOST_BYTES and error.start >= len(raw) - 4:
                return raw[: error.start].decode(name)
    return raw.decode("utf-8", "replace")


def drafts_of(file: Path | None) -> tuple[tuple[Draft, ...], int]:
    """The AI's drafts of evidence.json beside what was handed in, and how many more there are."""
    if file is None or file.stat().st_size > EVIDENCE_BYTES:
        return (), 0
    try:
        evidence = Evidence.model_validate_json(file.read_bytes())
    except ValidationError:
        return (), 0
    items = [item for item in evidence.items if item.ai or item.final]
    drafts, left = [], MOST_CHARACTERS
    for item in items[:MOST_DRAFTS]:
        left -= len(item.ai) + len(item.final)
        if left < 0:
            break
        drafts.append(_draft(item))
    return tuple(drafts), len(items) - len(drafts)


def _draft(item: Item) -> Draft:
    before, after = _lines(item.ai), _lines(item.final)
    # Comparing takes up to the square of the lines.
    cut = max(len(before), len(after)) > MOST_LINES
    if cut:
        changed = [*(f"-{line}" for line in before[:MOST_LINES]), *(f"+{line}" for line in after[:MOST_LINES])]
    else:
        # The first two lines name files.
        changed = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:] or [f" {line}" for line in after]
    return Draft(item, tuple(("@", "") if line.startswith("@@") else (line[:1], line[1:]) for line in changed), cut)


def _lines(text: str) -> list[str]:
    """The lines of a text; JSON in one line is spread, so that a change in it shows."""
    if text[:1] in ("[", "{") and "\n" not in text:
        try:
            spread = json.dumps(json.loads(text), ensure_ascii=False, indent=1)
        except (ValueError, RecursionError):
            spread = text
        # Deep nesting would make a page of megabytes from a text of kilobytes.
        text = spread if len(spread) < 5 * len(text) + 100 else text
    return text.splitlines()
