"""The check of a mended blurb: which of the AI's wrong statements are put right, and whether what was right still stands.

The rule: mending counts only as far as nothing right was lost with it, and only the text itself is read.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from pydantic import Field

from labs.checks import CheckResult, Finding, failed, read_text, share
from labs.manifest import Data, load
from labs.texts import Text

FILE = "blurb.md"


class Statement(Data):
    """A statement of the draft: patterns that may no longer stand, and one of what must; both by language."""

    wrong: Text | None = None
    right: Text | None = None
    because: Text


class Key(Data):
    """The institution's key: the sentences with a fault, and the sound ones, each by its number."""

    faulty: dict[str, Statement] = Field(min_length=1)
    sound: dict[str, Statement] = Field(min_length=1)


def mended(folder: Path, *, key: Path, lang: str, max_chars: int, file: str = FILE) -> CheckResult:
    """Check a blurb: the share of wrong statements put right, less the share of right ones lost.

    A text that is longer than its place holds nothing. Source: the book's source sheet, written down in the key.
    """
    text = read_text(folder, file, max_bytes=50_000)
    if isinstance(text, CheckResult):
        return text
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    if len(plain) > max_chars:
        return failed(
            Text(ko=f"{len(plain):,}자라서 들어갈 자리를 넘습니다.", en=f"{len(plain):,} characters do not fit."),
            Text(ko=f"{max_chars}자 안으로 줄이세요.", en=f"Keep it within {max_chars} characters."),
            where=file,
        )
    wanted = load(key, Key)
    repairs = [_repair(plain, number, fault, lang) for number, fault in wanted.faulty.items()]
    lost = [_lost(number, told) for number, told in wanted.sound.items() if not _is_right(plain, told, lang)]
    score = sum(repair.ok for repair in repairs) / len(repairs) - len(lost) / len(wanted.sound)
    return share(score, 1, [*sorted(repairs, key=lambda finding: finding.ok), *lost])


def _has(text: str, pattern: Text | None, lang: str) -> bool:
    return pattern is not None and re.search(pattern.in_(lang), text, re.IGNORECASE) is not None


def _is_right(text: str, statement: Statement, lang: str) -> bool:
    said = statement.right is None or _has(text, statement.right, lang)
    return said and not _has(text, statement.wrong, lang)


def _repair(text: str, number: str, fault: Statement, lang: str) -> Finding:
    if _is_right(text, fault, lang):
        told = Text(ko=f"바로잡았습니다. {fault.because.ko}", en=f"Put right. {fault.because.en}")
        return Finding(ok=True, where=number, found=told)
    if _has(text, fault.wrong, lang):
        told = Text(ko="틀린 내용이 남아 있습니다.", en="What is wrong still stands.")
    else:
        told = Text(ko="바른 내용이 없습니다.", en="What would be right does not stand there.")
    return Finding(where=number, found=told, right=fault.because)


def _lost(number: str, statement: Statement) -> Finding:
    told = Text(ko="맞는 내용을 바꾸거나 없앴습니다.", en="What was right was changed or taken out.")
    return Finding(where=number, found=told, right=statement.because)
