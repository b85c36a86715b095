"""What was asked and answered in an AI call, as turns to read. The rule: every turn is plain text, whatever it was made of."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hub_config.portal.ai_records import Receipt
from hub_config.portal.i18n import N_

ROLES = {
    "system": N_("Instructions"),
    "developer": N_("Instructions"),
    "user": N_("Learner"),
    "assistant": N_("AI"),
    "tool": N_("Tool"),
    "input": N_("Sent"),
}
#: The fields that hold turns or text; of each group the first that is there is read.
ASKED = (("instructions",), ("messages", "input", "prompt"))
ANSWERED = (("choices", "output", "text"),)
JSON_MIME = "application/json"
DEEPEST = 30


@dataclass(frozen=True)
class Turn:
    """Who said it, and the text."""

    role: str
    text: str


def asked(receipt: Receipt) -> list[Turn]:
    """The turns that were sent."""
    return _turns(_parsed(receipt.prompt), ASKED, "user", "input") if receipt.prompt is not None else []


def answered(receipt: Receipt) -> list[Turn]:
    """What came back; of sound and pictures only what they are."""
    if receipt.answer is None:
        return []
    kind, _, coded = (receipt.answer_type or JSON_MIME).partition(";")
    if coded == "base64":
        return [Turn("assistant", f"{kind}, {_size(receipt.answer):,} B")]
    return _turns(_parsed(receipt.answer), ANSWERED, "assistant", "assistant")


def _turns(value: Any, groups: tuple[tuple[str, ...], ...], said_by: str, otherwise: str) -> list[Turn]:
    """Read the fields that hold turns; what has none of them is shown as it is."""
    if isinstance(value, list):
        return [turn for entry in value for turn in _entry(entry, said_by)]
    if isinstance(value, dict):
        found = [next((name for name in group if value.get(name)), None) for group in groups]
        turns = [turn for name in found if name for turn in _field(name, value[name], said_by)]
        if turns:
            return turns
    return [Turn(otherwise, _text(value))]


def _field(name: str, part: Any, said_by: str) -> list[Turn]:
    if name == "instructions":
        return [Turn("system", _text(part))]
    entries = part if isinstance(part, list) else [part]
    return [turn for entry in entries for turn in _entry(entry, said_by)]


def _entry(entry: Any, said_by: str) -> list[Turn]:
    """One message, choice or output item."""
    if not isinstance(entry, dict):
        return [Turn(said_by, _text(entry))]
    message = entry["message"] if isinstance(entry.get("message"), dict) else entry
    role = message.get("role")
    parts = [_text(message[name]) for name in ("content", "refusal", "tool_calls") if message.get(name)]
    return [Turn(role if isinstance(role, str) else said_by, "\n".join(parts) or _text(message))]


def _text(value: Any) -> str:
    """A text, the texts of a list of parts, or JSON that can be read."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(part, dict) and "type" in part for part in value):
        return "\n".join(part["text"] if isinstance(part.get("text"), str) else _pretty(part) for part in value)
    return _pretty(value)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _parsed(raw: str) -> Any:
    """The value of a JSON text; the text itself where it is none, or nests deeper than anybody reads."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    return value if _is_shallow(value) else raw


def _is_shallow(value: Any) -> bool:
    """Indenting what nests deeply would make a page of hundreds of megabytes from a prompt of one."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for node in level for inner in _inside(node)]
        if not level:
            return True
    return False


def _inside(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _size(coded: str) -> int:
    try:
        return len(base64.b64decode(coded, validate=True))
    except (binascii.Error, ValueError):
        return len(coded)
