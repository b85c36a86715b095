"""A paper edit: a clip cut on the transcript alone, as times of the source, and its checks.

The rule: a cut list is measured against the transcript's times; one that is no clip at all (nothing, or most of the source)
scores nothing in any of the checks.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from labs.checks import CheckResult, Finding, failed, read_text, share
from labs.manifest import Data, load
from labs.texts import Text, UserError
from video_content.cuts import FILE, CutList, Range

#: A cut may lie so far inside a line before the ear hears it: a breath, or a consonant's onset.
TOLERANCE_SECONDS = 0.15
#: Shorter or longer is no clip: nothing was chosen, or nothing was left out.
CLIP_SECONDS = (8.0, 40.0)
#: One thing that should be gone makes a clip hard to use, a second one useless; the same for a cut through a word.
COST = 0.5
ROW = re.compile(r"\s*(\d{1,4}(?:\.\d{1,3})?)\s*[-~–,]\s*(\d{1,4}(?:\.\d{1,3})?)\s*(?:초|s)?\s*")


class Moment(Data):
    """What must be in the clip, or must not: lines of the transcript, and why. `unless` is the line that makes it right."""

    lines: tuple[str, ...]
    why: Text
    unless: str | None = None


class Key(Data):
    """The institution's key."""

    keep: tuple[Moment, ...]
    drop: tuple[Moment, ...]


def read_cuts(text: str, source: str) -> CutList:
    """Read a cut a line, "3.0 - 7.2", in seconds; UserError names the line that cannot be read."""
    ranges = []
    for number, row in enumerate(text.splitlines(), 1):
        if not row.strip():
            continue
        match = ROW.fullmatch(row)
        if not match or float(match[1]) >= float(match[2]):
            raise UserError(
                f"{number}번째 줄 '{row.strip()[:40]}'을 읽을 수 없습니다. '3.0 - 7.2'처럼 시작과 끝을 초로 적으세요.",
                f"Line {number}, '{row.strip()[:40]}', cannot be read: write start and end in seconds, like 3.0 - 7.2.",
            )
        ranges.append(Range(start=float(match[1]), end=float(match[2])))
    return CutList(source=source, ranges=tuple(ranges))


def save_cuts(folder: Path, text: str, lang: str, source: str = "interview") -> str:
    """Write cutlist.json from what was typed, and say how long the clip is; or say what is wrong, and write nothing."""
    try:
        cuts = read_cuts(text, source)
    except UserError as error:
        return error.text.in_(lang)
    if not cuts.ranges:
        return Text(ko="아직 컷이 없어 저장하지 않았습니다.", en="There is no cut yet; nothing was saved.").in_(lang)
    cuts.save(folder)
    said = Text(
        ko=f"컷 {len(cuts.ranges)}개, 모두 {cuts.seconds:.1f}초. {FILE}에 저장했습니다.",
        en=f"{len(cuts.ranges)} cuts, {cuts.seconds:.1f} s in all. Saved in {FILE}.",
    )
    return said.in_(lang)


def read_transcript(path: Path) -> list[dict[str, Any]]:
    """Read the transcript's lines: id, start, end, who, text."""
    lines: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["lines"]
    return lines


def length(folder: Path, *, min_seconds: float, max_seconds: float, slack_seconds: float = 3) -> CheckResult:
    """Check the clip's length; up to `slack_seconds` beside it, half the points. Source: the brief."""
    cuts = _clip(folder)
    if isinstance(cuts, CheckResult):
        return cuts
    off = max(min_seconds - cuts.seconds, cuts.seconds - max_seconds, 0.0)
    told = Text(ko=f"모두 {cuts.seconds:.1f}초입니다.", en=f"It lasts {cuts.seconds:.1f} s.")
    right = Text(
        ko=f"{min_seconds:g}~{max_seconds:g}초로 맞추세요.", en=f"Make it {min_seconds:g} to {max_seconds:g} s."
    )
    earned = 1.0 if off < 0.05 else 0.5 if off <= slack_seconds else 0.0
    return share(earned, 1, [Finding(ok=earned == 1, where=FILE, found=told, right=right)])


