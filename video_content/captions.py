"""Captions as SubRip (SRT): read, write, and the trade's rules on how long and how fast they may be.

The rule this module keeps: a caption file is read to the end whatever is in it; what is wrong is a finding with its line.
Numbers: Netflix Timed Text Style Guides, Korean (16 characters a line, 12 a second) and English (42, 17), two lines each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from labs.checks import CheckResult, Finding, failed, passed, read_text, share
from labs.texts import Text

MAX_CUES = 1000
TIME = r"(\d{1,2}):([0-5]\d):([0-5]\d)[,.](\d{1,3})"
TIMES = re.compile(rf"^\s*{TIME}\s*-->\s*{TIME}\s*$")
#: Neither markup nor invisible characters are read aloud.
MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,40}>|\{\\[^{}]{0,40}\}")


@dataclass(frozen=True)
class Cue:
    """One caption: its time in seconds, its lines, and the line of the file where it stands."""

    start: float
    end: float
    lines: tuple[str, ...]
    at_line: int = 1

    @property
    def text(self) -> str:
        return " ".join(self.lines)

    @property
    def where(self) -> str:
        return timecode(self.start)

    @property
    def characters_per_second(self) -> float:
        return characters(self.text) / max(self.end - self.start, 0.001)


def timecode(seconds: float) -> str:
    """Write a time as SRT does: 00:00:04,250."""
    millis = round(max(0.0, seconds) * 1000)
    return f"{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02},{millis % 1000:03}"


def characters(text: str) -> int:
    """Count what is read: no markup, no marks that join the letter before, no control characters."""
    plain = unicodedata.normalize("NFC", MARKUP.sub("", text))
    return sum(unicodedata.category(c) not in ("Mn", "Me", "Cf", "Cc") for c in plain)


def parse(text: str) -> tuple[list[Cue], list[Finding]]:
    """Read SRT text: its captions in the file's order, and a finding for each block that cannot be read."""
    cues: list[Cue] = []
    problems: list[Finding] = []
    for at_line, block in _blocks(text):
        if len(cues) >= MAX_CUES:
            problems.append(_problem(at_line, "자막이 너무 많습니다.", "There are too many captions."))
            break
        cue = _cue(at_line, block, problems)
        if cue:
            cues.append(cue)
    return cues, problems


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    blocks: list[tuple[int, list[str]]] = []
    fresh = True
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not line.strip():
            fresh = True
        elif fresh:
            blocks.append((number, [line]))
            fresh = False
        else:
            blocks[-1][1].append(line)
    return blocks


def _cue(at_line: int, block: list[str], problems: list[Finding]) -> Cue | None:
    body = block[1:] if block[0].strip().isdecimal() else block
    times = TIMES.match(body[0]) if body else None
    if times is None:
        problems.append(_problem(at_line, "시간 줄을 읽을 수 없습니다.", "The time line cannot be read."))
        return None
    parts = times.groups()
    start, end = _seconds(parts[:4]), _seconds(parts[4:])
    lines = tuple(line.strip() for line in body[1:])
    if end <= start:
        problems.append(_problem(at_line, "자막이 시작하기 전에 끝납니다.", "The caption ends before it begins."))
        return None
    if not any(characters(line) for line in lines):
        problems.append(_problem(at_line, "자막에 글이 없습니다.", "The caption has no text."))
        return None
    return Cue(start, end, lines, at_line)


