"""Facts of a proposal against the author's memo: what contradicts it, what stands nowhere in it, what is missing.

The rule: only the proposal and the institution's key are compared; what the learner says about a fact counts nothing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from labs.checks import CheckResult, Finding
from labs.manifest import Data, load
from labs.texts import Text
from publishing.brief import quoted, read_brief
from publishing.numbers import PartialDate, Quantity, dates, quantities
from publishing.proposal import FILE, Line, Part, parse, part_of, read_proposal, sentences, titles

#: A longer sentence is searched in pieces of this length, so that no pattern takes long.
MAX_SENTENCE = 1_000
_CLAUSE = re.compile(r"[,;·•/]\s+|\s[–—|]\s")


class KeyNumber(Data):
    """A number that the memo gives, with its unit; `required` where the proposal must state it."""

    unit: str
    value: float
    source: str
    name: str
    required: bool = False


class KeyDate(Data):
    """A date that the memo gives ('2027-06-18', '2021'), and the words that a proposal calls it by."""

    date: str = Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")
    source: str
    name: str
    words: tuple[str, ...]
    required: bool = False


class KeyWords(Data):
    """Words that must stand in a part."""

    part: str
    any: tuple[str, ...]
    source: str
    name: str


class KeyClaim(Data):
    """A statement that the memo contradicts or does not make; `unless` is the same sentence told rightly."""

    pattern: str
    unless: str | None = None
    source: str
    right: str


class Key(Data):
    """The institution's key of one lab in one language."""

    numbers: tuple[KeyNumber, ...]
    dates: tuple[KeyDate, ...]
    words: tuple[KeyWords, ...]
    titles: dict[str, str]
    claims: tuple[KeyClaim, ...]


@dataclass(frozen=True)
class Fault:
    """A statement that does not agree with the memo, and what would be right."""

    finding: Finding
    right: str = ""


@dataclass(frozen=True)
class Said:
    """One sentence of the proposal and where it stands."""

    line: Line
    text: str


def agrees_with_brief(
    folder: Path, *, key: Path, brief: Path, per_fault: float = 0.25, file: str = FILE
) -> CheckResult:
    """Check names, numbers, dates and claims of a proposal against the key; each fault costs `per_fault` of the points.

    The part with comparable titles is left to its own check. Source of the rule: one wrong figure in a proposal goes into the
    estimate and the press release, so a fault costs much, and a fact that the house's form asks for must be there.
    """
    text = read_proposal(folder, file)
    if isinstance(text, CheckResult):
        return text
    facts, memo, parts = load(key, Key), read_brief(brief), parse(text)
    said = [
        Said(line, sentence[start : start + MAX_SENTENCE])
        for part in parts
        if part.id != "comparables"
        for line in part.lines
        for sentence in sentences(line.text)
        for start in range(0, len(sentence), MAX_SENTENCE)
    ]
    faults = [fault for one in said for fault in _faults(one, facts, memo)]
    needs = _required(facts, parts, said, memo)
    # A wrong price is one fault: it is not missing as well.
    missing = [need for name, need in needs if not need.ok and not any(name in fault.right for fault in faults)]
    wrong = [*(fault.finding for fault in faults), *missing]
    findings = [*wrong, *(need for _name, need in needs if need.ok)]
    return CheckResult(score=max(0.0, 1 - per_fault * len(wrong)), findings=tuple(findings[:20]))


def _faults(said: Said, key: Key, memo: dict[str, str]) -> list[Fault]:
    found: list[Fault] = []
    taken: list[tuple[int, int]] = []
    for claim in key.claims:
        hit = re.search(claim.pattern, said.text, re.IGNORECASE)
        if hit and not (claim.unless and re.search(claim.unless, said.text, re.IGNORECASE)):
            taken.append(hit.span())
            found.append(_wrong(said.line, hit[0], claim.right, claim.source, memo))
    for title in titles(said.text):
        if not any(_same(title, known) for known in key.titles):
            right = " / ".join(key.titles)
            found.append(_wrong(said.line, title, right, next(iter(key.titles.values())), memo))
    for date in dates(said.text):
        if not _covered(date.start, date.end, taken) and (wanted := _wrong_date(said.text, date, key.dates)):
            right = " / ".join(f"{want.name} {want.date}" for want in wanted)
            found.append(_wrong(said.line, date.raw, right, wanted[0].source, memo))
    for number in quantities(said.text):
        if not _covered(number.start, number.end, taken) and not _in_brief(number, key.numbers):
            found.append(_wrong_number(said.line, number, key.numbers, memo))
    return _once(found)


