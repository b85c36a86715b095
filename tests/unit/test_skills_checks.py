"""Skills checks: which labs are the two forms of one, what their manifests may not say, and how a judgement is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from labs.build import build_lab
from labs.catalog import LabFolder, find_lab, read_pack
from labs.checks import CheckResult
from labs.evidence import Item, load_evidence, save_evidence
from labs.judging import OK, judged
from labs.manifest import Lab, ManifestError
from labs.pairs import check_pairs
from labs.session import open_lab
from labs.widgets import Question, ReviewForm

TEXT = {"ko": "글", "en": "text"}
FAULTS = {"P1": "number", "P2": "", "P3": "name", "P4": "", "P5": "made-up", "P6": ""}
#: What may be chosen for a proposal; nothing is chosen at first.
CHOICES = ["", OK, "number", "name", "made-up"]


def lab_data(**more: Any) -> dict[str, Any]:
    criterion = {"id": "found", "title": TEXT, "points": 10, "check": "labs.judging:judged"}
    return {
        "title": TEXT, "summary": TEXT, "minutes": 30, "pass_percent": 0, "due": {"late": {"policy": "none"}},
        "deliverables": [{"path": "evidence.json", "kind": "json", "title": TEXT}], "criteria": [criterion], **more,
    }  # fmt: skip


def pack_with(folder: Path, *labs: dict[str, Any]) -> Path:
    """A pack of labs that are called one, two, three."""
    names = ["one", "two", "three"][: len(labs)]
    profession = {"id": "trade", "title": TEXT, "occupation": TEXT, "summary": TEXT, "competencies": [], "labs": names}
    (folder / "profession.yaml").write_text(yaml.safe_dump(profession))
    for name, data in zip(names, labs, strict=True):
        (folder / "labs" / name).mkdir(parents=True)
        (folder / "labs" / name / "lab.yaml").write_text(yaml.safe_dump(data))
    return folder


def form(which: str, check: str = "judging") -> dict[str, str]:
    return {"check": check, "form": which}


def score(folder: Path, said: dict[str, str], *, named: bool = False) -> CheckResult:
    key = folder / "judge.yaml"
    proposals = {name: {"because": TEXT, "faults": [kind] if kind else []} for name, kind in FAULTS.items()}
    key.write_text(yaml.safe_dump({"proposals": proposals}))
    (folder / "evidence.json").unlink(missing_ok=True)
    save_evidence(folder, [Item(id=name, ai="", final=one, decision="edited") for name, one in said.items()])
    return judged(folder, key=key, named=named)


def test_a_course_has_the_checks_that_it_hands_out_both_forms_of() -> None:
    (pair,) = check_pairs(["film-check-after", "rough-cut", "ux-check-before", "my-own", "film-check-before"])
    assert (pair.check, pair.before.id, pair.after.id) == (
        "film-ai-judgement", "film-check-before", "film-check-after",
    )  # fmt: skip
    assert check_pairs(["rough-cut", "film-check-before"]) == ()
    both = check_pairs([f"{trade}-check-{when}" for when in ("before", "after") for trade in ("ux", "book")])
    assert [pair.check for pair in both] == ["ux-ai-judgement", "book-ai-judgement"], "in the course's order"


def test_a_check_has_one_lab_for_each_form(tmp_path: Path) -> None:
    folder = pack_with(tmp_path, *(lab_data(measures=form(one)) for one in ("before", "after", "before")))
    with pytest.raises(ManifestError, match=r"three/lab\.yaml: measures: one is form 'before' already"):
        read_pack("trade", folder)


def test_forms_that_are_not_scored_alike_are_refused(tmp_path: Path) -> None:
    other = lab_data(measures=form("after"))
    other["criteria"] = [{**other["criteria"][0], "points": 11}]
    with pytest.raises(ManifestError, match="points of one and two must be the same"):
        read_pack("trade", pack_with(tmp_path, lab_data(measures=form("before")), other))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"due": {"late": {"policy": "percent"}}}, "takes nothing off for being late"),
        ({"due": {}}, "takes nothing off for being late"),
        ({"criteria": [{"id": "story", "title": TEXT, "points": 2, "review": {
            "levels": [{"points": 2, **TEXT}, {"points": 0, **TEXT}]}}]}, "has no review: give story a check"),
        ({"pass_percent": 60}, "has no pass mark"),
        ({"measures": {"check": "judging", "form": "during"}}, "'before' or 'after'"),
        ({"measures": {"form": "before"}}, "check"),
    ],
)  # fmt: skip
def test_what_would_make_scores_uncomparable_is_refused_with_what_would_be_right(more: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Lab.model_validate(lab_data(**{"measures": form("before"), **more}))


@pytest.mark.parametrize(
    ("said", "found", "named"),
    [
        (FAULTS, 1, 1),
        (dict.fromkeys(FAULTS, OK), 0, 0),
        (dict.fromkeys(FAULTS, "number"), 0, 0),
        ({}, 0, 0),
        ({"P1": "number"}, 1 / 3, 1 / 3),
        ({"P1": "name", "P3": "name"}, 2 / 3, 1 / 3),
        ({"P1": "number", "P3": "name", "P2": "name"}, 1 / 3, 1 / 3),
        ({"P1": "number", "invented": "name", "": "name"}, 1 / 3, 1 / 3),
    ],
)
def test_finding_counts_less_what_was_wrongly_called_faulty(
    said: dict[str, str], found: float, named: float, tmp_path: Path
) -> None:
    assert score(tmp_path, said).score == pytest.approx(found)
    assert score(tmp_path, said, named=True).score == pytest.approx(named)


@settings(max_examples=60, deadline=None)  # it writes files: how long that takes says nothing
@given(said=st.fixed_dictionaries({name: st.sampled_from(CHOICES) for name in FAULTS}))
def test_naming_never_scores_above_finding_and_one_more_fault_found_never_costs(
    said: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("judged")
    before = score(folder, said).score
    assert score(folder, said, named=True).score <= before
    for name, kind in FAULTS.items():
        if kind:
            assert score(folder, {**said, name: kind}).score >= before
        else:
            assert score(folder, {**said, name: OK}).score >= before


def test_each_proposal_is_told_and_a_broken_file_is_a_result(tmp_path: Path) -> None:
    findings = score(tmp_path, {"P1": "number", "P2": "name", "P3": "made-up", "P4": OK}, named=True).findings
    told = {finding.where: finding.found.en for finding in findings}
    assert told == {
        "P1": "The fault was found. text", "P2": "A sound proposal was called faulty.",
        "P3": "The fault was named as another kind.", "P4": "A sound proposal was kept.",
        "P5": "This proposal is faulty, and it was not found.", "P6": "It was not judged.",
    }  # fmt: skip
    (tmp_path / "evidence.json").write_text('{"items": [{"id": "P1"}]}')
    assert judged(tmp_path, key=tmp_path / "judge.yaml").score == 0


def test_the_form_chooses_nothing_beforehand_and_says_what_was_kept(tmp_path: Path) -> None:
    lab = LabFolder("check", "trade", find_lab("film-check-before").folder, find_lab("film-check-before").lab)
    build_lab(lab, "demo", "en", tmp_path / "lab")
    opened = open_lab(tmp_path / "lab", {})
    review = ReviewForm(
        opened, [Question("P1", "1", "cut"), Question("P2", "2", "cut")], {"ok": "ok", "name": "n"}, accept="ok"
    )
    assert review.final == {}
    review.fill({"P1": ("ok", ""), "P2": ("name", "why")})
    review.save()
    assert [(item.final, item.decision) for item in load_evidence(opened.folder).items] == [
        ("ok", "accepted"), ("name", "rejected"),
    ]  # fmt: skip