def _seconds(parts: Sequence[str]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _problem(at_line: int, ko: str, en: str) -> Finding:
    return Finding(
        where=f"line {at_line}",
        found=Text(ko=ko, en=en),
        right=Text(
            ko="번호, '00:00:01,000 --> 00:00:03,000' 꼴의 시간, 글의 순서로 쓰세요.",
            en="Write a number, times like '00:00:01,000 --> 00:00:03,000', then the text.",
        ),
    )


def write(cues: Sequence[Cue]) -> str:
    """Write captions as SRT text, numbered from 1."""
    blocks = [
        f"{number}\n{timecode(cue.start)} --> {timecode(cue.end)}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(cues, 1)
    ]
    return "\n".join(blocks)


def read_cues(folder: Path, file: str) -> list[Cue] | CheckResult:
    """Read a submission's captions, or give the result that says why they cannot be judged."""
    text = read_text(folder, file)
    if isinstance(text, CheckResult):
        return text
    cues, problems = parse(text)
    if cues:
        return cues
    return (
        CheckResult(score=0, findings=tuple(problems[:5]))
        if problems
        else failed(
            Text(ko=f"{file}에 자막이 하나도 없습니다.", en=f"{file} has no captions."),
            Text(ko="남긴 말마다 자막을 넣으세요.", en="Write a caption for everything that is said."),
            where=file,
        )
    )


def line_length(folder: Path, *, file: str, max_characters: int, max_lines: int = 2) -> CheckResult:
    """Check that captions can be read at all, and fit in so many lines of so many characters."""
    cues = read_cues(folder, file)
    if isinstance(cues, CheckResult):
        return cues
    text = read_text(folder, file)
    problems = parse(text)[1] if isinstance(text, str) else []
    findings = list(problems)
    for cue in cues:
        longest = max(map(characters, cue.lines))
        if len(cue.lines) > max_lines or longest > max_characters:
            findings.append(
                Finding(
                    where=cue.where,
                    found=Text(
                        ko=f"{len(cue.lines)}줄, 가장 긴 줄이 {longest}자입니다: {cue.text[:60]}",
                        en=f"{len(cue.lines)} lines, the longest of {longest} characters: {cue.text[:60]}",
                    ),
                    right=Text(
                        ko=f"{max_lines}줄, 한 줄 {max_characters}자 안으로 나누세요.",
                        en=f"Keep to {max_lines} lines of {max_characters} characters; split the caption.",
                    ),
                )
            )
    if not findings:
        return passed(
            f"자막 {len(cues)}개가 모두 {max_lines}줄, {max_characters}자 안입니다.",
            f"All {len(cues)} captions keep within {max_lines} lines of {max_characters} characters.",
        )
    return share(len(cues) + len(problems) - len(findings), len(cues) + len(problems), findings)


def reading_speed(folder: Path, *, file: str, max_cps: float) -> CheckResult:
    """Check that no caption has to be read faster than so many characters a second, spaces counted."""
    cues = read_cues(folder, file)
    if isinstance(cues, CheckResult):
        return cues
    fast = [cue for cue in cues if cue.characters_per_second > max_cps + 0.05]
    findings = [
        Finding(
            where=cue.where,
            found=Text(
                ko=f"1초에 {cue.characters_per_second:.1f}자를 읽어야 합니다: {cue.text[:60]}",
                en=f"{cue.characters_per_second:.1f} characters a second: {cue.text[:60]}",
            ),
            right=Text(
                ko=f"{characters(cue.text) / max_cps:.1f}초 이상 보이게 하거나 글을 줄이세요.",
                en=f"Show it for {characters(cue.text) / max_cps:.1f} s at least, or shorten it.",
            ),
        )
        for cue in fast
    ]
    if not findings:
        return passed(
            f"자막이 모두 초당 {max_cps:g}자를 넘지 않습니다.",
            f"No caption is faster than {max_cps:g} characters a second.",
        )
    return share(len(cues) - len(fast), len(cues), findings)


def no_overlap(folder: Path, *, file: str) -> CheckResult:
    """Check that captions come in order and none begins before the one before it has ended."""
    cues = read_cues(folder, file)
    if isinstance(cues, CheckResult):
        return cues
    findings = [
        Finding(
            where=after.where,
            found=Text(
                ko=f"앞 자막이 {timecode(before.end)}에 끝나기 전에 시작합니다.",
                en=f"It begins before the caption before it has ended at {timecode(before.end)}.",
            ),
            right=Text(
                ko=f"{timecode(before.end)} 이후에 시작하게 하세요.",
                en=f"Let it begin at {timecode(before.end)} or later.",
            ),
        )
        for before, after in pairwise(cues)
        if after.start < before.end - 0.0005
    ]
    if not findings:
        return passed("겹치는 자막이 없습니다.", "No captions overlap.")
    # One overlap is one slip; three are a file that nobody looked at.
    return share(max(0, 3 - len(findings)), 3, findings)
