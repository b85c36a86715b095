"""The certificate as a PDF of one page. The rule: what people wrote goes to Typst as data and is never read as its code.

The same facts give the same bytes: the document's date is the day of issue, and only Pretendard is used, from npm's files.
"""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import segno
import typst
from babel import dates

from grader.certificates.facts import CertificateFacts
from labs.texts import Lang, UserError

TEMPLATE = Path(__file__).with_name("paper.typ")
STANDARDS: list[Any] = ["a-2a", "ua-1"]
DAY = {"ko": "y년 M월 d일", "en": "d MMMM y"}
_LONG_WORD = re.compile(r"\S{25,}")
_NOT_IN_FONT = re.compile(r'the text `"(.+?)"` could not be displayed')


class NotPrintable(UserError):
    """A sign that the certificate's font does not have."""


def pdf(facts: CertificateFacts, lang: Lang, fonts: Path) -> bytes:
    """Print a certificate: PDF/A-2a and PDF/UA-1; `fonts` is the folder of Pretendard's OpenType files."""
    given = {"facts": json.dumps(_printed(facts, lang)), "qr": _qr(facts.verify_url)}
    day = datetime.combine(facts.issued_on, time(), UTC)
    try:
        made = _compiler(fonts).compile(
            format="pdf", sys_inputs=given, pdf_standards=STANDARDS, timestamp=int(day.timestamp())
        )
    except typst.TypstError as error:
        if found := _NOT_IN_FONT.search(error.message):
            raise _not_printable(found[1]) from None
        raise
    if not isinstance(made, bytes):
        raise TypeError("Typst gave more than one file")
    return made


@cache
def _compiler(fonts: Path) -> typst.Compiler:
    only = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[fonts])
    return typst.Compiler(TEMPLATE, root=TEMPLATE.parent, font_paths=only)


def _printed(facts: CertificateFacts, lang: Lang) -> dict[str, Any]:
    return {
        "lang": lang,
        "number": facts.number,
        "name": _breakable(facts.name_in(lang)),
        "institution": _breakable(facts.institution.in_(lang)),
        "programme": _breakable(facts.programme.in_(lang)),
        "course": _breakable(facts.course.in_(lang)),
        "from": _day(facts.starts_on, lang),
        "to": _day(facts.ends_on, lang),
        "hours": facts.hours,
        "units": [_breakable(unit.title.in_(lang)) for unit in facts.units],
        "labs": [_breakable(lab.title.in_(lang)) for lab in facts.labs],
        "issued": _day(facts.issued_on, lang),
        "url": facts.verify_url,
    }


def _day(day: Any, lang: Lang) -> str:
    return dates.format_date(day, DAY[lang], locale=lang)


def _breakable(text: str) -> str:
    """A word longer than any line gets places where it may be broken, each a space without width."""
    return _LONG_WORD.sub(lambda word: re.sub(r"(.{4})(?=.)", "\\1\u200b", word[0]), text)


def _qr(url: str) -> str:
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", border=0, dark="#14213d", xmldecl=False)
    return out.getvalue().decode()


def _not_printable(sign: str) -> NotPrintable:
    return NotPrintable(
        f"{sign!r}: 수료증 글꼴에 없는 글자입니다. 이름이나 과정명을 한글 또는 로마자로 고친 뒤 다시 발급하세요.",
        f"{sign!r} is not in the certificate's font: write the name or the title in Korean or Latin letters and issue again",
    )
