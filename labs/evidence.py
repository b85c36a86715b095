"""What the learner did with each AI answer: accepted, edited or rejected, and why.

Kept in `evidence.json` of the lab's folder, which is handed in with the work. It is the learner's own statement; the AI
gateway's receipts stand beside it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labs.checks import CheckResult, Finding, failed, read_text, share
from labs.texts import Text

FILE = "evidence.json"
Decision = Literal["accepted", "edited", "rejected"]
RECEIPT = re.compile(r"rcpt_[0-9a-f]{24}")


def receipt_id(said: object) -> str:
    """Give the id of an AI's answer where it is that of a gateway receipt; other services name their answers otherwise."""
    return said if isinstance(said, str) and RECEIPT.fullmatch(said) else ""


class Item(BaseModel):
    """One AI answer and what became of it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=100)
    ai: str = Field(max_length=20_000, description="what the AI answered")
    final: str = Field(max_length=20_000, description="what the learner made of it")
    decision: Decision
    reason: str = Field(default="", max_length=2_000)
    model: str = Field(default="", max_length=200)
    receipt: str = Field(default="", pattern=rf"^({RECEIPT.pattern})?$", description="the receipt of the AI call")


class Evidence(BaseModel):
    """All AI answers of one lab, by id."""

    model_config = ConfigDict(extra="forbid")

    items: list[Item] = Field(default_factory=list, max_length=2_000)

    def record(self, item: Item) -> None:
        """Put an item in, in the place of an older one with the same id."""
        self.items = [*(old for old in self.items if old.id != item.id), item]

    @property
    def changed(self) -> list[Item]:
        return [item for item in self.items if item.decision != "accepted"]

    @property
    def calls(self) -> int:
        """How many AI calls with a receipt these answers came from."""
        return len({item.receipt for item in self.items if item.receipt})

    def calls_line(self, lang: str) -> str:
        """Say for a disclosure how many AI calls there were; empty where no receipt is known."""
        said = Text(
            ko=f"검토한 AI 답변을 받은 AI 호출: {self.calls}번", en=f"AI calls behind the answers judged: {self.calls}"
        )
        return said.in_(lang) if self.calls else ""


def write_text_safely(path: Path, text: str) -> None:
    """Replace a file in one step, so that a stopped kernel leaves the old or the new one, never half of it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}")
    os.fchmod(handle, 0o644)  # it is handed in and read by others
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    Path(temporary).replace(path)


def load_evidence(folder: Path) -> Evidence:
    """Read evidence.json; no file is empty evidence. ValueError where the file cannot be read."""
    path = folder / FILE
    return Evidence.model_validate_json(path.read_text("utf-8")) if path.is_file() else Evidence()


def save_evidence(folder: Path, items: Iterable[Item]) -> Evidence:
    """Record items in evidence.json and give the whole evidence."""
    evidence = load_evidence(folder)
    for item in items:
        evidence.record(item)
    write_text_safely(folder / FILE, evidence.model_dump_json(indent=2))
    return evidence


def read_evidence(folder: Path, file: str = FILE) -> Evidence | CheckResult:
    """Read the evidence of a submission, or give the result that says what is wrong with it."""
    text = read_text(folder, file)
    if isinstance(text, CheckResult):
        return text
    try:
        return Evidence.model_validate_json(text)
    except ValidationError:
        return failed(
            Text(ko=f"{file}을 읽을 수 없습니다.", en=f"{file} cannot be read."),
            Text(ko="검토 양식에서 다시 저장하세요.", en="Save it again from the review form."),
            where=file,
        )


def reviewed(
    folder: Path,
    *,
    file: str = FILE,
    min_items: int = 1,
    min_changed: int = 1,
    each_with_reason: bool = True,
    min_reason_chars: int = 5,
) -> CheckResult:
    """Check that the learner judged every AI answer: enough of them, some changed, each change with a reason."""
    evidence = read_evidence(folder, file)
    if isinstance(evidence, CheckResult):
        return evidence
    wants = _requirements(evidence, min_items, min_changed, each_with_reason, min_reason_chars)
    return share(sum(want.ok for want in wants), len(wants), wants)


def _requirements(
    evidence: Evidence, min_items: int, min_changed: int, each_with_reason: bool, min_reason_chars: int
) -> list[Finding]:
    judged, changed = len(evidence.items), len(evidence.changed)
    wants = [
        Finding(
            ok=judged >= min_items,
            where=FILE,
            found=Text(ko=f"AI 답변 {judged}개를 검토했습니다.", en=f"{judged} AI answers were judged."),
            right=Text(ko=f"{min_items}개 이상 검토하세요.", en=f"Judge at least {min_items}."),
        ),
        Finding(
            ok=changed >= min_changed,
            where=FILE,
            found=Text(ko=f"{changed}개를 고치거나 거절했습니다.", en=f"{changed} were edited or rejected."),
            right=Text(
                ko=f"AI가 틀린 답을 {min_changed}개 이상 찾아 고치세요.",
                en=f"Find and mend at least {min_changed} that the AI got wrong.",
            ),
        ),
    ]
    if each_with_reason:
        bare = [item.id for item in evidence.changed if len(item.reason.strip()) < min_reason_chars]
        wants.append(
            Finding(
                ok=not bare and changed > 0,
                where=", ".join(bare)[:200] or FILE,
                found=Text(ko=f"이유 없이 고친 답변이 {len(bare)}개입니다.", en=f"{len(bare)} changes have no reason."),
                right=Text(
                    ko="고친 답변마다 이유를 한 문장으로 적으세요.", en="Give one sentence of reason for every change."
                ),
            )
        )
    return wants
