"""Reference submissions from recipes: what a good one is, one that fails each criterion, and the AI's answer unread.

The rule this module keeps: a recipe says how a submission was made, never what it scores; the checks say that.

    python -m video_content.reference record --lang ko --model qwen2.5-coder-1.5b-instruct
asks the AI that OPENAI_BASE_URL and OPENAI_API_KEY name to label the transcript, and keeps its answer.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from labs.evidence import Decision, Item, save_evidence
from labs.manifest import Data
from labs.texts import LANGUAGES
from video_content.captions import Cue, write
from video_content.cuts import CutList, from_labels, tighten
from video_content.disclosure import FILE as DISCLOSURE
from video_content.disclosure import write_disclosure
from video_content.labelling import batches, messages, read_labels, response_format
from video_content.media import read_sound
from video_content.render import make_captions, render_cut
from video_content.script import read_key

LAB = Path(__file__).parent / "labs" / "rough_cut"
SOURCE, TRANSCRIPT = "interview.mp4", "transcript.json"
MAX_CHARACTERS = {"ko": 16, "en": 42}


class Captions(Data):
    """How a submission's captions depart from what the helper proposes."""

    texts: dict[str, dict[str, str]] = Field(default_factory=dict)
    proofread: bool = True
    one_line: bool = False
    shown_share: float = 1.0
    overlap_seconds: float = 0.0


class Recipe(Data):
    """How a submission is made."""

    why: str
    labels: str = "key"
    without: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    tighten: bool = True
    times: int = 1
    size: tuple[int, int] | None = None
    captions: Captions = Captions()
    disclosure: dict[str, dict[str, str]] = Field(default_factory=dict)
    disclosed: bool = True
    reviewed: bool = True


def read_recipe(lab_folder: Path, name: str) -> Recipe:
    """Read reference/<name>.yaml over what good.yaml says."""
    folder = lab_folder / "reference"
    good, own = (yaml.safe_load((folder / f"{n}.yaml").read_text("utf-8")) for n in ("good", name))
    merged = {**good, **own, "captions": {**good.get("captions", {}), **own.get("captions", {})}}
    if own.get("captions", {}).get("texts"):
        ours, theirs = good["captions"]["texts"], own["captions"]["texts"]
        merged["captions"]["texts"] = {lang: {**ours[lang], **theirs.get(lang, {})} for lang in ours}
    return Recipe.model_validate(merged)


def recipe_names(lab_folder: Path) -> list[str]:
    """List the recipes of a lab."""
    return sorted(path.stem for path in (lab_folder / "reference").glob("*.yaml"))


def build(recipe: Recipe, lab_folder: Path, material: Path, out: Path, lang: str) -> None:
    """Make a submission's folder from a recipe and the rendered material."""
    out.mkdir(parents=True, exist_ok=True)
    lines = json.loads((material / TRANSCRIPT).read_text("utf-8"))["lines"]
    ai = read_recorded(lab_folder, lang)
    final = (
        {i: said["label"] for i, said in ai.items()}
        if recipe.labels == "ai"
        else key_labels(recipe, lab_folder, lines, lang)
    )
    cutlist = from_labels(lines, final, SOURCE)
    if recipe.tighten:
        cutlist = tighten(cutlist, read_sound(material / SOURCE))
    cutlist = cutlist.model_copy(update={"ranges": cutlist.ranges * recipe.times})
    cutlist.save(out)
    render_cut(material / SOURCE, cutlist, out / "final.mp4", size=recipe.size)
    (out / f"captions.{lang}.srt").write_text(write(_captions(recipe.captions, cutlist, lines, lang)), "utf-8")
    if recipe.disclosed:
        write_disclosure(out, recipe.disclosure[lang], lang)
    else:
        (out / DISCLOSURE).write_text("# AI\n\nAI was used.\n", "utf-8")
    _review(out, ai, final if recipe.reviewed else None, lang)


def build_reference(lab_folder: Path, name: str, material: Path, out: Path, lang: str) -> None:
    """Make a reference submission of the film lab, as its lab.yaml asks for."""
    build(read_recipe(lab_folder, name), lab_folder, material, out, lang)


