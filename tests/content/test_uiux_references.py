"""The wireframe lab's reference submissions, in both languages: each loses just what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

import uiux_design
from labs.catalog import read_pack
from labs.checks import CriterionResult
from labs.spec import resolve_params, run_criterion
from uiux_design.reference import build, load_recipe, recipes

LAB = read_pack("uiux_design", Path(uiux_design.__file__).parent).labs[0]
AUTOMATIC = [criterion for criterion in LAB.lab.criteria if criterion.check]
MANUAL_POINTS = sum(criterion.points for criterion in LAB.lab.criteria if criterion.review)
LANGS = ["ko", "en"]


def graded(recipe: str, lang: str, out: Path) -> dict[str, CriterionResult]:
    build(recipe, LAB.folder, out, lang)  # type: ignore[arg-type]
    results = {}
    for criterion in AUTOMATIC:
        params = resolve_params(criterion.params, lang, LAB.folder / "learner", LAB.folder / "server")
        results[criterion.id] = run_criterion(criterion.id, criterion.points, str(criterion.check), out, params)
    return results


def lost(results: dict[str, CriterionResult]) -> set[str]:
    return {result.id for result in results.values() if result.points < result.max_points}


@pytest.mark.parametrize("lang", LANGS)
def test_good_loses_nothing_and_has_every_deliverable(lang: str, tmp_path: Path) -> None:
    assert lost(graded("good", lang, tmp_path)) == set()
    assert {path.name for path in tmp_path.iterdir()} == {d.path for d in LAB.lab.deliverables}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("criterion", [criterion.id for criterion in AUTOMATIC])
def test_each_failing_one_fails_just_its_criterion_and_says_where_and_what_is_right(
    criterion: str, lang: str, tmp_path: Path
) -> None:
    results = graded(f"fail-{criterion}", lang, tmp_path)
    assert lost(results) == {criterion}
    wrong = [finding for finding in results[criterion].findings if not finding.ok]
    assert wrong
    for finding in wrong:
        assert finding.where
        assert finding.right is not None
        assert finding.right.ko != finding.right.en


def test_every_recipe_is_used_and_names_what_it_fails() -> None:
    failing = {f"fail-{criterion.id}" for criterion in AUTOMATIC}
    assert set(recipes(LAB.folder)) == {"good", "raw_ai", *failing}
    assert {load_recipe(LAB.folder, name).fails for name in failing} == {criterion.id for criterion in AUTOMATIC}


@pytest.mark.parametrize("lang", LANGS)
def test_the_models_unread_answer_fails_whatever_the_reviewer_gives(lang: str, tmp_path: Path) -> None:
    points = sum(result.points for result in graded("raw_ai", lang, tmp_path).values())
    assert 100 * (points + MANUAL_POINTS) / LAB.lab.max_points < LAB.lab.pass_percent
