"""Building the reference submissions of the pack's lab from its small recipes.

The rule this module keeps: a reference goes through the same steps as a learner's work - draft, verdicts, layout, drawing - and
the recipe says only what is different.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from labs.evidence import save_evidence
from labs.recipes import read_recipe, write_files, write_judgement
from labs.texts import Lang
from uiux_design import disclosure
from uiux_design.draft import from_answers
from uiux_design.draw import draw
from uiux_design.layout import MARGIN, stack
from uiux_design.review import Verdict, evidence_items
from uiux_design.wireframe import (
    FILE,
    FRAME_WIDTH,
    MAX_HEIGHT,
    PICTURE,
    Element,
    Section,
    Strict,
    Wireframe,
    read_sections,
    to_json,
)

Changes = dict[str, dict[str, Any]]


class Recipe(Strict):
    """What a reference submission is made of. Where a value is {ko: …, en: …}, the course's language is taken."""

    about: str
    base: str | None = None
    fails: str | None = None
    reviewed: bool | None = None
    answers: str | None = Field(default=None, description="a recording of a model, taken as the page")
    elements: tuple[dict[str, Any], ...] = ()
    change: Changes = Field(default_factory=dict)
    after_layout: Changes = Field(default_factory=dict)
    picture: Changes = Field(default_factory=dict)
    disclosure: dict[str, dict[str, str]] = Field(default_factory=dict)


def load_recipe(lab_folder: Path, name: str) -> Recipe:
    """Read a recipe with what it takes over from its base."""
    own = yaml.safe_load((lab_folder / "reference" / f"{name}.yaml").read_text("utf-8"))
    if base := own.get("base"):
        own = {**load_recipe(lab_folder, base).model_dump(), **own}
    return Recipe.model_validate(own)


def recipes(lab_folder: Path) -> list[str]:
    """List the lab's recipes by name."""
    return sorted(path.stem for path in (lab_folder / "reference").glob("*.yaml"))


def recorded_draft(lab_folder: Path, lang: Lang, file: str = "raw_ai.{lang}.json") -> tuple[Wireframe, str]:
    """Give the page that the recorded model proposed, and the model's name."""
    recording = json.loads((lab_folder / "reference" / file.replace("{lang}", lang)).read_text("utf-8"))
    page, _notes = from_answers(recording["answers"], _sections(lab_folder, lang))
    return page, str(recording["model"])


def build(recipe: str | Path, lab_folder: Path, out: Path, lang: Lang) -> Path:
    """Make a submission folder of a recipe, by its name or file; give the folder."""
    wanted = load_recipe(lab_folder, Path(recipe).stem)
    out.mkdir(parents=True, exist_ok=True)
    page = recorded_draft(lab_folder, lang, wanted.answers)[0] if wanted.answers else _page(wanted, lab_folder, lang)
    (out / FILE).write_text(to_json(page), "utf-8")
    draw(_changed(page, wanted.picture, lang)).save(out / PICTURE)
    _write_evidence(wanted, lab_folder, out, lang, page)
    if wanted.disclosure:
        answers = {part: text[lang] for part, text in wanted.disclosure.items()}
        title = {"ko": "AI 사용 고지", "en": "AI disclosure"}[lang]
        (out / disclosure.FILE).write_text(disclosure.to_markdown(title, answers, lang), "utf-8")
    return out


def _sections(lab_folder: Path, lang: Lang) -> tuple[Section, ...]:
    return read_sections(lab_folder / "learner" / f"sections.{lang}.json")


def _in(fields: dict[str, Any], lang: Lang) -> dict[str, Any]:
    return {key: value[lang] if isinstance(value, dict) else value for key, value in fields.items()}


def _changed(page: Wireframe, changes: Changes, lang: Lang) -> Wireframe:
    elements = [{**e.model_dump(), **_in(changes.get(e.id, {}), lang)} for e in page.elements]
    return Wireframe.model_validate({**page.model_dump(), "elements": elements})


def _page(recipe: Recipe, lab_folder: Path, lang: Lang) -> Wireframe:
    place = {"x": MARGIN, "y": 0, "width": FRAME_WIDTH - 2 * MARGIN}
    elements = tuple(Element.model_validate({**place, **_in(fields, lang)}) for fields in recipe.elements)
    flat = Wireframe(height=MAX_HEIGHT, sections=_sections(lab_folder, lang), elements=elements)
    return _changed(stack(_changed(flat, recipe.change, lang)), recipe.after_layout, lang)


def _write_evidence(recipe: Recipe, lab_folder: Path, out: Path, lang: Lang, page: Wireframe) -> None:
    """Judge the recorded draft: changed where the page has an element of the same id, rejected where not."""
    draft, model = recorded_draft(lab_folder, lang)
    reason = {"ko": "의뢰서의 조건에 맞게 고쳤습니다.", "en": "Mended to keep the brief."}[lang]
    final = {element.id: element for element in page.elements}
    verdicts = {}
    for element in draft.elements:
        kept = final.get(element.id)
        if not recipe.reviewed:
            verdicts[element.id] = Verdict()
        elif kept:
            verdicts[element.id] = Verdict(changes=kept.model_dump(exclude={"id", "section"}), reason=reason)
        else:
            verdicts[element.id] = Verdict(rejected=True, reason=reason)
    save_evidence(out, evidence_items(draft, verdicts, model, {}))


def build_reference(lab_folder: Path, name: str, _material: Path, out: Path, lang: Lang) -> None:
    """Make a reference submission of the wireframe lab, as its lab.yaml asks for."""
    build(name, lab_folder, out, lang)


def build_check(lab_folder: Path, name: str, _material: Path, out: Path, lang: Lang) -> None:
    """Make a reference submission of a skills check: the draft with the recipe's changes, and the judgement."""
    made = read_recipe(lab_folder, name)
    write_judgement(made, out)
    page = json.loads((lab_folder / "learner" / f"draft.{lang}.json").read_text("utf-8"))
    elements = {one["id"]: one for one in page["elements"]}
    for element, fields in made.changes.items():
        if fields is None:
            del elements[element]
        else:
            elements[element] |= _in(fields, lang)
    order = [*made.order, *elements]
    page["elements"] = sorted(elements.values(), key=lambda one: order.index(one["id"]))
    (out / FILE).write_text(json.dumps(page, ensure_ascii=False), "utf-8")
    write_files(made, out, lang)
