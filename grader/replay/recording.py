"""Reads recorded AI calls, one JSON object a line, and gives each request the answer that it got.

The rule: a file is taken whole or not at all; what is wrong with it is told by line and field.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

ENDPOINTS = ("chat", "responses", "embeddings", "transcriptions", "speech", "images.generations", "images.edits")
#: What an answer must hold so that it can be given as a stream, too.
LISTS = {"chat": "choices", "responses": "output"}
HASH = re.compile(r"[0-9a-f]{64}")
#: Both go into a header, where a line break would begin another one.
TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}(;[ \w.+=-]{1,60})?", re.ASCII)
RECEIPT = re.compile(r"[\w-]{1,60}", re.ASCII)


class RecordingError(ValueError):
    """A file that cannot be replayed; the message names line and field, in both languages."""

    def __init__(self, line: int, field: str, ko: str, en: str) -> None:
        super().__init__(f"{line}번째 줄 {field}: {ko} Line {line}, {field}: {en}")


@dataclass(frozen=True)
class Answer:
    """One recorded answer as it goes out."""

    endpoint: str
    content_type: str
    content: bytes
    receipt: str

    @property
    def document(self) -> Any:
        """What the answer says as JSON; ValueError where it is none."""
        return json.loads(self.content)


class Recording:
    """All recorded answers, by what was asked; asked again, a request gets the next answer, at the end the last again."""

    def __init__(self, answers: Iterable[tuple[str, Answer]]) -> None:
        self._answers: dict[str, list[Answer]] = {}
        self._given: dict[str, int] = {}
        self._lock = Lock()
        for key, answer in answers:
            self._answers.setdefault(key, []).append(answer)

    def answer(self, key: str) -> Answer | None:
        """Give the next answer to a request; None where it was never asked."""
        with self._lock:
            recorded = self._answers.get(key)
            if recorded is None:
                return None
            given = self._given.get(key, 0)
            self._given[key] = given + 1
            return recorded[min(given, len(recorded) - 1)]


def read_recording(path: Path) -> Recording:
    """Read a file of recorded calls; RecordingError says which line and field is wrong."""
    answers = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                answers.append(_read_line(number, line))
    return Recording(answers)


def _read_line(number: int, line: bytes) -> tuple[str, Answer]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise RecordingError(number, "JSON", "JSON 객체가 아닙니다.", "this is no JSON object.")
    if data.get("endpoint") not in ENDPOINTS:
        raise RecordingError(number, "endpoint", "알 수 없는 종류입니다.", f"must be one of {', '.join(ENDPOINTS)}.")
    key = _field(number, data, "request_sha256", HASH)
    receipt = _field(number, data, "receipt", RECEIPT)
    answer = Answer(data["endpoint"], _field(number, data, "content_type", TYPE), _content(number, data), receipt)
    if (name := LISTS.get(answer.endpoint)) and not _has_objects(answer, name):
        raise RecordingError(number, "answer", f"'{name}' 목록이 없습니다.", f"holds no list '{name}' of objects.")
    return key, answer


def _field(number: int, data: dict[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RecordingError(number, name, "값이 없거나 형식이 다릅니다.", "is missing or has another form.")
    return value


def _content(number: int, data: dict[str, Any]) -> bytes:
    text, binary = data.get("answer"), data.get("answer_base64")
    if isinstance(text, str) and binary is None:
        return text.encode("utf-8", "replace")
    if isinstance(binary, str) and text is None:
        try:
            return base64.b64decode(binary, validate=True)
        except ValueError:
            raise RecordingError(number, "answer_base64", "base64가 아닙니다.", "is no base64.") from None
    ko = "answer와 answer_base64 가운데 하나만 문자열로 있어야 합니다."
    raise RecordingError(number, "answer", ko, "either this or answer_base64 must be a text, not both.")


def _has_objects(answer: Answer, name: str) -> bool:
    """Whether the answer is a JSON object with a list of objects under a name."""
    try:
        items = answer.document[name]
    except (ValueError, RecursionError, KeyError, TypeError):
        return False
    return isinstance(items, list) and all(isinstance(item, dict) for item in items)