def keeps_lines(folder: Path, *, key: Path, transcript: Path) -> CheckResult:
    """Check that what the brief asks for is in the clip whole. Source: the brief, written down in the key."""
    cuts = _clip(folder)
    if isinstance(cuts, CheckResult):
        return cuts
    lines = _times(transcript)
    findings = []
    for moment in load(key, Key).keep:
        there = all(_inside(cuts, lines[line]) for line in moment.lines)
        told = (
            Text(ko="들어가야 할 말이 온전히 들어 있습니다.", en="What must be in is in, whole.")
            if there
            else Text(ko="들어가야 할 말이 빠졌거나 잘렸습니다.", en="What must be in is missing or cut short.")
        )
        findings.append(Finding(ok=there, where=", ".join(moment.lines), found=told, right=moment.why))
    return share(sum(finding.ok for finding in findings), len(findings), findings)


def drops_lines(folder: Path, *, key: Path, transcript: Path) -> CheckResult:
    """Check that what must go is gone; each thing left costs half. Source: the brief and what the speaker asked for."""
    cuts = _clip(folder)
    if isinstance(cuts, CheckResult):
        return cuts
    lines = _times(transcript)
    left = [m for m in load(key, Key).drop if _left(cuts, lines, m)]
    if not left:
        told = Text(ko="빼야 할 말이 남아 있지 않습니다.", en="Nothing that must go is left.")
        return share(1, 1, [Finding(ok=True, where=FILE, found=told)])
    told = Text(ko="빼야 할 말이 남아 있습니다.", en="What must go is still in.")
    findings = [Finding(where=", ".join(m.lines), found=told, right=m.why) for m in left]
    return share(1 - COST * len(left), 1, findings)


def between_words(folder: Path, *, transcript: Path) -> CheckResult:
    """Check that no cut goes through a line that is being spoken; each one that does costs half.

    Source: editing practice; a cut in a word or in half a sentence is heard by everybody.
    """
    cuts = _clip(folder)
    if isinstance(cuts, CheckResult):
        return cuts
    points = [point for kept in cuts.ranges for point in (kept.start, kept.end)]
    through = [(point, line) for point in points for line in _times(transcript).values() if _cuts(point, line)]
    if not through:
        told = Text(ko="모든 컷이 말과 말 사이에 있습니다.", en="Every cut lies between sentences.")
        return share(1, 1, [Finding(ok=True, where=FILE, found=told)])
    findings = [
        Finding(
            where=f"{point:.2f}",
            found=Text(ko=f"{line.line} 말 중간에서 자릅니다.", en=f"It cuts through {line.line}."),
            right=Text(
                ko=f"{line.start:g}초 앞이나 {line.end:g}초 뒤로 옮기세요.",
                en=f"Move it before {line.start:g} s or after {line.end:g} s.",
            ),
        )
        for point, line in through
    ]
    return share(1 - COST * len(through), 1, findings)


def _clip(folder: Path) -> CutList | CheckResult:
    text = read_text(folder, FILE, max_bytes=100_000)
    if isinstance(text, CheckResult):
        return text
    try:
        cuts = CutList.model_validate_json(text)
    except ValidationError:
        return failed(
            Text(ko=f"{FILE}을 읽을 수 없습니다.", en=f"{FILE} cannot be read."),
            Text(ko="컷 목록 저장 칸을 다시 실행하세요.", en="Run the cell that saves the cut list again."),
            where=FILE,
        )
    shortest, longest = CLIP_SECONDS
    if shortest <= cuts.seconds <= longest:
        return cuts
    return failed(
        Text(
            ko=f"모두 {cuts.seconds:.1f}초라서 요청한 영상으로 볼 수 없습니다.",
            en=f"With {cuts.seconds:.1f} s it is not the clip asked for.",
        ),
        Text(ko="의뢰서의 길이에 맞게 컷을 고르세요.", en="Choose cuts for the length in the brief."),
        where=FILE,
    )


def _times(transcript: Path) -> dict[str, Range]:
    lines = read_transcript(transcript)
    return {line["id"]: Range(start=line["start"], end=line["end"], line=line["id"]) for line in lines}


def _inside(cuts: CutList, line: Range) -> bool:
    return any(
        kept.start <= line.start + TOLERANCE_SECONDS and line.end - TOLERANCE_SECONDS <= kept.end
        for kept in cuts.ranges
    )


def _left(cuts: CutList, lines: dict[str, Range], moment: Moment) -> bool:
    if moment.unless and _inside(cuts, lines[moment.unless]):
        return False
    return any(
        kept.start < lines[line].end - TOLERANCE_SECONDS and lines[line].start + TOLERANCE_SECONDS < kept.end
        for kept in cuts.ranges
        for line in moment.lines
    )


def _cuts(point: float, line: Range) -> bool:
    return line.start + TOLERANCE_SECONDS < point < line.end - TOLERANCE_SECONDS
