"""When two AI requests are the same: the gateway writes this key into a receipt, and a replay looks an answer up by it.

The one rule: the key depends on what was asked, never on how the answer is sent or on where the request was made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

# How an answer is sent changes nothing about what was asked.
HOW_IT_IS_SENT = frozenset({"stream", "stream_options"})


def canonical(value: Any) -> str:
    """Write a value as JSON in the one way that is hashed; ValueError for what JSON cannot say."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def request_key(endpoint: str, body: Mapping[str, Any]) -> str:
    """Give the SHA-256 of what was asked of an endpoint; of a form, body is what form_body gives."""
    asked = {"endpoint": endpoint, "body": {k: v for k, v in body.items() if k not in HOW_IT_IS_SENT}}
    # JSON may hold half of a surrogate pair, which plain UTF-8 refuses.
    return hashlib.sha256(canonical(asked).encode("utf-8", "surrogatepass")).hexdigest()


def form_body(fields: Iterable[tuple[str, str | bytes]]) -> dict[str, Any]:
    """Give a form as a body: texts as they are, a file (bytes) as its SHA-256, a repeated field as a list."""
    values: dict[str, list[Any]] = {}
    for name, value in fields:
        said = value if isinstance(value, str) else {"sha256": hashlib.sha256(value).hexdigest()}
        values.setdefault(name, []).append(said)
    return {name: said[0] if len(said) == 1 else said for name, said in values.items()}
