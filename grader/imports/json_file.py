"""The JSON of the national roster and attendance API: a list of objects, or one wrapped in objects or in a text.

The rule: exactly one list of objects is the table; a file with several says which there are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grader.imports.limits import MAX_COLUMNS, BadFile, RawRow

MAX_DEPTH = 5


def rows_of_json(name: str, text: str) -> Iterator[RawRow]:
    """The objects as rows, counted from 1 with their keys as the row 0 of headings."""
    found = list(_lists(_parsed(name, text), "", MAX_DEPTH))
    if len(found) != 1:
        names = ", ".join(path or "[]" for path, _ in found[:10])
        raise BadFile(
            f"{name}: 훈련생이나 출결의 목록(객체의 배열)이 하나 있어야 합니다. 찾은 목록: {names or '없음'}",
            f"{name}: there has to be one list of objects; lists found: {names or 'none'}",
        )
    rows = found[0][1]
    keys: dict[str, None] = {}
    for row in rows:
        keys.update(dict.fromkeys(row))
        if len(keys) > MAX_COLUMNS:
            raise BadFile(
                f"{name}: 항목이 너무 많습니다. {MAX_COLUMNS}개까지 읽습니다.",
                f"{name}: too many different keys; at most {MAX_COLUMNS} are read",
            )
    yield 0, [_text(name, 0, key) for key in keys]
    for number, row in enumerate(rows, 1):
        yield number, [_text(name, number, row.get(key)) for key in keys]


def _parsed(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f"({error.lineno}:{error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise BadFile(f"{name}: JSON으로 읽을 수 없습니다. {at}", f"{name}: cannot be read as JSON {at}") from None


def _lists(value: Any, path: str, depth: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every list of objects, with the keys that lead to it."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{") and depth:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        yield path, value
    elif isinstance(value, dict) and depth:
        for key, inner in value.items():
            yield from _lists(inner, f"{path}.{key[:40]}".lstrip("."), depth - 1)


def _text(name: str, number: int, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        raise BadFile(
            f"{name}: {number}번째 항목의 값이 글자나 숫자가 아니라 목록입니다.",
            f"{name}: row {number} holds a list or an object where a text or a number would be",
        )
    try:
        text = str(value)
        text.encode()
    except ValueError:  # a number of thousands of digits, half of a surrogate pair
        text = "\0"
    if "\0" in text:
        raise BadFile(
            f"{name}: {number}번째 항목에 쓸 수 없는 문자가 있습니다.",
            f"{name}: row {number} holds a character that cannot be kept",
        )
    return text
