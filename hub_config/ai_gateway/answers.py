"""Shaping a provider's answer. The rule: an answer is rebuilt from known fields, so that nothing else can leave."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.redact import without_keys
from hub_config.ai_gateway.requests import Call

#: More of anything than any call has: a bigger count is a lie, and would not fit the database.
MOST = 100_000_000
#: Made once: making it anew costs more than writing a stream's event.
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class Reader:
    """Reads one call's answer: shapes it for the caller, and notes what it used and said.

    `usage` is what the provider reports, None where it reports nothing or nonsense; `finished` says that a stream came to
    its own end.
    """

    def __init__(self, call: Call, alias: str, receipt: str) -> None:
        self.call, self.alias, self.receipt = call, alias, receipt
        self.usage: Usage | None = None
        self.finished = False
        self.answer: dict[str, Any] | None = None

    def whole(self, raw: Any) -> dict[str, Any]:
        """Shape a whole answer; GatewayError where it is none."""
        raise NotImplementedError

    def event(self, raw: Any) -> dict[str, Any] | None:
        """Shape a stream's event; None for one that the caller did not ask for."""
        raise NotImplementedError

    def kept(self) -> str | None:
        """Give what a receipt keeps of the answer, as JSON, as far as it came."""
        return None if self.answer is None else json.dumps(self.answer, ensure_ascii=False)


def count(raw: Any) -> int | None:
    """Read a number of tokens; None for anything else."""
    return raw if type(raw) is int and 0 <= raw <= MOST else None


def milliseconds(raw: Any) -> int | None:
    """Read a number of seconds as whole milliseconds, rounded up; None for anything else."""
    good = isinstance(raw, int | float) and not isinstance(raw, bool) and 0 <= raw <= MOST
    return -int(-raw * 1000 // 1) if good else None


def token_usage(raw: Any, prompt: str = "prompt_tokens", completion: str = "completion_tokens") -> Usage | None:
    """Read a report of tokens; one that makes no sense counts as none."""
    if not isinstance(raw, dict):
        return None
    prompt_tokens, completion_tokens = count(raw.get(prompt)), count(raw.get(completion))
    return Usage(prompt_tokens, completion_tokens) if prompt_tokens and completion_tokens is not None else None


def usage_json(usage: Usage) -> dict[str, int]:
    """Give tokens in the chat API's shape."""
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def must_be(raw: Any, kind: type) -> Any:
    """Give a value of the kind; GatewayError where the provider sent another."""
    if not isinstance(raw, kind) or (isinstance(raw, dict) and raw.get("error")):
        raise errors.upstream_broken()
    return raw


def pick(raw: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Give the named fields that are there."""
    return {name: raw[name] for name in names if name in raw}


def pick_deep(raw: Any, names: Collection[str]) -> Any:
    """Give a value with only the named fields, on every level."""
    if isinstance(raw, dict):
        return {name: pick_deep(value, names) for name, value in raw.items() if name in names}
    return [pick_deep(item, names) for item in raw] if isinstance(raw, list) else raw


def said(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the texts of a shaped stream event that a client puts together, each with the name of what it is put to."""
    if isinstance(event.get("delta"), str):
        yield "delta", event["delta"]
    for choice in event.get("choices", []):
        delta = choice["delta"]
        yield from ((name, delta[name]) for name in ("content", "refusal", "reasoning_content") if delta.get(name))
        for call in delta.get("tool_calls") or []:
            if isinstance(call.get("function"), dict):
                yield from ((name, text) for name, text in call["function"].items() if isinstance(text, str))


def write(answer: dict[str, Any], keys: Iterable[str]) -> str:
    """Write an answer as JSON without any key that a provider may have repeated in it; GatewayError for what is no JSON."""
    try:
        text = _ENCODE(answer)
    except (ValueError, RecursionError) as error:
        raise errors.upstream_broken() from error
    # Half of a surrogate pair, which some servers cut at a chunk's end, has no UTF-8: JSON escapes it.
    return without_keys(text, keys).encode("utf-8", "backslashreplace").decode()
