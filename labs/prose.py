"""The prose of `lab.md`, told apart by language: what stands in one language only.

The rule: it reads lines and never runs a cell, and it names the line that its author has to look at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import yaml

from labs.findings import LabFinding, wrong
from labs.texts import LANGUAGES

MAX_BYTES = 2_000_000
HANGUL = re.compile(r"[가-힣]")
LETTER = re.compile(r"[A-Za-z]")
_CODE = re.compile(r"`[^`]*`|\[[^\]]*\]\([^)]*\)|https?://\S+|“[^”]*”|\"[^\"]*\"|‘[^’]*’|'[^']*'")


@dataclass
class Prose:
    """A prose cell: its language (None: both), the line it begins on, and its text."""

    lang: str | None
    line: int
    lines: list[str] = field(default_factory=list)
    is_code: bool = False
    is_part: bool = False

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()

    @property
    def paragraphs(self) -> int:
        return len([block for block in re.split(r"\n\s*\n", self.text) if block.strip()])


def read_prose(text: str) -> list[Prose]:
    """The cells of a MyST source, code ones as a mark between the others."""
    lines = text.splitlines()
    start = lines.index("---", 1) + 1 if lines[:1] == ["---"] and "---" in lines[1:] else 0
    cells, fence = [Prose(None, start + 1)], ""
    for number, line in enumerate(lines[start:], start + 1):
        if fence:
            if line.strip() == fence:
                fence = ""
                cells.append(Prose(None, number + 1))
        elif line.startswith("```{code-cell}"):
            fence = "```"
            cells.append(Prose(None, number, is_code=True))
        elif line.startswith("+++"):
            cells.append(_begun(line, number))
        else:
            cells[-1].lines.append(line)
    return [cell for cell in cells if cell.is_code or cell.is_part or cell.text]


def _begun(line: str, number: int) -> Prose:
    try:
        marks = yaml.safe_load(line[3:]) or {}
    except yaml.YAMLError:
        marks = {}
    marks = marks if isinstance(marks, dict) else {}
    return Prose(marks.get("lang"), number, is_part="part" in marks)


def prose_findings(source: Path) -> Iterator[LabFinding]:
    """What of lab.md stands in one language only, or in the wrong one."""
    name = source.name
    if not source.is_file() or source.stat().st_size > MAX_BYTES:
        yield wrong(name, "", "실습 노트북의 원고 lab.md가 없거나 너무 큽니다.",
                    "The notebook's source lab.md is missing or too large.")  # fmt: skip
        return
    cells = read_prose(source.read_text("utf-8", errors="replace"))
    for is_between, run in groupby(cells, key=lambda cell: cell.is_code or cell.is_part):
        if not is_between:
            yield from _paired(name, list(run))
    for cell in cells:
        if not cell.is_code and not cell.is_part:
            yield from language_findings(name, cell.line, cell.lang, cell.text)


def _paired(name: str, run: list[Prose]) -> Iterator[LabFinding]:
    """Between two code cells, each language has as many cells, and each pair as many paragraphs."""
    ko, en = ([cell for cell in run if cell.lang == lang] for lang in LANGUAGES)
    for more, fewer, ko_of, en_of in ((ko, en, "영어", "English"), (en, ko, "한국어", "Korean")):
        for cell in more[len(fewer) :]:
            yield wrong(name, cell.line, f"이 글에 짝이 되는 {ko_of} 글이 없습니다.",
                        f"This text has no {en_of} one beside it.")  # fmt: skip
    for one, other in zip(ko, en, strict=False):
        if one.paragraphs != other.paragraphs:
            told = f"{one.paragraphs} / {other.paragraphs}"
            yield wrong(
                name, other.line,
                f"문단 수가 다릅니다(한국어 / 영어: {told}). 번역하지 않은 문단이 있는지 보세요.",
                f"The paragraphs differ in number (Korean / English: {told}): one may be untranslated.",
            )  # fmt: skip


def language_findings(file: str, where: str | int, lang: str | None, text: str) -> Iterator[LabFinding]:
    """A text that is not in the language that it says; what it quotes may be in any."""
    said = _CODE.sub(" ", text)
    hangul, latin = len(HANGUL.findall(said)), len(LETTER.findall(said))
    if lang not in (None, *LANGUAGES):
        yield wrong(file, where, f"모르는 언어입니다: {str(lang)[:20]}. ko나 en을 쓰세요.",
                    f"Unknown language: {str(lang)[:20]}; write ko or en.")  # fmt: skip
    elif lang == "en" and hangul > latin / 4:
        yield wrong(file, where, "영어 글이 한국어로 적혀 있습니다. 번역하세요.",
                    "The English text is written in Korean: translate it.")  # fmt: skip
    elif lang == "ko" and latin >= 20 and hangul * 8 < latin:
        yield wrong(file, where, "한국어 글이 영어로 적혀 있습니다. 번역하세요.",
                    "The Korean text is written in English: translate it.")  # fmt: skip
    elif lang is None and hangul >= 2:
        yield wrong(file, where, "두 언어에 함께 쓰이는 글인데 한국어입니다. ko와 en으로 나누세요.",
                    "This text is in both languages' notebooks and is Korean: split it into ko and en.")  # fmt: skip
