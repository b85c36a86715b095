"""The skills checks' reference submissions, in both languages and both forms: each gets the points that its recipe says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from skills_submissions import CHECKS, LANGS, build, graded, recipe, total

from labs.catalog import LabFolder, packs
from labs.pairs import CheckPair, check_pairs

PAIRS = check_pairs(lab.id for pack in packs().values() for lab in pack.labs)
NAMES = ["good", "middling", "poor", "raw_ai", "hostile"]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lab", CHECKS, ids=lambda lab: lab.id)
def test_each_gets_the_points_of_its_recipe(lab: LabFolder, name: str, lang: str, tmp_path: Path) -> None:
    build(lab, name, tmp_path, lang)
    results = graded(lab, tmp_path, lang)
    assert {key: result.points for key, result in results.items()} == recipe(lab, name).points, results
    for result in results.values():
        assert result.findings
        for finding in result.findings:
            assert finding.where
            assert finding.ok or finding.right is not None
            assert finding.found.ko != finding.found.en


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.check)
def test_both_forms_give_the_same_for_the_same_quality_and_the_scores_spread(pair: CheckPair, tmp_path: Path) -> None:
    spread = []
    for name in NAMES:
        forms = {lab.id: recipe(lab, name).points for lab in (pair.before, pair.after)}
        assert forms[pair.before.id] == forms[pair.after.id]
        spread.append(sum(forms[pair.before.id].values()))
    print(pair.check, dict(zip(NAMES, spread, strict=True)))
    assert spread[0] == pair.before.lab.max_points == 100
    assert spread[-1] == 0
    assert all(higher - lower >= 10 for higher, lower in pairwise(spread[:4]))
    assert spread[3] < 20, "the AI's own proposals, unread"


@pytest.mark.parametrize("lab", CHECKS, ids=lambda lab: lab.id)
def test_nothing_handed_in_is_nothing_and_no_check_breaks(
    lab: LabFolder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert total(graded(lab, tmp_path, "ko")) == 0
    for deliverable in lab.lab.deliverables:
        for content in (b"", b"\xff\xfe", b"[" * 100_000, b"{}", b"null", b'{"items": 3}'):
            (tmp_path / deliverable.path).write_bytes(content)
            assert total(graded(lab, tmp_path, "en")) == 0
    assert "broke" not in capfd.readouterr().err


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.check)
def test_the_forms_differ_in_material_and_in_where_the_faults_are_and_in_nothing_else(pair: CheckPair) -> None:
    before, after = pair.before, pair.after
    titles = {"title", "measures", "due"}
    assert before.lab.model_dump(exclude=titles) == after.lab.model_dump(exclude=titles)
    assert (before.folder / "lab.md").read_bytes() == (after.folder / "lab.md").read_bytes()
    texts = [path.relative_to(before.folder) for path in before.folder.glob("learner/*") if path.name != "LICENCE.md"]
    for path in texts:
        assert (after.folder / path).is_file()
    judged = [recipe(lab, "good").judged for lab in (before, after)]
    faults = [sorted(said for said in one.values() if said != "ok") for one in judged]
    assert faults[0] == faults[1], "the same kinds, as often"
    assert judged[0] != judged[1], "what is remembered of the first does not help"


def test_every_pack_has_one_check_that_is_no_part_of_completion() -> None:
    assert {pair.before.pack for pair in PAIRS} == set(packs())
    for lab in CHECKS:
        assert lab.lab.ai.endpoints == ()
        assert lab.lab.minutes <= 40
        assert not any(criterion.visible for criterion in lab.lab.criteria), "a self-check would teach"
