"""The pack's command line: `python -m uiux_design check wireframe.json`, and `record`.

The rule this module keeps: what a notebook's self-check says, this says too; exit code 1 where something is found.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labs.checks import CheckResult
from uiux_design.contrast import text_contrast
from uiux_design.drawn import as_specified
from uiux_design.layout import layout
from uiux_design.record import record
from uiux_design.targets import target_size

LAB = Path(__file__).parent / "labs" / "landing_wireframe"


def check(spec: Path, lang: str) -> int:
    """Print what the checks find in a specification and in the picture beside it (same name, .png)."""
    folder, picture = spec.resolve().parent, spec.with_suffix(".png").name
    results: list[tuple[str, CheckResult]] = [
        ("contrast", text_contrast(folder, file=spec.name, picture=picture)),
        ("target size", target_size(folder, file=spec.name)),
        ("layout", layout(folder, file=spec.name)),
        ("drawn", as_specified(folder, file=spec.name, picture=picture)),
    ]
    for title, result in results:
        print(f"{title}: {result.score:.0%}")
        for finding in result.findings:
            right = f" -> {finding.right.in_(lang)}" if finding.right and not finding.ok else ""
            print(f"  {'ok' if finding.ok else '!!'} {finding.where or ''} {finding.found.in_(lang)}{right}")
    return 0 if all(result.score == 1 for _, result in results) else 1


def main(arguments: list[str] | None = None) -> int:
    """Run a command; give its exit code."""
    parser = argparse.ArgumentParser(prog="python -m uiux_design")
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="check a wireframe.json and the picture beside it")
    checking.add_argument("spec", type=Path)
    recording = commands.add_parser("record", help="record what a model answers in the lab")
    recording.add_argument("--model", default="lab-default")
    recording.add_argument("--about", required=True, help="the model's full name, with its quantisation")
    for command in (checking, recording):
        command.add_argument("--lang", choices=("ko", "en"), default="ko")
    options = parser.parse_args(arguments)
    if options.command == "check":
        return check(options.spec, options.lang)
    print(record(LAB, options.lang, options.model, options.about))
    return 0


if __name__ == "__main__":
    sys.exit(main())
