"""Recipes of a skills check's reference submissions: how the proposals were judged and what the files hold.

The rule: `start` is a recipe that this one changes, so each says only how it differs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from labs.evidence import Item, save_evidence
from labs.judging import OK
from labs.manifest import Data, load


class Recipe(Data):
    """A submission: judgements by proposal, changes of the draft, whole files; and the points it should get."""

    points: dict[str, float]
    start: str | None = None
    judged: dict[str, str] = Field(default_factory=dict)
    changes: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, Any] = Field(default_factory=dict)
    order: tuple[str, ...] = ()


def read_recipe(lab_folder: Path, name: str) -> Recipe:
    """Read a recipe, with what it starts from filled in."""
    one = load(lab_folder / "reference" / f"{name}.yaml", Recipe)
    if one.start is None:
        return one
    base = read_recipe(lab_folder, one.start)
    merged = {field: {**getattr(base, field), **getattr(one, field)} for field in ("judged", "changes", "files")}
    return one.model_copy(update={**merged, "order": one.order or base.order})


def write_judgement(made: Recipe, out: Path) -> None:
    """Write evidence.json as the recipe judged."""
    out.mkdir(parents=True, exist_ok=True)
    save_evidence(out, [
        Item(id=one, ai="", final=said, decision="accepted" if said == OK else "rejected") for one, said in made.judged.items()
    ])  # fmt: skip


def write_files(made: Recipe, out: Path, lang: str) -> None:
    """Write the recipe's whole files, in the language where they have one."""
    for file, content in made.files.items():
        said = content.get(lang, content) if isinstance(content, dict) else content
        (out / file).write_text(said if isinstance(said, str) else json.dumps(said), "utf-8")


def build_judgement(lab_folder: Path, name: str, _material: Path, out: Path, lang: str) -> None:
    """Build a reference submission whose recipe changes no draft."""
    made = read_recipe(lab_folder, name)
    write_judgement(made, out)
    write_files(made, out, lang)
