"""Asking an AI for the parts of a proposal: the schema of its answer, the messages, and reading what came back.

The rule: an answer is text from outside. What cannot be read of it is an empty part, never an exception.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.evidence import receipt_id, write_text_safely
from labs.texts import Text
from publishing.proposal import PARTS

FILE = "draft.json"
#: The parts that the AI drafts; the working title is the author's.
DRAFTED = tuple(part for part in PARTS if part != "title")
#: The house's form: the fields of a part, or how many lines it has at most. A field asks, whether or not the memo answers.
_FIELDS = {
    "author": (
        Text(ko="이름", en="Name"),
        Text(ko="하는 일", en="Work"),
        Text(ko="전작", en="Earlier book"),
        Text(ko="전작 판매 부수", en="Copies sold"),
        Text(ko="수상 경력", en="Awards"),
    ),
    "format": (Text(ko="판형", en="Trim size"), Text(ko="쪽수", en="Pages"), Text(ko="정가", en="Price")),
    "schedule": (
        Text(ko="견본 원고", en="Sample chapters"),
        Text(ko="완성 원고", en="Full manuscript"),
        Text(ko="출간", en="Publication"),
    ),
}
_LISTS = {"contents": 6, "comparables": 3}
#: Longest text kept of one part.
MAX_CHARS = 1_500

_FORM = {
    "ko": "당신은 출판사 편집자입니다. 저자 메모를 읽고 출간기획서 양식의 칸을 한국어로 짧게 채웁니다. "
    "한 줄 소개는 책을 소개하는 한 문장, 60자 이내입니다.",
    "en": "You are an editor at a publishing house. Read the author's memo and fill in the form of the book proposal, in short English. "
    "The pitch is one sentence about the book, within 140 characters.",
}
_MEMO = {"ko": "저자 메모", "en": "The author's memo"}


def response_format(lang: str) -> dict[str, Any]:
    """Give the schema of the answer: the form's parts and fields by their names in the course's language."""
    schema = _object({PARTS[part].in_(lang): _schema(part, lang) for part in DRAFTED})
    return {"type": "json_schema", "json_schema": {"name": "proposal", "strict": True, "schema": schema}}


def _schema(part: str, lang: str) -> dict[str, Any]:
    if part in _LISTS:
        return {"type": "array", "maxItems": _LISTS[part], "items": {"type": "string"}}
    if part in _FIELDS:
        return _object({name.in_(lang): {"type": "string"} for name in _FIELDS[part]})
    return {"type": "string"}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


def messages(lang: str, wish: str, brief: dict[str, str]) -> list[dict[str, str]]:
    """Make the chat messages: the house's form, the author's memo, and the learner's own wish last."""
    memo = "\n".join(f"- {text}" for text in brief.values())
    return [
        {"role": "system", "content": _FORM[lang]},
        {"role": "user", "content": f"{_MEMO[lang]}:\n{memo}\n\n{wish}"},
    ]


def read_draft(content: str | None) -> dict[str, str]:
    """Read an AI's answer into the text of each part; of an answer that was cut off, the parts that came through."""
    data = _json_or_rest((content or "")[:50_000])
    return {part: _text(next((data[key] for key in _keys(part) if key in data), None)) for part in DRAFTED}


def _keys(part: str) -> tuple[str, str]:
    return PARTS[part].ko, PARTS[part].en


def _json_or_rest(content: str) -> dict[str, Any]:
    try:
        data = json.loads(content)
        return data if isinstance(data, dict) else {}
    except (ValueError, RecursionError):
        return {key: value for part in DRAFTED for key in _keys(part) if (value := _cut_out(content, key)) is not None}


def _cut_out(content: str, key: str) -> Any:
    """Decode the value after a key of an answer that is no whole JSON; None where that cannot be read either."""
    hit = re.search(rf'"{re.escape(key)}"\s*:\s*', content)
    if hit is None:
        return None
    try:
        return json.JSONDecoder().raw_decode(content, hit.end())[0]
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = [f"{name}: {said}" for name, said in value.items() if isinstance(said, str) and said.strip()]
    if isinstance(value, list):
        lines = [" ".join(item.split()) for item in value[:20] if isinstance(item, str) and item.strip()]
        return "\n".join(f"- {line.removeprefix('- ')}" for line in lines)[:MAX_CHARS]
    lines = [line.strip() for line in value.splitlines() if line.strip()] if isinstance(value, str) else []
    # A heading inside a part would begin another part.
    return "\n".join(line.lstrip("# ") for line in lines)[:MAX_CHARS]


@dataclass(frozen=True)
class Draft:
    """An AI's draft as it is kept beside the notebook: asked how, by which model, what it answered, and the call's receipt."""

    wish: str
    model: str
    parts: dict[str, str]
    seconds: float
    tokens: int
    receipt: str = ""


def save_draft(folder: Path, draft: Draft) -> Draft:
    """Keep a draft in draft.json, so that a restarted kernel does not ask (and pay) again."""
    write_text_safely(folder / FILE, json.dumps(draft.__dict__, ensure_ascii=False, indent=1))
    return draft


def saved_draft(folder: Path, wish: str) -> Draft | None:
    """Give the kept draft that this wish led to; None where there is none or it cannot be read."""
    try:
        data = json.loads((folder / FILE).read_text("utf-8"))
        draft = Draft(
            str(data["wish"]),
            str(data["model"]),
            {part: _text(data["parts"].get(part)) for part in DRAFTED},
            float(data["seconds"]),
            int(data["tokens"]),
            receipt_id(data.get("receipt")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return draft if draft.wish == wish else None
