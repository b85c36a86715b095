"""The pack's checks from the command line: `python -m publishing check FOLDER-OR-FILE… [--lang ko|en] [--brief brief.ko.md]`.

The rule: it runs what needs no key, prints each finding with its place, and answers 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labs.checks import CheckResult
from publishing import comparables, disclosure, page, sources
from publishing.proposal import FILE as PROPOSAL

MAX_CHARS = {"ko": (1200, 60), "en": (2200, 140)}


def findings(path: Path, lang: str, brief: Path | None, lines: list[str]) -> list[CheckResult]:
    """Run the checks that fit a file's name; ValueError names the known files."""
    folder, name = path.parent, path.name
    if name == disclosure.FILE:
        return [disclosure.complete(folder)]
    if name == sources.FILE and brief:
        return [sources.quotes_stand(folder, brief=brief)]
    if name != PROPOSAL:
        raise ValueError(f"{name}: known are {PROPOSAL}, {disclosure.FILE} and, with --brief, {sources.FILE}")
    most, most_pitch = MAX_CHARS[lang]
    results = [
        page.required_parts(folder),
        page.one_page(folder, max_chars=most),
        page.pitch(folder, max_chars=most_pitch),
    ]
    return [*results, comparables.from_the_list(folder, brief=brief, lines=lines)] if brief and lines else results


def main(arguments: list[str]) -> int:
    """Print the findings of each file; 0 where nothing is wrong, 1 where something is, 2 where a call makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m publishing")
    parser.add_argument("command", choices=["check"])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--lang", choices=["ko", "en"], default="ko")
    parser.add_argument("--brief", type=Path)
    parser.add_argument("--comparables", nargs="*", default=[], help="the brief's lines that list comparable titles")
    options = parser.parse_args(arguments)
    try:
        results = [
            r for path in options.paths for r in findings(path, options.lang, options.brief, options.comparables)
        ]
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for finding in (finding for result in results for finding in result.findings):
        right = f" → {finding.right.in_(options.lang)}" if finding.right and not finding.ok else ""
        print(f"{'✔' if finding.ok else '✘'} {finding.where or ''} {finding.found.in_(options.lang)}{right}")
    return int(any(result.score < 1 for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
