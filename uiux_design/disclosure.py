"""The AI disclosure: writing it, and the check of its parts.

The rule this module keeps: a disclosure says which AI, what it did and what a person changed; that is professional practice
towards a client.
"""

from __future__ import annotations

import re
from pathlib import Path

from labs.checks import CheckResult, Finding, read_text, share
from labs.texts import Text
from uiux_design.wireframe import Strict

FILE = "ai_disclosure.md"
MIN_CHARS = 15


class Part(Strict):
    """One part of the disclosure: its heading and what belongs in it."""

    id: str
    heading: Text
    about: Text


PARTS = (
    Part(
        id="tool",
        heading=Text(ko="사용한 AI", en="AI used"),
        about=Text(ko="AI 모델과 도구의 이름", en="the names of the model and the tool"),
    ),
    Part(
        id="did",
        heading=Text(ko="AI가 한 일", en="What the AI did"),
        about=Text(ko="AI가 제안한 부분", en="what the AI proposed"),
    ),
    Part(
        id="changed",
        heading=Text(ko="사람이 고치고 확인한 일", en="What a person changed and checked"),
        about=Text(ko="고치거나 버린 제안과 이유, 직접 확인한 것", en="what was changed or dropped and why, and what was verified"),
    ),
)  # fmt: skip


def to_markdown(title: str, answers: dict[str, str], lang: str, *, calls: str = "") -> str:
    """Write the disclosure from the answers to its parts, by part id; `calls` says under the title how many AI calls there were."""
    parts = [f"## {part.heading.in_(lang)}\n\n{answers.get(part.id, '').strip()}\n" for part in PARTS]
    return "\n".join([f"# {title}\n", *([f"{calls}\n"] if calls else []), *parts])


def sections(text: str) -> dict[str, str]:
    """Split Markdown at its headings: heading -> what stands under it."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in text.splitlines():
        if match := re.match(r"#{1,6}\s+(\S.*)", line):
            heading = match.group(1).strip().casefold()
        else:
            found.setdefault(heading, []).append(line)
    return {heading: "\n".join(lines).strip() for heading, lines in found.items()}


def disclosed(folder: Path, *, file: str = FILE, min_chars: int = MIN_CHARS) -> CheckResult:
    """Check that the disclosure has its three parts, each with a sentence.

    Source: the brief asks for it; naming AI's part in a work is practice in the trade.
    """
    text = read_text(folder, file, max_bytes=100_000)
    if isinstance(text, CheckResult):
        return text
    found = sections(text)
    wants = [_part(part, found, file, min_chars) for part in PARTS]
    return share(sum(want.ok for want in wants), len(wants), wants)


def _part(part: Part, found: dict[str, str], file: str, min_chars: int) -> Finding:
    body = next((found[h.casefold()] for h in (part.heading.ko, part.heading.en) if h.casefold() in found), "")
    letters = len(re.sub(r"\W", "", body))
    return Finding(
        ok=letters >= min_chars,
        where=f"{file} ## {part.heading.ko} / {part.heading.en}",
        found=Text(ko=f"{part.heading.ko}: 글자 {letters}자", en=f"{part.heading.en}: {letters} letters"),
        right=Text(
            ko=f"{min_chars}자 이상 적으세요: {part.about.ko}.",
            en=f"Write {min_chars} letters or more: {part.about.en}.",
        ),
    )
