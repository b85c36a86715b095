"""Quantities and dates in Korean and English copy: where they stand, their value and their unit.

The rule: every digit of a text comes out once, in a date or in a quantity; a unit that is not known is empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<mon>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<y>(?<!\d)(?:19|20)\d\d)\s*년\s*(?P<m>\d{1,2})\s*월(?:\s*(?P<d>\d{1,2})\s*일)?",
        r"(?P<y>(?<!\d)(?:19|20)\d\d)\s?[.\-/]\s?(?P<m>\d{1,2})(?:\s?[.\-/]\s?(?P<d>\d{1,2}))?(?!\d)",
        r"(?<!\d)(?P<m>\d{1,2})\s*월(?:\s*(?P<d>\d{1,2})\s*일)?",
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH},?(?:\s+(?P<y>\d{{4}}))?",
        rf"\b{_MONTH}\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s+(?P<y>\d{{4}}))?",
        rf"\b{_MONTH},?\s+(?P<y>\d{{4}})",
        r"(?<![\d,])(?P<y>(?:19|20)\d\d)(?:\s*년(?!째|\s*간|\s*동안)|(?![\d,.]*\d)(?!\s*(?:부|원|쪽|매|권|명|만|천|copies|pages|won|words)))",
    )
)

#: What a unit is called after a number; the longer name is tried first.
_UNITS = {
    "pages": ("쪽", "페이지", "면", "pages", "page", "pp", "p"),
    "won": ("원", "won", "krw"),
    "copies": ("부", "copies", "copy"),
    "sheets": ("매", "sheets"),
    "pieces": ("꼭지", "편", "essays", "essay", "stories"),
    "pictures": ("컷", "점", "drawings", "illustrations", "pictures"),
    "words": ("words",),
    "chars": ("자",),
    "mm": ("mm", "㎜"),
    "decade": ("대", "'s", "s"),
    "years": ("년째", "년간", "년", "years", "year"),
    "parts": ("parts", "chapters", "장"),
    "percent": ("%", "퍼센트", "percent", "per cent"),
    "books": ("권", "books"),
}
_UNIT_OF = {name: unit for unit, names in _UNITS.items() for name in names}
_NAMES = "|".join(
    re.escape(name) + (r"(?![a-z])" if name.isascii() and name[-1].isalpha() else "")
    for name in sorted(_UNIT_OF, key=len, reverse=True)
)
#: What a unit is called before a number, in a form's field: "쪽수: 256", "Price: KRW 16,800".
_LABELS = {
    "pages": ("쪽수", "면수", "pages", "page count", "extent"),
    "won": ("정가", "가격", "price", "krw", "₩"),
    "copies": ("판매 부수", "발행 부수", "copies sold", "copies"),
}
_UNIT_OF_LABEL = {name: unit for unit, names in _LABELS.items() for name in names}
_LABEL_NAMES = "|".join(map(re.escape, sorted(_UNIT_OF_LABEL, key=len, reverse=True)))
_QUANTITY = re.compile(
    rf"(?:(?P<before>{_LABEL_NAMES})\s{{0,2}}[:：]?\s{{0,2}}(?:krw\s?|₩\s?)?)?"
    r"(?P<n>\d[\d,]*(?:\.\d+)?)"
    r"(?:\s*(?P<big>억|만|천|thousand|million|k\b)(?:\s*(?P<rest>\d[\d,]*))?)?"
    rf"(?:[\s-]?(?P<unit>{_NAMES}))?",
    re.IGNORECASE,
)
#: The first side of a trim size: 152 × 225.
_SIDE = re.compile(r" ?[×xX] ?\d")
_BIG = {"억": 10**8, "만": 10**4, "천": 1000, "thousand": 1000, "k": 1000, "million": 10**6}
#: Fewer copies than this are the parts of a book: 부 means both.
FEWEST_COPIES = 20


@dataclass(frozen=True)
class Quantity:
    """A number with its unit, where it stands in the text."""

    start: int
    end: int
    raw: str
    value: float
    unit: str


@dataclass(frozen=True)
class PartialDate:
    """A date as far as the text gives it; what it leaves out is None."""

    start: int
    end: int
    raw: str
    year: int | None
    month: int | None
    day: int | None

    def agrees(self, right: str) -> bool:
        """Tell whether all that is given stands in the right date ('2027-06-18', or '2021' for a year)."""
        wanted = [*map(int, right.split("-")), None, None]
        given = (self.year, self.month, self.day)
        return all(part is None or part == want for part, want in zip(given, wanted, strict=False))


def dates(text: str) -> list[PartialDate]:
    """Find the dates of a text, the fuller form first where two overlap."""
    found: list[PartialDate] = []
    for pattern in _DATES:
        for hit in pattern.finditer(text):
            if not any(hit.start() < old.end and old.start < hit.end() for old in found):
                found.append(_date(hit))
    return sorted(found, key=lambda date: date.start)


def _date(hit: re.Match[str]) -> PartialDate:
    groups = hit.groupdict()
    year, month, day = (int(groups[key]) if groups.get(key) else None for key in ("y", "m", "d"))
    if groups.get("mon"):
        month = MONTHS.index(groups["mon"][:3].lower()) + 1
    return PartialDate(hit.start(), hit.end(), hit[0].strip(), year, month, day)


def quantities(text: str) -> list[Quantity]:
    """Find the numbers of a text that are no dates, each with its unit."""
    taken = dates(text)
    masked = list(text)
    for date in taken:
        masked[date.start : date.end] = " " * (date.end - date.start)
    plain = "".join(masked)
    return [_quantity(hit, side=_SIDE.match(plain, hit.end()) is not None) for hit in _QUANTITY.finditer(plain)]


def _quantity(hit: re.Match[str], *, side: bool) -> Quantity:
    value = _number(hit["n"])
    if hit["big"]:
        value = value * _BIG[hit["big"].lower()] + (_number(hit["rest"]) if hit["rest"] else 0)
    unit = _UNIT_OF.get((hit["unit"] or "").lower(), "") or _UNIT_OF_LABEL.get((hit["before"] or "").lower(), "")
    if side and not unit:
        unit = "mm"
    if unit == "copies" and value < FEWEST_COPIES:
        unit = "parts"
    return Quantity(hit.start("n"), hit.end(), hit[0].strip(), value, unit)


def _number(digits: str) -> float:
    """Read digits with thousands commas; more than 15 digits are as good as infinite."""
    plain = digits.replace(",", "")
    return float(plain[:16]) if plain.isascii() else 0.0
