"""The check of a judgement: which of an AI's proposals a learner found wrong, against the institution's key.

The rule: finding counts only as far as it tells faulty from sound. A learner who takes everything and one who rejects
everything both get nothing.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from labs.checks import CheckResult, Finding, share
from labs.evidence import FILE, read_evidence
from labs.manifest import Data, Slug, load
from labs.texts import Text

#: The choice that says: this proposal can be used as it is.
OK = "ok"


class Proposal(Data):
    """What is right of one proposal: the kinds of fault that may be named (none: it is sound), and why."""

    faults: tuple[Slug, ...] = ()
    because: Text


class Key(Data):
    """The institution's key: every proposal by its id."""

    proposals: dict[str, Proposal] = Field(min_length=2)


def judged(folder: Path, *, key: Path, named: bool = False, file: str = FILE) -> CheckResult:
    """Check what was found: the share of faulty proposals found, less the share of sound ones called faulty.

    With `named`, a fault counts as found only under its own kind. A proposal without a judgement counts as not found.
    Source: Youden's index (W. J. Youden, Cancer 3, 1950): sensitivity + specificity - 1, here not below 0.
    """
    evidence = read_evidence(folder, file)
    if isinstance(evidence, CheckResult):
        return evidence
    said = {item.id: item.final for item in evidence.items}
    wanted = load(key, Key).proposals
    findings = {name: _finding(name, want, said.get(name, ""), named) for name, want in wanted.items()}
    faulty = [findings[name].ok for name, want in wanted.items() if want.faults]
    sound = [said.get(name, "") in ("", OK) for name, want in wanted.items() if not want.faults]
    score = _part(faulty) - (1 - _part(sound) if sound else 0)
    return share(score, 1, sorted(findings.values(), key=lambda finding: finding.ok))


def _part(oks: list[bool]) -> float:
    return sum(oks) / len(oks) if oks else 0.0


def _finding(name: str, want: Proposal, said: str, named: bool) -> Finding:
    right, found = want.because, said not in ("", OK)
    if not want.faults:
        told = _sound(said)
        return Finding(ok=said == OK, where=name, found=told, right=right)
    if not found:
        told = Text(ko="문제가 있는 제안인데 찾지 못했습니다.", en="This proposal is faulty, and it was not found.")
        return Finding(where=name, found=told, right=right)
    if named and said not in want.faults:
        told = Text(ko="문제의 종류를 다르게 골랐습니다.", en="The fault was named as another kind.")
        return Finding(where=name, found=told, right=right)
    told = Text(ko=f"문제를 찾았습니다. {right.ko}", en=f"The fault was found. {right.en}")
    return Finding(ok=True, where=name, found=told)


def _sound(said: str) -> Text:
    if said == OK:
        return Text(ko="쓸 수 있는 제안을 그대로 두었습니다.", en="A sound proposal was kept.")
    if said:
        return Text(ko="쓸 수 있는 제안을 문제로 골랐습니다.", en="A sound proposal was called faulty.")
    return Text(ko="판단하지 않았습니다.", en="It was not judged.")
