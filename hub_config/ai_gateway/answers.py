"""Shaping a provider's answer. The rule: an answer is rebuilt from known fields, so that nothing else can leave."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.redact import without_keys
from hub_config.ai_gateway.requests import canonical

#: More tokens than any call has: a bigger count is a lie, and would not fit the database.
MAX_TOKENS = 100_000_000
_TOP = ("id", "object", "created", "system_fingerprint")
_CHOICE = ("index", "finish_reason", "logprobs")
_MESSAGE = ("role", "content", "refusal", "tool_calls", "reasoning_content")


@dataclass(frozen=True)
class Usage:
    """The tokens that a provider says a call used."""

    prompt_tokens: int
    completion_tokens: int

    def as_json(self) -> dict[str, int]:
        """Give it in the OpenAI API's shape."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }


@dataclass
class Seen:
    """What has come of an answer so far."""

    usage: Usage | None = None
    finished: bool = False
    text: list[str] = field(default_factory=list)

    def answer(self) -> str:
        """Give the answer's text as far as it came."""
        return "".join(self.text)


def read_usage(raw: Any) -> Usage | None:
    """Read a usage report; one that makes no sense counts as none."""
    if not isinstance(raw, dict):
        return None
    prompt, completion = _count(raw.get("prompt_tokens")), _count(raw.get("completion_tokens"))
    return None if prompt is None or completion is None else Usage(prompt, completion)


def _count(raw: Any) -> int | None:
    return raw if type(raw) is int and 0 <= raw <= MAX_TOKENS else None


def shape(raw: Any, alias: str, part: str, seen: Seen) -> dict[str, Any]:
    """Rebuild an answer (`part` is "message") or a chunk ("delta"), and note what it says; GatewayError where it is neither."""
    if not isinstance(raw, dict) or not isinstance(raw.get("choices"), list) or "error" in raw:
        raise errors.upstream_broken()
    choices = [_shape_choice(choice, part, seen) for choice in raw["choices"]]
    if part == "message" and not choices:
        raise errors.upstream_broken()
    seen.usage = read_usage(raw.get("usage")) or seen.usage
    return {key: raw[key] for key in _TOP if key in raw} | {"model": alias, "choices": choices}


def _shape_choice(choice: Any, part: str, seen: Seen) -> dict[str, Any]:
    if not isinstance(choice, dict) or not isinstance(choice.get(part), dict):
        raise errors.upstream_broken()
    message = {key: choice[part][key] for key in _MESSAGE if key in choice[part]}
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise errors.upstream_broken()
    seen.text.append(content or "")
    if message.get("tool_calls"):
        seen.text.append(canonical(message["tool_calls"]))
    seen.finished = seen.finished or choice.get("finish_reason") is not None
    return {key: choice[key] for key in _CHOICE if key in choice} | {part: message}


def write(answer: dict[str, Any], keys: Iterable[str]) -> str:
    """Write an answer as JSON without any key that a provider may have repeated in it."""
    return without_keys(json.dumps(answer, ensure_ascii=False), keys)
