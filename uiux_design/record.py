"""Recording what a model really answers in the lab: `python -m uiux_design record --lang ko`.

The rule this module keeps: a recording is the model's own words, with the model's name and the settings beside it. The model
is reached with the plain `openai` client, so OPENAI_BASE_URL and OPENAI_API_KEY say where it is.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from labs.texts import Lang
from uiux_design.draft import ANSWER_FORMAT, messages
from uiux_design.wireframe import read_sections

SETTINGS: dict[str, Any] = {"temperature": 0, "seed": 7, "max_tokens": 450}


def record(lab_folder: Path, lang: Lang, model: str, about: str) -> Path:
    """Ask a model for each section with the lab's own prompt, and write reference/raw_ai.<lang>.json."""
    from openai import OpenAI

    client = OpenAI(timeout=1800, max_retries=0)
    sections = read_sections(lab_folder / "learner" / f"sections.{lang}.json")
    prompt = (lab_folder / "reference" / f"prompt.{lang}.md").read_text("utf-8").strip()
    answers, started = {}, time.monotonic()
    for section in sections:
        asked: Any = {"messages": messages(prompt, section.wants), "response_format": ANSWER_FORMAT, **SETTINGS}
        answer = client.chat.completions.create(model=model, **asked).choices[0].message.content or ""
        answers[section.id] = answer
        print(section.id, answer, flush=True)
    recording = {
        "model": about,
        "settings": SETTINGS,
        "seconds": round(time.monotonic() - started, 1),
        "answers": answers,
    }
    path = lab_folder / "reference" / f"raw_ai.{lang}.json"
    path.write_text(json.dumps(recording, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path
