"""Submissions of the skills checks, built as `practicum lab check` builds them, and what the criteria give for them."""

from __future__ import annotations

from pathlib import Path

from labs.catalog import LabFolder, packs
from labs.checks import CriterionResult
from labs.recipes import Recipe, read_recipe
from labs.references import build_reference
from labs.spec import resolve_params, run_criterion

CHECKS = [lab for pack in packs().values() for lab in pack.labs if lab.lab.measures]
LANGS = ["ko", "en"]


def recipe(lab: LabFolder, name: str) -> Recipe:
    """Read a recipe, with what it starts from filled in."""
    return read_recipe(lab.folder, name)


def build(lab: LabFolder, name: str, out: Path, lang: str) -> None:
    """Write a submission's files into a folder."""
    build_reference(lab, name, lab.folder / "learner", out, lang)  # type: ignore[arg-type]


def graded(lab: LabFolder, folder: Path, lang: str) -> dict[str, CriterionResult]:
    """The criteria's results for a submission."""
    results = {}
    for criterion in lab.lab.criteria:
        params = resolve_params(criterion.params, lang, lab.folder / "learner", lab.folder / "server")
        results[criterion.id] = run_criterion(criterion.id, criterion.points, str(criterion.check), folder, params)
    return results


def total(results: dict[str, CriterionResult]) -> float:
    """The points of a submission."""
    return sum(result.points for result in results.values())
