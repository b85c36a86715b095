"""Runs a lab's visible criteria on its folder: `python -m labs.self_check FOLDER` prints the results as JSON.

The rule: standard output holds the results and nothing else, whatever a check or a decoder prints. It runs where the learner
is, in their own server's sandbox, and decides nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from labs.checks import CriterionResult
from labs.manifest import Data
from labs.spec import read_spec, run_visible


class SelfCheck(Data):
    """What the visible criteria say of a folder now."""

    results: tuple[CriterionResult, ...]


def self_check(folder: Path) -> SelfCheck:
    """Run each visible criterion; a finding's picture stays behind, since a notebook shows it better."""
    spec = read_spec(folder)
    shown = [run_visible(spec, criterion.id, folder) for criterion in spec.criteria if criterion.check]
    return SelfCheck(results=tuple(map(_without_pictures, shown)))


def _without_pictures(result: CriterionResult) -> CriterionResult:
    findings = tuple(finding.model_copy(update={"picture": None}) for finding in result.findings)
    return result.model_copy(update={"findings": findings})


def main() -> None:
    """Check the folder that is named, from within it."""
    folder = Path(sys.argv[1]).resolve()
    os.chdir(folder)
    results = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(results, "w", encoding="utf-8") as out:
        out.write(self_check(folder).model_dump_json(exclude_defaults=True))


if __name__ == "__main__":
    main()
