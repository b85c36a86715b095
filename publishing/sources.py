"""The table of sources (`facts.json`): each factual sentence of a proposal with the memo's line that it rests on.

The rule: a quotation is compared with the memo and a claim with the proposal; neither is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labs.checks import CheckResult, Finding, failed, read_json, share
from labs.evidence import write_text_safely
from labs.texts import Text
from publishing.brief import quoted, read_brief
from publishing.proposal import FILE as PROPOSAL
from publishing.proposal import Line, parse, read_proposal, sentences, titles

FILE = "facts.json"
MIN_CLAIM = 4
MIN_QUOTE = 6
_WORD = re.compile(r"[가-힣]{2,}|[A-Za-z]{4,}|\d[\d,]*")
#: What stands in these parts is the book's own text, not a statement about the world.
_NO_FACTS = ("contents", None)


class Fact(BaseModel):
    """A claim of the proposal, and the words of the memo that it rests on."""

    model_config = ConfigDict(extra="forbid")

    claim: str = Field(max_length=500)
    line: str = Field(max_length=10)
    quote: str = Field(max_length=500)


class Facts(BaseModel):
    """The whole of facts.json."""

    model_config = ConfigDict(extra="forbid")

    facts: list[Fact] = Field(max_length=100)


def factual(text: str) -> list[tuple[Line, str]]:
    """List a proposal's sentences that state a fact: those with a number or a book's title, the contents left out."""
    return [
        (line, sentence)
        for part in parse(text)
        if part.id not in _NO_FACTS
        for line in part.lines
        for sentence in sentences(line.text)
        if titles(sentence) or any(ch.isdigit() for ch in sentence)
    ]


def save_facts(folder: Path, facts: Iterable[Fact]) -> None:
    """Write facts.json."""
    whole = {"facts": [fact.model_dump() for fact in facts]}
    write_text_safely(folder / FILE, json.dumps(whole, ensure_ascii=False, indent=1) + "\n")


def quotes_stand(folder: Path, *, brief: Path, file: str = FILE, proposal: str = PROPOSAL) -> CheckResult:
    """Check that each factual sentence has a source, each claim stands in the proposal, each quotation in the memo's line.

    The share: sentences with a source that stands, of all factual sentences and all entries that do not stand.
    """
    text = read_proposal(folder, proposal)
    if isinstance(text, CheckResult):
        return text
    data = read_json(folder, file)
    if isinstance(data, CheckResult):
        return data
    try:
        facts = Facts.model_validate(data).facts
    except ValidationError as error:
        return _not_facts(file, ".".join(map(str, error.errors()[0]["loc"])))
    memo, needs = read_brief(brief), factual(text)
    broken = {number: fault for number, fact in enumerate(facts) if (fault := _fault(number, fact, text, memo, file))}
    standing = [_flat(fact.claim) for number, fact in enumerate(facts) if number not in broken]
    bare = [_bare(line, sentence) for line, sentence in needs if not _has_source(sentence, standing)]
    good = len(needs) - len(bare)
    findings = [*broken.values(), *bare]
    told = Finding(
        ok=good > 0,
        where=file,
        found=Text(
            ko=f"사실을 말한 {len(needs)}문장 가운데 {good}문장에 맞는 출처가 있습니다.",
            en=f"{good} of {len(needs)} factual sentences have a source that stands.",
        ),
        right=Text(ko="사실표에서 문장마다 메모의 줄을 고르세요.", en="Choose a line of the memo for each sentence."),
    )
    return share(good, len(needs) + len(broken), [told, *findings])


def _not_facts(file: str, where: str) -> CheckResult:
    return failed(
        Text(ko=f"{file}의 짜임이 다릅니다: {where[:80]}", en=f"{file} has another shape at: {where[:80]}"),
        Text(
            ko='{"facts": [{"claim": "기획서의 말", "line": "B17", "quote": "메모의 말"}]} 꼴로 쓰세요.',
            en='Write it as {"facts": [{"claim": "…", "line": "B17", "quote": "…"}]}.',
        ),
        where=file,
    )


def _fault(number: int, fact: Fact, text: str, memo: dict[str, str], file: str) -> Finding | None:
    """Say what does not stand of an entry, else None."""
    where = f"{file} facts[{number}]"
    claim, quote = _flat(fact.claim), _flat(fact.quote)
    if len(claim) < MIN_CLAIM or claim not in _flat(text):
        return Finding(
            where=where,
            found=Text(
                ko=f"'{fact.claim[:60]}'은(는) 기획서에 없는 말입니다.",
                en=f"'{fact.claim[:60]}' is not in the proposal.",
            ),
            right=Text(ko="기획서의 문장을 그대로 옮기세요.", en="Copy the words of the proposal."),
        )
    if fact.line not in memo or len(quote) < MIN_QUOTE or quote not in _flat(memo[fact.line]):
        return Finding(
            where=where,
            found=Text(
                ko=f"메모 {fact.line} 줄에 '{fact.quote[:60]}'이라는 말이 없습니다.",
                en=f"Line {fact.line} of the memo does not say '{fact.quote[:60]}'.",
            ),
            right=Text(ko=f"메모 {quoted(memo, fact.line)}", en=f"Memo {quoted(memo, fact.line)}"),
        )
    if not _words(fact.claim) & _words(fact.quote):
        return Finding(
            where=where,
            found=Text(
                ko=f"메모 {fact.line} 줄은 '{fact.claim[:60]}'에 대한 말이 아닙니다.",
                en=f"Line {fact.line} of the memo is not about '{fact.claim[:60]}'.",
            ),
            right=Text(ko="같은 사실을 말하는 줄을 고르세요.", en="Choose the line that says the same."),
        )
    return None


def _bare(line: Line, sentence: str) -> Finding:
    return Finding(
        where=line.where,
        found=Text(ko=f"출처가 없습니다: '{sentence[:60]}'", en=f"No source: '{sentence[:60]}'"),
        right=Text(
            ko="메모의 몇 번 줄에서 왔는지 적고, 없으면 지우세요.", en="Name the memo's line, or take the sentence out."
        ),
    )


def _has_source(sentence: str, standing: list[str]) -> bool:
    flat = _flat(sentence)
    return any(claim in flat or flat in claim for claim in standing)


def _flat(text: str) -> str:
    return "".join(ch for ch in text if not ch.isspace() and ch not in "*_")


def _words(text: str) -> set[str]:
    """Words to compare by: numbers whole, others by their beginning, because Korean particles change the end."""
    return {
        word.replace(",", "") if word[0].isdigit() else word.lower()[: 2 if "가" <= word[0] <= "힣" else 4]
        for word in _WORD.findall(text)
    }
