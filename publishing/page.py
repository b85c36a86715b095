"""Form of a one-page proposal: its parts, its length, and its pitch."""

from __future__ import annotations

from pathlib import Path

from labs.checks import CheckResult, Finding, failed, share
from labs.texts import Text
from publishing.manuscript import sheets
from publishing.proposal import FILE, PARTS, Part, parse, part_of, read_proposal, sentences


def required_parts(folder: Path, *, file: str = FILE, min_chars: int = 5) -> CheckResult:
    """Check that every part of a proposal stands under its heading; each part counts the same.

    Source: the parts Korean publishers ask for in an 출간기획서; the contents need two entries or more.
    """
    text = read_proposal(folder, file)
    if isinstance(text, CheckResult):
        return text
    parts = parse(text)
    findings = [_part_finding(parts, part, name, min_chars) for part, name in PARTS.items()]
    return share(sum(f.ok for f in findings), len(findings), findings)


def _part_finding(parts: list[Part], part_id: str, name: Text, min_chars: int) -> Finding:
    part = part_of(parts, part_id)
    if part is None or len(part.text) < min_chars:
        return Finding(
            where=FILE,
            found=Text(ko=f"'{name.ko}' 항목이 없거나 비어 있습니다.", en=f"The part '{name.en}' is missing or empty."),
            right=Text(ko=f"'## {name.ko}' 아래에 내용을 쓰세요.", en=f"Write it under '## {name.en}'."),
        )
    if part_id == "contents" and len(part.lines) < 2:
        return Finding(
            where=f"{FILE}:{part.number}",
            found=Text(ko="목차가 한 줄뿐입니다.", en="The contents are one line only."),
            right=Text(ko="부나 장을 한 줄에 하나씩 쓰세요.", en="Write one part or chapter a line."),
        )
    return Finding(
        ok=True,
        where=f"{FILE}:{part.number}",
        found=Text(ko=f"'{name.ko}' 항목이 있습니다.", en=f"The part '{name.en}' is there."),
    )


def one_page(folder: Path, *, max_chars: int, min_chars: int = 300, file: str = FILE) -> CheckResult:
    """Check that the text fits one page: characters with spaces, blank lines left out.

    Points fall in a straight line to none at 20 % over the limit. Source of the limit: the lab's brief (11-point type on A4).
    """
    text = read_proposal(folder, file)
    if isinstance(text, CheckResult):
        return text
    body = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    length, paper = len(body), sheets(body)
    over = max(0.0, (length - max_chars) / (0.2 * max_chars))
    score = 0.0 if length < min_chars else max(0.0, 1 - over)
    finding = Finding(
        ok=score == 1,
        where=file,
        found=Text(
            ko=f"공백을 포함해 {length:,}자입니다(200자 원고지 {paper:g}매).",
            en=f"{length:,} characters with spaces.",
        ),
        right=Text(
            ko=f"{min_chars:,}자 이상 {max_chars:,}자 이하로 쓰세요."
            + (f" {length - max_chars:,}자를 줄여야 합니다." if over else ""),
            en=f"Keep it between {min_chars:,} and {max_chars:,}."
            + (f" Cut {length - max_chars:,} characters." if over else ""),
        ),
    )
    return CheckResult(score=score, findings=(finding,))


def pitch(folder: Path, *, max_chars: int, min_chars: int = 15, file: str = FILE) -> CheckResult:
    """Check that the pitch is one sentence (half the points) and within its length (the other half)."""
    text = read_proposal(folder, file)
    if isinstance(text, CheckResult):
        return text
    part = part_of(parse(text), "pitch")
    if part is None:
        return failed(
            Text(ko="한 줄 소개가 없습니다.", en="There is no pitch."),
            Text(ko="'## 한 줄 소개' 아래에 한 문장을 쓰세요.", en="Write one sentence under '## Pitch'."),
            where=file,
        )
    count, length = sum(len(sentences(line.text)) for line in part.lines), len(part.text)
    where = part.lines[0].where
    findings = [
        Finding(
            ok=count == 1,
            where=where,
            found=Text(ko=f"한 줄 소개가 {count}문장입니다.", en=f"The pitch has {count} sentence(s)."),
            right=Text(ko="한 문장으로 줄이세요.", en="Make it one sentence."),
        ),
        Finding(
            ok=min_chars <= length <= max_chars,
            where=where,
            found=Text(ko=f"한 줄 소개가 {length}자입니다.", en=f"The pitch has {length} characters."),
            right=Text(
                ko=f"{min_chars}자 이상 {max_chars}자 이하로 쓰세요.",
                en=f"Keep it between {min_chars} and {max_chars} characters.",
            ),
        ),
    ]
    return share(sum(f.ok for f in findings), 2, findings)
