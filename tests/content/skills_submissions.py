"""Submissions of the skills checks, built from `reference/*.yaml`, and what the criteria give for them.

A recipe says how the proposals were judged and what the files hold; `start` is a recipe that it changes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from labs.catalog import LabFolder, packs
from labs.checks import CriterionResult
from labs.evidence import Item, save_evidence
from labs.judging import OK
from labs.manifest import Data, load
from labs.spec import resolve_params, run_criterion

CHECKS = [lab for pack in packs().values() for lab in pack.labs if lab.lab.measures]
LANGS = ["ko", "en"]


class Recipe(Data):
    """A submission: judgements by proposal, changes of the draft, whole files; and the points it should get."""

    points: dict[str, float]
    start: str | None = None
    judged: dict[str, str] = Field(default_factory=dict)
    changes: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, Any] = Field(default_factory=dict)
    order: tuple[str, ...] = ()


def recipe(lab: LabFolder, name: str) -> Recipe:
    """Read a recipe, with what it starts from filled in."""
    one = load(lab.folder / "reference" / f"{name}.yaml", Recipe)
    if one.start is None:
        return one
    base = recipe(lab, one.start)
    merged = {field: {**getattr(base, field), **getattr(one, field)} for field in ("judged", "changes", "files")}
    return one.model_copy(update={**merged, "order": one.order or base.order})


def build(lab: LabFolder, name: str, out: Path, lang: str) -> None:
    """Write a submission's files into a folder."""
    made = recipe(lab, name)
    out.mkdir(parents=True, exist_ok=True)
    save_evidence(out, [
        Item(id=one, ai="", final=said, decision="accepted" if said == OK else "rejected") for one, said in made.judged.items()
    ])  # fmt: skip
    if lab.pack == "uiux_design":
        _wireframe(lab, made, out, lang)
    if lab.pack == "publishing":
        _blurb(lab, made, out, lang)
    for file, content in made.files.items():
        said = content.get(lang, content) if isinstance(content, dict) else content
        (out / file).write_text(said if isinstance(said, str) else json.dumps(said), "utf-8")


def _wireframe(lab: LabFolder, made: Recipe, out: Path, lang: str) -> None:
    page = json.loads((lab.folder / "learner" / f"draft.{lang}.json").read_text("utf-8"))
    elements = {one["id"]: one for one in page["elements"]}
    for name, fields in made.changes.items():
        if fields is None:
            del elements[name]
        else:
            elements[name] |= {field: v[lang] if isinstance(v, dict) else v for field, v in fields.items()}
    order = [*made.order, *elements]
    page["elements"] = sorted(elements.values(), key=lambda one: order.index(one["id"]))
    (out / "wireframe.json").write_text(json.dumps(page, ensure_ascii=False), "utf-8")


def _blurb(lab: LabFolder, made: Recipe, out: Path, lang: str) -> None:
    sentences = json.loads((lab.folder / "learner" / f"blurb.{lang}.json").read_text("utf-8"))
    said = {f"S{number}": text for number, text in enumerate(sentences, 1)}
    said |= {number: text[lang] if text else "" for number, text in made.changes.items()}
    (out / "blurb.md").write_text(" ".join(filter(None, said.values())), "utf-8")


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
