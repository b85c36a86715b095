"""The disclosure of AI use that goes with a deliverable: `ai_disclosure.md`.

The rule this module keeps: a disclosure names the AI, what it did, what the human changed and how it was checked, each in words of
the learner's own. Whether the words are true a person judges.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labs.checks import CheckResult, Finding, read_text, share
from labs.texts import Text

FILE = "ai_disclosure.md"
#: Shorter than this says nothing.
MIN_CHARACTERS = 8
PLACEHOLDER = re.compile(r"\(\s*(여기에|write here)[^)]*\)|_{3,}|\.{4,}|<[^>]{1,80}>", re.I)
HEADING = re.compile(r"^#{1,6}\s+(.*)$")


@dataclass(frozen=True)
class Part:
    """A part that must be there: its heading, and what marks a heading as this one."""

    id: str
    title: Text
    marks: re.Pattern[str]


PARTS = (
    Part("tool", Text(ko="사용한 AI", en="AI used"), re.compile(r"사용한 (AI|도구)|AI used|tools? used", re.I)),
    Part("did", Text(ko="AI가 한 일", en="What the AI did"), re.compile(r"AI가 한|what (the )?AI did", re.I)),
    Part(
        "changed",
        Text(ko="사람이 고친 것", en="What I changed"),
        re.compile(r"(사람이|내가|제가) (고친|바꾼)|what .*changed", re.I),
    ),
    Part(
        "checked",
        Text(ko="확인한 방법", en="How I checked"),
        re.compile(r"확인(한)? 방법|어떻게 확인|how .*checked", re.I),
    ),
)


def write_disclosure(folder: Path, answers: Mapping[str, str], lang: str, *, calls: str = "") -> Path:
    """Write ai_disclosure.md from answers by part: tool, did, changed, checked; KeyError where one is missing.

    `calls` is what the evidence says of the number of AI calls; it stands under the title.
    """
    title = "AI use in this video" if lang == "en" else "이 영상의 AI 사용 고지"
    sections = [f"## {part.title.in_(lang)}\n\n{answers[part.id].strip()}\n" for part in PARTS]
    path = folder / FILE
    told = f"{calls}\n\n" if calls else ""
    path.write_text(f"# {title}\n\n{told}" + "\n".join(sections), "utf-8")
    return path


def sections(text: str) -> dict[str, str]:
    """Give the text under each known heading, by part."""
    found: dict[str, str] = {}
    current: str | None = None
    for line in text.splitlines():
        heading = HEADING.match(line)
        if heading:
            current = next((part.id for part in PARTS if part.marks.search(heading.group(1)[:200])), None)
        elif current:
            found[current] = found.get(current, "") + line.strip() + " "
    return {part: words.strip() for part, words in found.items()}


def names_ai_work(folder: Path, *, file: str = FILE) -> CheckResult:
    """Check that the disclosure has its four parts, each filled in."""
    text = read_text(folder, file, max_bytes=100_000)
    if isinstance(text, CheckResult):
        return text
    said = sections(text)
    findings = [_judge(part, said.get(part.id), file) for part in PARTS]
    return share(sum(finding.ok for finding in findings), len(findings), findings)


def _judge(part: Part, words: str | None, file: str) -> Finding:
    title_ko, title_en = part.title.ko, part.title.en
    where = f"{file} ## {title_ko}"
    right = Text(
        ko=f"'## {title_ko}' 아래에 한 문장 이상 쓰세요.", en=f"Write a sentence or more under '## {title_en}'."
    )
    if words is None:
        return Finding(
            where=where,
            right=right,
            found=Text(ko=f"'{title_ko}' 항목이 없습니다.", en=f"The part '{title_en}' is missing."),
        )
    filled = len(PLACEHOLDER.sub("", words).replace(" ", ""))
    if filled < MIN_CHARACTERS:
        return Finding(
            where=where,
            right=right,
            found=Text(ko=f"'{title_ko}' 항목이 비어 있습니다.", en=f"The part '{title_en}' is not filled in."),
        )
    return Finding(
        ok=True, where=where, found=Text(ko=f"'{title_ko}' 항목이 있습니다.", en=f"The part '{title_en}' is there.")
    )