def _once(faults: list[Fault]) -> list[Fault]:
    """Keep one of a sentence's faults that one correction mends, such as both sides of a trim size."""
    rights = [fault.right for fault in faults]
    return [fault for number, fault in enumerate(faults) if not fault.right or fault.right not in rights[:number]]


def _covered(start: int, end: int, taken: list[tuple[int, int]]) -> bool:
    return any(start < other_end and other_start < end for other_start, other_end in taken)


def _same(one: str, other: str) -> bool:
    return [ch for ch in one.lower() if ch.isalnum()] == [ch for ch in other.lower() if ch.isalnum()]


def _wrong_date(sentence: str, date: PartialDate, known: tuple[KeyDate, ...]) -> tuple[KeyDate, ...]:
    """Give the dates that this one should have been; empty where it is right. Words of its own clause say which it is."""
    starts = [0, *(cut.end() for cut in _CLAUSE.finditer(sentence)), len(sentence) + 1]
    begin = max(start for start in starts if start <= date.start)
    end = min(start for start in starts if start > date.start)
    clause = sentence[begin:end].lower()
    meant = tuple(want for want in known if any(word.lower() in clause for word in want.words))
    if any(date.agrees(want.date) for want in meant or known):
        return ()
    return meant or tuple(want for want in known if want.required)


def _in_brief(number: Quantity, known: tuple[KeyNumber, ...]) -> bool:
    """Tell whether the memo gives this number in this unit; a number without a unit may be any of the memo's."""
    return any(number.value == want.value and number.unit in ("", want.unit) for want in known)


def _wrong_number(line: Line, number: Quantity, known: tuple[KeyNumber, ...], memo: dict[str, str]) -> Fault:
    rights = [want for want in known if number.unit and want.unit == number.unit]
    if rights:
        right = ", ".join(f"{want.name} {want.value:,g}" for want in rights)
        return _wrong(line, number.raw, right, rights[0].source, memo)
    finding = Finding(
        where=line.where,
        found=Text(
            ko=f"'{number.raw[:40]}'라는 숫자는 저자 메모의 지금 조건에 없습니다.",
            en=f"The figure '{number.raw[:40]}' is not among those that hold in the memo.",
        ),
        right=Text(
            ko="메모에서 근거를 찾아 고치고, 없으면 지우세요.",
            en="Find its line in the memo and mend it, or take it out.",
        ),
    )
    return Fault(finding)


def _wrong(line: Line, said: str, right: str, source: str, memo: dict[str, str]) -> Fault:
    finding = Finding(
        where=line.where,
        found=Text(
            ko=f"'{said[:80]}'은(는) 저자 메모와 다르거나 메모에 없습니다.",
            en=f"'{said[:80]}' contradicts the memo or stands nowhere in it.",
        ),
        right=Text(ko=f"{right} – 메모 {quoted(memo, source)}", en=f"{right} – memo {quoted(memo, source)}"),
    )
    return Fault(finding, right)


def _required(key: Key, parts: list[Part], said: list[Said], memo: dict[str, str]) -> list[tuple[str, Finding]]:
    """Say of each fact that the form asks for whether the proposal states it."""
    numbers = {(number.unit, number.value) for one in said for number in quantities(one.text)}
    given = [date for one in said for date in dates(one.text) if date.month]
    wants = [(want.name, want.source, (want.unit, want.value) in numbers) for want in key.numbers if want.required]
    wants += [(d.name, d.source, any(date.agrees(d.date) for date in given)) for d in key.dates if d.required]
    for want in key.words:
        part = part_of(parts, want.part)
        wants.append((want.name, want.source, part is not None and any(word in part.text for word in want.any)))
    return [(name, _needed(name, source, there, memo)) for name, source, there in wants]


def _needed(name: str, source: str, there: bool, memo: dict[str, str]) -> Finding:
    if there:
        return Finding(ok=True, where=FILE, found=Text(ko=f"{name}: 메모와 같습니다.", en=f"{name}: as in the memo."))
    return Finding(
        where=FILE,
        found=Text(ko=f"{name}: 기획서에 없거나 메모와 다릅니다.", en=f"{name}: missing, or not as in the memo."),
        right=Text(ko=f"메모 {quoted(memo, source)}", en=f"Memo {quoted(memo, source)}"),
    )
