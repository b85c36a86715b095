"""Comparable titles (유사 도서) of a proposal: only books that the author's list names, each with its right author.

The rule: a title that is not on the list is an invented or an unwanted book, whichever it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labs.checks import CheckResult, Finding, failed, share
from labs.texts import Text
from publishing.brief import quoted, read_brief
from publishing.proposal import FILE, Line, parse, part_of, read_proposal, titles, unmarked

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass(frozen=True)
class Listed:
    """A book of the author's list."""

    source: str
    title: str
    author: str
    year: str


def listed_books(brief: dict[str, str], lines: Sequence[str]) -> list[Listed]:
    """Read the list's lines (`『title』, author, publisher, year`); a line of another form is left out."""
    books = []
    for source in lines:
        text = brief.get(source, "")
        fields = [field.strip() for field in text.split(",")]
        if (marked := titles(text)) and len(fields) == 4:
            books.append(Listed(source, marked[0], fields[1], fields[3]))
    return books


def from_the_list(folder: Path, *, brief: Path, lines: list[str], min_titles: int = 2, file: str = FILE) -> CheckResult:
    """Check that every comparable title is on the list with its author and year, and that there are enough of them."""
    text = read_proposal(folder, file)
    if isinstance(text, CheckResult):
        return text
    memo = read_brief(brief)
    books = listed_books(memo, lines)
    part = part_of(parse(text), "comparables")
    if part is None:
        return failed(
            Text(ko="유사 도서가 없습니다.", en="There are no comparable titles."),
            Text(ko=f"목록에서 {min_titles}권 이상 고르세요.", en=f"Choose at least {min_titles} from the list."),
            where=file,
        )
    findings = [finding for line in part.lines for finding in _judge(line, books, memo)]
    right = sum(finding.ok for finding in findings)
    if right < min_titles:
        findings.append(_too_few(part.lines[0], right, min_titles, books))
    return share(right, max(len(findings), min_titles), findings)


def _judge(line: Line, books: list[Listed], memo: dict[str, str]) -> list[Finding]:
    """Judge each book of a line; a line without a marked title is judged as a whole."""
    marked = titles(line.text)
    if not marked:
        plain = _letters(line.text)
        marked = [book.title for book in books if _letters(book.title) in plain] or [unmarked(line.text)]
    return [_judge_title(line, title, books, memo) for title in marked]


def _judge_title(line: Line, title: str, books: list[Listed], memo: dict[str, str]) -> Finding:
    book = next((book for book in books if _letters(book.title) == _letters(title)), None)
    if book is None:
        rights = ", ".join(f"『{book.title}』" for book in books)
        english = ", ".join(book.title for book in books)
        return Finding(
            where=line.where,
            found=Text(
                ko=f"'{title[:80]}'은(는) 저자가 준 유사 도서 목록에 없습니다.",
                en=f"'{title[:80]}' is not on the author's list of comparable titles.",
            ),
            right=Text(ko=f"목록에서 고르세요: {rights}", en=f"Choose from the list: {english}"),
        )
    wrong_year = set(_YEAR.findall(line.text)) - {
        other.year for other in books if _letters(other.title) in _letters(line.text)
    }
    if book.author not in line.text or wrong_year:
        return Finding(
            where=line.where,
            found=Text(
                ko=f"『{book.title}』의 저자나 연도가 목록과 다르거나 없습니다.",
                en=f"Author or year of {book.title} is missing or not as on the list.",
            ),
            right=Text(ko=quoted(memo, book.source), en=quoted(memo, book.source)),
        )
    return Finding(
        ok=True,
        where=line.where,
        found=Text(ko=f"『{book.title}』은(는) 목록에 있습니다.", en=f"{book.title} is on the list."),
    )


def _too_few(line: Line, right: int, least: int, books: list[Listed]) -> Finding:
    return Finding(
        where=line.where,
        found=Text(ko=f"목록에 맞는 유사 도서가 {right}권입니다.", en=f"{right} comparable titles are right."),
        right=Text(
            ko=f"{', '.join(f'『{book.title}』' for book in books)} 중에서 {least}권 이상 쓰세요.",
            en=f"Give at least {least} of: {', '.join(book.title for book in books)}.",
        ),
    )


def _letters(text: str) -> str:
    return "".join(ch for ch in text.lower() if ch.isalnum())
