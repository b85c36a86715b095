"""The disclosure of AI use (`ai_disclosure.md`): what AI did, what a person did, what is left unchecked.

The rule: it is professional practice towards author and readers; nothing here says that a law obliges the learner.
"""

from __future__ import annotations

from pathlib import Path

from labs.checks import CheckResult, Finding, read_text, share
from labs.texts import Text

FILE = "ai_disclosure.md"
PARTS = {
    "tool": Text(ko="사용한 AI", en="AI used"),
    "ai": Text(ko="AI가 한 일", en="What AI did"),
    "person": Text(ko="사람이 확인하고 고친 것", en="What a person checked and changed"),
    "open": Text(ko="아직 확인하지 못한 것", en="What is still unchecked"),
}
HEADING = Text(ko="AI 활용 고지", en="Disclosure of AI use")


def compose(answers: dict[str, str], lang: str, *, calls: str = "") -> str:
    """Write the disclosure from the answers, by part; `calls` says under the title how many AI calls there were."""
    blocks = [f"# {HEADING.in_(lang)}", *([calls] if calls else [])]
    blocks += [f"## {name.in_(lang)}\n{answers.get(part, '').strip()}" for part, name in PARTS.items()]
    return "\n\n".join(blocks) + "\n"


def complete(folder: Path, *, file: str = FILE, min_chars: int = 8) -> CheckResult:
    """Check that each part of the disclosure says something; each counts the same."""
    text = read_text(folder, file, max_bytes=50_000)
    if isinstance(text, CheckResult):
        return text
    said = _parts(text)
    findings = [_finding(name, said, file, min_chars) for name in PARTS.values()]
    return share(sum(f.ok for f in findings), len(findings), findings)


def _parts(text: str) -> dict[str, str]:
    said: dict[str, str] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.strip("# ").strip().lower()
        else:
            said[heading] = f"{said.get(heading, '')} {line.strip()}".strip()
    return said


def _finding(name: Text, said: dict[str, str], file: str, min_chars: int) -> Finding:
    length = max(len(said.get(name.ko.lower(), "")), len(said.get(name.en.lower(), "")))
    return Finding(
        ok=length >= min_chars,
        where=file,
        found=Text(ko=f"'{name.ko}'에 {length}자를 썼습니다.", en=f"'{name.en}' has {length} characters."),
        right=Text(
            ko=f"'## {name.ko}' 아래에 {min_chars}자 이상 쓰세요.",
            en=f"Write at least {min_chars} characters under '## {name.en}'.",
        ),
    )
