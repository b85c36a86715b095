"""The lab's reference submissions, in both languages: the good one loses nothing, each other one just what it should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import publishing
from labs.catalog import LabFolder, read_pack
from labs.checks import CriterionResult
from labs.spec import resolve_params, run_criterion
from publishing.reference import build

LAB = read_pack("publishing", Path(publishing.__file__).parent).labs[0]
REFERENCES = LAB.folder / "reference"
AUTOMATIC = [criterion for criterion in LAB.lab.criteria if criterion.check]
MANUAL = sum(criterion.points for criterion in LAB.lab.criteria if criterion.review)
LANGS = ["ko", "en"]


def grade(lab: LabFolder, folder: Path, lang: str) -> dict[str, CriterionResult]:
    results = {}
    for criterion in lab.lab.criteria:
        if criterion.check:
            params = resolve_params(criterion.params, lang, lab.folder / "learner", lab.folder / "server")
            results[criterion.id] = run_criterion(criterion.id, criterion.points, criterion.check, folder, params)
    return results


def graded(name: str, lang: str, out: Path) -> dict[str, CriterionResult]:
    build(REFERENCES / f"{name}.yaml", LAB.folder, out, lang)
    return grade(LAB, out, lang)


@pytest.mark.parametrize("lang", LANGS)
def test_good_loses_nothing(lang: str, tmp_path: Path) -> None:
    lost = {
        result.id: result.findings
        for result in graded("good", lang, tmp_path).values()
        if result.points < result.max_points
    }
    assert lost == {}
    assert {path.name for path in tmp_path.iterdir()} == {d.path for d in LAB.lab.deliverables}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("criterion", [criterion.id for criterion in AUTOMATIC])
def test_each_failing_one_fails_just_its_criterion(criterion: str, lang: str, tmp_path: Path) -> None:
    results = graded(f"fail-{criterion}", lang, tmp_path)
    lost = {result.id for result in results.values() if result.points < result.max_points}
    assert lost == {criterion}
    wrong = [finding for finding in results[criterion].findings if not finding.ok]
    assert wrong
    for finding in wrong:
        assert finding.where
        assert finding.right
        assert finding.right.ko != finding.right.en


@pytest.mark.parametrize("lang", LANGS)
def test_the_unread_answer_of_the_model_fails_even_with_every_manual_point(lang: str, tmp_path: Path) -> None:
    results = graded("raw_ai", lang, tmp_path)
    points = sum(result.points for result in results.values()) + MANUAL
    assert points / LAB.lab.max_points * 100 < LAB.lab.pass_percent
    assert results["facts"].points < results["facts"].max_points / 2


@pytest.mark.parametrize("lang", LANGS)
def test_the_recording_names_its_model_and_settings(lang: str) -> None:
    recording = json.loads((REFERENCES / f"recorded.{lang}.json").read_text("utf-8"))
    assert recording["model"]
    assert set(recording["settings"]) == {"temperature", "seed", "max_tokens"}
    assert recording["content"]


def test_the_contradictions_are_named_with_what_would_be_right(tmp_path: Path) -> None:
    findings = graded("fail-facts", "ko", tmp_path)["facts"].findings
    told = {
        finding.found.ko.split("'")[1]: finding.right.ko
        for finding in findings
        if "'" in finding.found.ko and finding.right
    }
    assert "700" in told["3만 부"]
    assert "16,800" in next(right for said, right in told.items() if "18,500원" in said)
    assert "받지 못했습니다" in next(right for said, right in told.items() if "수상" in said)
    assert all(
        finding.where and finding.where.startswith("proposal.md:") for finding in findings if "'" in finding.found.ko
    )
