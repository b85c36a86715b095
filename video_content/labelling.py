"""Asking an AI to label transcript lines: the question, the shape of the answer, and reading what came back.

The rule this module keeps: an answer is untrusted text. Every line gets a label of the list whatever the AI said; a line it left
out or labelled otherwise is 'unsure'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LABELS = ("keep", "cut", "unsure")
#: A small model keeps its head over so many lines at once.
BATCH_LINES = 5
#: Short, because a small model writes slowly and repeats itself in long ones.
MAX_REASON = 60


@dataclass(frozen=True)
class Label:
    """What the AI says of a line, and why."""

    label: str
    reason: str


def batches(lines: Sequence[Mapping[str, Any]], size: int = BATCH_LINES) -> list[list[Mapping[str, Any]]]:
    """Split the transcript into batches of a size that a small model copes with."""
    return [list(lines[at : at + size]) for at in range(0, len(lines), size)]


def messages(prompt: str, batch: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Put the learner's prompt before the batch of lines, as chat messages."""
    listed = "\n".join(f"{line['id']}: {line['text']}" for line in batch)
    return [{"role": "system", "content": prompt}, {"role": "user", "content": listed}]


def response_format(batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Ask for JSON with a label and a reason for each line of the batch, and nothing else."""
    answer = {
        "type": "object",
        "properties": {
            "label": {"type": "string", "enum": list(LABELS)},
            "reason": {"type": "string", "maxLength": MAX_REASON},
        },
        "required": ["label", "reason"],
        "additionalProperties": False,
    }
    ids = [line["id"] for line in batch]
    schema = {
        "type": "object",
        "properties": dict.fromkeys(ids, answer),
        "required": ids,
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "labels", "strict": True, "schema": schema}}


def read_labels(text: str | None, batch: Sequence[Mapping[str, Any]]) -> dict[str, Label]:
    """Read the AI's answer for a batch; what is not a label of the list becomes 'unsure'."""
    try:
        said = json.loads(text or "")
    except (json.JSONDecodeError, RecursionError):
        said = {}
    return {line["id"]: _read_one(said.get(line["id"]) if isinstance(said, dict) else None) for line in batch}


def _read_one(said: Any) -> Label:
    if not isinstance(said, dict):
        return Label("unsure", "")
    label, reason = said.get("label"), said.get("reason")
    known = label if isinstance(label, str) and label in LABELS else "unsure"
    return Label(known, reason[:MAX_REASON] if isinstance(reason, str) else "")
