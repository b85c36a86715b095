"""A recorded answer as the event stream of a client that asked for one.

The rule: put together again, the events are the recorded answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grader.replay.recording import Answer


def stream_of(answer: Answer, *, usage: bool) -> bytes:
    """Write a chat completion or a response as server-sent events; `usage`: the client asked for a chunk with it."""
    events = _chat(answer.document, usage) if answer.endpoint == "chat" else _response(answer.document)
    return b"".join(events)


def _event(data: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode("utf-8", "replace")


def _chat(completion: dict[str, Any], usage: bool) -> Iterator[bytes]:
    kept: dict[str, Any] = {
        name: completion[name] for name in ("id", "created", "model", "system_fingerprint") if name in completion
    }
    chunk: dict[str, Any] = {**kept, "object": "chat.completion.chunk"}
    for number, choice in enumerate(completion["choices"]):
        place = {"index": choice.get("index", number)}
        said = {**place, "delta": _delta(choice.get("message")), "finish_reason": None}
        ended = {**place, "delta": {}, "finish_reason": choice.get("finish_reason", "stop")}
        if choice.get("logprobs"):
            said["logprobs"] = choice["logprobs"]
        yield _event({**chunk, "choices": [said]})
        yield _event({**chunk, "choices": [ended]})
    if usage:
        yield _event({**chunk, "choices": [], "usage": completion.get("usage")})
    yield b"data: [DONE]\n\n"


def _delta(message: Any) -> dict[str, Any]:
    delta = dict(message) if isinstance(message, dict) else {}
    if isinstance(calls := delta.get("tool_calls"), list):
        delta["tool_calls"] = [{"index": at, **call} for at, call in enumerate(calls) if isinstance(call, dict)]
    return delta


def _response(response: dict[str, Any]) -> Iterator[bytes]:
    number = iter(range(10**9))

    def event(kind: str, **more: Any) -> bytes:
        return _event({"type": kind, "sequence_number": next(number), **more}, kind)

    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for at, item in enumerate(response["output"]):
        place = {"output_index": at, "item_id": item.get("id", "")}
        parts = item["content"] if isinstance(item.get("content"), list) else []
        # A message grows part by part; whatever else there is comes whole.
        empty = {"content": [], "status": "in_progress"} if parts else {}
        yield event("response.output_item.added", output_index=at, item={**item, **empty})
        for part_at, part in enumerate(parts):
            for kind, more in _part(part):
                yield event(f"response.{kind}", **place, content_index=part_at, **more)
        yield event("response.output_item.done", output_index=at, item=item)
    yield event("response.completed", response=response)


def _part(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the events of one part of a message, by what they add."""
    is_text = isinstance(part, dict) and part.get("type") == "output_text"
    yield "content_part.added", {"part": {**part, "text": ""} if is_text else part}
    if is_text:
        text = part.get("text", "")
        yield "output_text.delta", {"delta": text, "logprobs": []}
        yield "output_text.done", {"text": text, "logprobs": []}
    yield "content_part.done", {"part": part}
