"""The pack's checks at a command line: `python -m video_content check FILE…`.

The rule this module keeps: it prints what the lab's checks find on one file, with the trade's usual limits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from labs.checks import CheckResult
from video_content import captions, delivery, disclosure

LIMITS = {"ko": (16, 12.0), "en": (42, 17.0)}


def results(path: Path, lang: str) -> Iterator[CheckResult]:
    """Run the checks that fit a file by its name's ending; ValueError where none does."""
    folder, file = path.parent, path.name
    if path.suffix == ".srt":
        max_characters, max_cps = LIMITS[lang]
        yield captions.line_length(folder, file=file, max_characters=max_characters)
        yield captions.reading_speed(folder, file=file, max_cps=max_cps)
        yield captions.no_overlap(folder, file=file)
    elif path.suffix == ".mp4":
        yield delivery.plays(folder, file=file)
        yield delivery.no_long_silence(folder, file=file)
    elif path.suffix == ".md":
        yield disclosure.names_ai_work(folder, file=file)
    else:
        raise ValueError(f"{file}: nothing is checked of such a file; known: .srt, .mp4, .md")


def main() -> int:
    """Print the findings of each file; the exit code is 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m video_content")
    parser.add_argument("action", choices=["check"])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--lang", choices=sorted(LIMITS), help="else from the file's name, else Korean")
    given = parser.parse_args()
    wrong = False
    for path in given.files:
        lang = given.lang or ("en" if path.name.endswith(".en.srt") else "ko")
        try:
            found = [finding for result in results(path, lang) for finding in result.findings]
        except ValueError as error:
            parser.error(str(error))
        for finding in found:
            right = f" -> {finding.right.in_(lang)}" if finding.right and not finding.ok else ""
            print(
                f"{'ok ' if finding.ok else 'BAD'} {path.name} {finding.where or ''}: {finding.found.in_(lang)}{right}"
            )
            wrong = wrong or not finding.ok
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
