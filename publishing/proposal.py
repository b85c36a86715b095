"""A book proposal (출간기획서) as text: its parts, sentences and book titles.

The rule: a proposal is plain Markdown with one `##` heading a part; anything can be read, and what is not understood is
kept as text under no part.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from labs.checks import CheckResult, read_text
from labs.texts import Text

FILE = "proposal.md"
#: One page of text is 3 KB; more than this is not read.
MAX_BYTES = 20_000

#: The parts in the trade's order, by the names that head them.
PARTS: dict[str, Text] = {
    "title": Text(ko="가제", en="Working title"),
    "pitch": Text(ko="한 줄 소개", en="Pitch"),
    "reader": Text(ko="예상 독자", en="Target reader"),
    "author": Text(ko="저자", en="Author"),
    "contents": Text(ko="목차", en="Contents"),
    "comparables": Text(ko="유사 도서", en="Comparable titles"),
    "format": Text(ko="판형·쪽수·정가", en="Format"),
    "schedule": Text(ko="일정", en="Schedule"),
}
_OTHER_NAMES = {
    "title": ("제목", "제목(가제)", "도서명(가제)", "title"),
    "pitch": ("한 문장 소개", "핵심 콘셉트", "콘셉트", "one-sentence pitch"),
    "reader": ("독자", "타깃 독자", "대상 독자", "target readers", "readers"),
    "author": ("저자 소개", "지은이", "저자 약력", "about the author"),
    "contents": ("차례", "구성", "table of contents"),
    "comparables": ("경쟁 도서", "유사 도서 분석", "comparables", "comparable books"),
    "format": ("판형", "판형/쪽수/정가", "판형, 쪽수, 정가", "사양", "제작 사양", "specifications"),
    "schedule": ("출간 일정", "진행 일정", "timeline"),
}
HEADINGS = {"ko": "출간기획서", "en": "Book proposal"}

_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(\S.*)$")
_TITLE = re.compile(r"『([^』\n]{1,120})』|《([^》\n]{1,120})》|(?<!\*)\*([^*\n]{1,120})\*(?!\*)|“([^”\n]{2,120})”")
_MARKER = re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+")
_DOTTED_DATE = re.compile(r"(?<!\d)(?:\d{4}\.\s?)?\d{1,2}\.\s?\d{1,2}\.")
_END = re.compile(r"(?<![.!?。…])[.!?。…]+[\"'”’)』》*]*(?=\s|$)")


def _plain(name: str) -> str:
    return "".join(ch for ch in name.lower() if ch.isalnum())


_BY_NAME = {
    _plain(name): part for part, text in PARTS.items() for name in (text.ko, text.en, *_OTHER_NAMES[part])
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line of the proposal: its number in the file, and its text."""

    number: int
    text: str

    @property
    def where(self) -> str:
        return f"{FILE}:{self.number}"


@dataclass(frozen=True)
class Part:
    """What stands under one heading; id is None under a heading that no part has."""

    id: str | None
    number: int
    lines: list[Line] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


def parse(text: str) -> list[Part]:
    """Split a proposal into its parts; lines before the first heading belong to no part."""
    parts = [Part(None, 1)]
    for number, line in enumerate(text.splitlines(), 1):
        heading = _HEADING.match(line)
        if heading:
            name = re.sub(r"^\d{1,2}[.)]\s*", "", heading[1].strip("# "))
            parts.append(Part(_BY_NAME.get(_plain(name)), number))
        elif line.strip():
            parts[-1].lines.append(Line(number, line.strip()))
    return parts


def part_of(parts: list[Part], part_id: str) -> Part | None:
    """Find a part that has text, else None."""
    return next((part for part in parts if part.id == part_id and part.lines), None)


def titles(text: str) -> list[str]:
    """List the book titles that a text marks: 『…』, 《…》, *…* or “…”."""
    return [next(group for group in hit.groups() if group).strip() for hit in _TITLE.finditer(text)]


def unmarked(line: str) -> str:
    """Give a line without its list marker."""
    return _MARKER.sub("", line).strip()


def _mask(hit: re.Match[str]) -> str:
    return "가" * len(hit[0])


def sentences(text: str) -> list[str]:
    """Split one line into sentences; marks inside a title and dots inside a date (2027. 6. 18.) do not end one."""
    text = unmarked(text)
    masked = _TITLE.sub(_mask, _DOTTED_DATE.sub(_mask, text))
    found, start = [], 0
    for end in _END.finditer(masked):
        found.append(text[start : end.end()].strip())
        start = end.end()
    found.append(text[start:].strip())
    return [sentence for sentence in found if any(ch.isalnum() for ch in sentence)]


def read_proposal(folder: Path, file: str = FILE) -> str | CheckResult:
    """Read proposal.md, or give the result that says what is wrong with it."""
    return read_text(folder, file, max_bytes=MAX_BYTES)


def compose(parts: dict[str, str], lang: str) -> str:
    """Write a proposal from the text of each part, in the trade's order; a part that is left out has no heading."""
    blocks = [f"# {HEADINGS['en' if lang == 'en' else 'ko']}"]
    blocks += [f"## {name.in_(lang)}\n{parts[part].strip()}" for part, name in PARTS.items() if part in parts]
    return "\n\n".join(blocks) + "\n"
