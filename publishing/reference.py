"""Reference submissions of this pack's labs, built from small recipes.

The rule: a recipe says only how a submission differs from the good one, or that it is the AI's recorded answer unread.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from labs.evidence import Decision, Item, save_evidence
from labs.manifest import Data, load
from labs.recipes import read_recipe, write_files, write_judgement
from publishing import disclosure
from publishing.brief import read_brief
from publishing.drafting import read_draft
from publishing.proposal import FILE as PROPOSAL
from publishing.proposal import compose
from publishing.sources import Fact, factual, save_facts


class Recipe(Data):
    """How a submission is made; texts by language and part."""

    start: Literal["good", "recorded"] = "good"
    change: dict[str, dict[str, str]] = Field(default_factory=dict)
    leave_out: tuple[str, ...] = ()
    sources: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="the memo's lines, by language")
    quote: str | None = Field(default=None, description="stands in facts.json in place of the memo's words")
    accept_all: bool = False
    disclosure_without: str | None = None


class Good(Data):
    """The good submission in one language."""

    parts: dict[str, str]
    sources: tuple[str, ...]
    reasons: dict[str, str]
    disclosure: dict[str, str]


def build(recipe: Path, lab_folder: Path, out: Path, lang: str) -> None:
    """Make a submission folder from a recipe; ManifestError where the recipe or a recording cannot be used."""
    how = load(recipe, Recipe)
    good = load(lab_folder / "reference" / f"texts.{lang}.yaml", Good)
    recording = json.loads((lab_folder / "reference" / f"recorded.{lang}.json").read_text("utf-8"))
    draft = read_draft(recording["content"])
    out.mkdir(parents=True, exist_ok=True)
    if how.start == "recorded":
        _write(out, {"title": good.parts["title"], **draft}, lang)
        save_facts(out, [])
        save_evidence(out, [_item(part, text, text, "", recording) for part, text in draft.items()])
        (out / disclosure.FILE).write_text(disclosure.compose({}, lang), "utf-8")
        return
    parts = {**good.parts, **how.change.get(lang, {})}
    text = _write(out, {part: said for part, said in parts.items() if part not in how.leave_out}, lang)
    _write_facts(out, text, how.sources.get(lang, good.sources), how.quote, lab_folder, lang)
    save_evidence(
        out,
        [
            _item(p, ai, ai if how.accept_all else good.parts[p], good.reasons.get(p, ""), recording)
            for p, ai in draft.items()
        ],
    )
    told = {part: said for part, said in good.disclosure.items() if part != how.disclosure_without}
    (out / disclosure.FILE).write_text(disclosure.compose(told, lang), "utf-8")


def _write(out: Path, parts: dict[str, str], lang: str) -> str:
    text = compose(parts, lang)
    (out / PROPOSAL).write_text(text, "utf-8")
    return text


def _write_facts(out: Path, text: str, lines: tuple[str, ...], quote: str | None, lab_folder: Path, lang: str) -> None:
    memo = read_brief(lab_folder / "learner" / f"brief.{lang}.md")
    said = [sentence for _line, sentence in factual(text)]
    facts = [Fact(claim=one, line=line, quote=quote or memo[line]) for one, line in zip(said, lines, strict=True)]
    save_facts(out, facts)


def _item(part: str, ai: str, final: str, reason: str, recording: dict[str, Any]) -> Item:
    decision: Decision = "accepted" if ai == final else "edited"
    return Item(id=part, ai=ai, final=final, decision=decision, reason=reason, model=recording["model"])


def build_reference(lab_folder: Path, name: str, _material: Path, out: Path, lang: str) -> None:
    """Make a reference submission of the proposal lab, as its lab.yaml asks for."""
    build(lab_folder / "reference" / f"{name}.yaml", lab_folder, out, lang)


def build_check(lab_folder: Path, name: str, _material: Path, out: Path, lang: str) -> None:
    """Make a reference submission of a skills check: the cover text with the recipe's changes, and the judgement."""
    made = read_recipe(lab_folder, name)
    write_judgement(made, out)
    sentences = json.loads((lab_folder / "learner" / f"blurb.{lang}.json").read_text("utf-8"))
    said = {f"S{number}": text for number, text in enumerate(sentences, 1)}
    said |= {number: text[lang] if text else "" for number, text in made.changes.items()}
    (out / "blurb.md").write_text(" ".join(filter(None, said.values())), "utf-8")
    write_files(made, out, lang)