def key_labels(recipe: Recipe, lab_folder: Path, lines: Sequence[dict[str, Any]], lang: str) -> dict[str, str]:
    """Label the lines as the key does, but for the moments that the recipe leaves out or lets in."""
    moments = read_key(lab_folder / "server" / f"moments.{lang}.json").moments
    wanted = {m.id for m in moments if m.role == "required"} - set(recipe.without) | set(recipe.also)
    labels = {}
    for line in lines:
        middle = (line["start"] + line["end"]) / 2
        said = next((m.id for m in moments if m.start <= middle <= m.end), None)
        labels[line["id"]] = "keep" if said in wanted else "cut"
    return labels


def _captions(how: Captions, cutlist: CutList, lines: Sequence[dict[str, Any]], lang: str) -> list[Cue]:
    texts = how.texts.get(lang, {}) if how.proofread else {}
    cues = make_captions(cutlist, lines, texts, max_characters=MAX_CHARACTERS[lang])
    if how.one_line:
        cues = [replace(cue, lines=(cue.text,)) for cue in make_captions(cutlist, lines, texts, max_characters=200)]
    return [replace(cue, end=cue.start + (cue.end - cue.start) * how.shown_share + how.overlap_seconds) for cue in cues]


def _review(out: Path, ai: dict[str, dict[str, str]], final: dict[str, str] | None, lang: str) -> None:
    """Record the AI's labels and what became of them; without final labels they were taken unread."""
    reason = {
        "ko": "원본을 다시 듣고 의뢰서와 비교해 고쳤습니다.",
        "en": "Listened again and compared it with the brief.",
    }[lang]
    items = []
    for line, said in ai.items():
        label = said["label"] if final is None else final[line]
        decision: Decision = "accepted" if label == said["label"] else "edited"
        items.append(
            Item(
                id=line,
                ai=said["label"],
                final=label,
                decision=decision,
                reason="" if decision == "accepted" else reason,
                model=said["model"],
            )
        )
    save_evidence(out, items)


def read_recorded(lab_folder: Path, lang: str) -> dict[str, dict[str, str]]:
    """Read the AI's recorded labels, by line: label, reason, model."""
    recorded = json.loads((lab_folder / "reference" / f"ai_labels.{lang}.json").read_text("utf-8"))
    return {line: {**said, "model": recorded["model"]} for line, said in recorded["labels"].items()}


def record(lab_folder: Path, lang: str, model: str) -> Path:
    """Ask the AI to label the transcript, with the reference prompt, and keep its answer as it is."""
    from openai import OpenAI

    lines = json.loads((lab_folder / "material" / f"transcript.{lang}.json").read_text("utf-8"))["lines"]
    prompt = (lab_folder / "reference" / f"prompt.{lang}.txt").read_text("utf-8")
    labels: dict[str, dict[str, str]] = {}
    for batch in batches(lines):
        answer: Any = OpenAI().chat.completions.create(  # type: ignore[call-overload]
            model=model,
            messages=messages(prompt, batch),
            response_format=response_format(batch),
            temperature=0,
            seed=1,
            max_tokens=900,
        )
        said = read_labels(answer.choices[0].message.content, batch)
        labels |= {line: {"label": label.label, "reason": label.reason} for line, label in said.items()}
    path = lab_folder / "reference" / f"ai_labels.{lang}.json"
    data = {"model": model, "settings": {"temperature": 0, "seed": 1}, "prompt": prompt, "labels": labels}
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


def main() -> None:
    """Record the AI's labels."""
    parser = argparse.ArgumentParser(prog="python -m video_content.reference")
    parser.add_argument("action", choices=["record"])
    parser.add_argument("--lang", choices=LANGUAGES, action="append")
    parser.add_argument("--model", required=True)
    given = parser.parse_args()
    for lang in given.lang or LANGUAGES:
        print(record(LAB, lang, given.model).name)


if __name__ == "__main__":
    main()
