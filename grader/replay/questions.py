"""Reads what a request to the OpenAI API asks: its endpoint by the address, its body as JSON or as a form.

The rule: whatever comes in is data; nothing of a path or a file name reaches the disk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

from grader.replay.keys import form_body

PATHS = {
    "chat/completions": "chat",
    "responses": "responses",
    "embeddings": "embeddings",
    "audio/transcriptions": "transcriptions",
    "audio/speech": "speech",
    "images/generations": "images.generations",
    "images/edits": "images.edits",
}
#: With or without the course and the lab before it, as behind the gateway.
ADDRESS = re.compile(r"(?:/[\w.%-]+/[\w.%-]+)?/v1/([a-z/]+)", re.ASCII)
MAX_PARTS = 100
FIRST_WORDS = 60


def endpoint_of(target: str) -> str | None:
    """Name the endpoint that an address belongs to; None for any other address."""
    match = ADDRESS.fullmatch(target.partition("?")[0])
    return PATHS.get(match.group(1)) if match else None


def read_body(content_type: str, raw: bytes) -> dict[str, Any] | None:
    """Read a request's body, a form's as form_body gives it; None where it cannot be read."""
    header = Message()
    header["content-type"] = content_type
    try:
        if header.get_content_type() == "multipart/form-data":
            return form_body(_fields(raw, str(header.get_boundary("")).encode()))
        data = json.loads(raw, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _fields(raw: bytes, boundary: bytes) -> Iterator[tuple[str, str | bytes]]:
    if not boundary:
        raise ValueError("no boundary")
    parts = (b"\r\n" + raw).split(b"\r\n--" + boundary, MAX_PARTS)
    if len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise ValueError("the form is cut off, or has too many parts")
    for part in parts[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        said = BytesHeaderParser().parsebytes(head.lstrip(b"\r\n"))
        name = said.get_param("name", "", "content-disposition")
        yield str(name), value if said.get_filename() is not None else value.decode("utf-8")


def first_words(body: dict[str, Any]) -> str:
    """Give the first words of what was asked last, to name a request to a person."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    asked = last.get("content") if isinstance(last, dict) else body.get("input", body.get("prompt"))
    if isinstance(asked, list | dict):
        asked = json.dumps(asked, ensure_ascii=False)
    words = " ".join(str(asked or "").split())
    return "".join(letter for letter in words[:FIRST_WORDS] if letter.isprintable())
