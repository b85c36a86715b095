"""The Responses API, without its memory: nothing is stored at the provider, and nobody's stored answer can be named."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from grader.replay import canonical
from hub_config.ai_gateway import errors
from hub_config.ai_gateway.answers import Reader, must_be, pick, pick_deep, token_usage
from hub_config.ai_gateway.config import Feature
from hub_config.ai_gateway.endpoints.chat import DATA_URL, IMAGE_TOKENS, SPARE_CHUNKS, tools_asked
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.requests import Body, Call, field_error, tokens_at_most, validate

TEXT_PARTS = ("input_text", "output_text", "refusal", "summary_text", "reasoning_text")
TOOL_ITEMS = ("function_call", "function_call_output")
#: The events of a stream that carry a part of an answer; others (of tools that the gateway does not let through) end it.
EVENTS = ("response.created", "response.in_progress", "response.completed", "response.incomplete", "response.output_",
          "response.content_part.", "response.refusal.", "response.function_call_arguments.", "response.reasoning_")  # fmt: skip
LAST = ("response.completed", "response.incomplete")
#: Every field of a response and of its events that the openai client reads.
FIELDS = frozenset({
    "id", "object", "created_at", "completed_at", "status", "error", "incomplete_details", "reason",
    "instructions", "max_output_tokens", "model", "output", "parallel_tool_calls", "reasoning", "effort",
    "summary", "store", "temperature", "text", "format", "name", "strict", "schema", "tool_choice", "tools",
    "top_p", "truncation", "usage", "input_tokens", "output_tokens", "total_tokens", "input_tokens_details",
    "cached_tokens", "output_tokens_details", "reasoning_tokens", "type", "role", "content", "annotations",
    "refusal", "call_id", "arguments", "parameters", "description", "sequence_number", "response", "output_index",
    "content_index", "summary_index", "item", "item_id", "part", "delta", "obfuscation", "phase", "metadata",
})  # fmt: skip


class Reasoning(Body):
    """How much the model thinks before it answers."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class TextOptions(Body):
    """The shape the answer must have."""

    format: dict[str, Any] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ResponsesRequest(Body):
    """The fields of a response that the gateway lets through."""

    model: str
    input: str | list[dict[str, Any]] = Field(min_length=1)
    instructions: str | None = None
    stream: bool | None = None
    store: bool | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    reasoning: Reasoning | None = None
    text: TextOptions | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None


def parse(payload: Any, most_tokens: int) -> Call:
    """Judge a request for a response; GatewayError says which field is wrong."""
    request = validate(ResponsesRequest, payload)
    max_tokens = min(most_tokens, request.max_output_tokens or most_tokens)
    body = request.model_dump(exclude_none=True, exclude={"model", "stream", "store"})
    body |= {"max_output_tokens": max_tokens, "store": False}
    features, images = _features(request)
    return Call(
        alias=request.model,
        body={**body, "stream": True} if request.stream else body,
        prompt=canonical(pick(body, ("instructions", "input"))),
        most=Usage(tokens_at_most(body) + images * IMAGE_TOKENS, max_tokens),
        features=features,
        stream=bool(request.stream),
        max_tokens=max_tokens,
    )


class ResponsesReader(Reader):
    """Reads a response, whole or from its events."""

    deltas = 0
    events, items = 0, -1

    def whole(self, raw: Any) -> dict[str, Any]:
        """Shape a response."""
        must_be(must_be(raw, dict).get("output"), list)
        shaped: dict[str, Any] = pick_deep(raw, FIELDS)
        self.answer = {**shaped, "id": self.receipt, "model": self.alias, "error": None}
        self.usage = token_usage(raw.get("usage"), "input_tokens", "output_tokens") or self.usage
        if self.usage and not self.usage.completion_tokens and raw["output"]:
            self.usage = None
        return self.answer

    def event(self, raw: Any) -> dict[str, Any] | None:
        """Shape an event; the last one holds the whole response."""
        kind = must_be(must_be(raw, dict).get("type"), str)
        if not kind.startswith(EVENTS):
            raise errors.upstream_broken()
        self.deltas += kind.endswith(".delta")
        if self.deltas > self.call.max_tokens + SPARE_CHUNKS:
            raise errors.upstream_broken()
        shaped: dict[str, Any] = pick_deep({name: value for name, value in raw.items() if name != "response"}, FIELDS)
        # llama.cpp leaves out what says where an event belongs, and clients put the answer together by it.
        self.items += kind == "response.output_item.added"
        shaped = {"sequence_number": self.events, **shaped}
        self.events += 1
        if "response" not in raw:
            shaped = {"output_index": max(0, self.items), **shaped}
        if "item_id" in raw:
            shaped = {"content_index": 0, **shaped}
        if "response" in raw:
            response = must_be(raw["response"], dict)
            # A response that has only begun may come without its output: llama.cpp's does.
            shaped["response"] = self.whole(response if kind in LAST else {"output": [], **response})
        self.finished = self.finished or kind in LAST
        return shaped


def _features(request: ResponsesRequest) -> tuple[dict[Feature, str], int]:
    """Name what is asked for beyond text with the field that asks, and count the pictures."""
    used, images = tools_asked(request), 0
    for item in request.input if isinstance(request.input, list) else []:
        kind = item.get("type", "message")
        if kind in TOOL_ITEMS:
            used.setdefault("tools", f"input.{kind}")
        elif kind not in ("message", "reasoning"):
            raise _unknown_part()
        content = item.get("content")
        for part in content if isinstance(content, list) else []:
            if _is_picture(part):
                images += 1
                used.setdefault("images", "input.content.input_image")
    return used, images


def _is_picture(part: Any) -> bool:
    if isinstance(part, dict) and part.get("type") in TEXT_PARTS:
        return False
    url = part.get("image_url") if isinstance(part, dict) and part.get("type") == "input_image" else None
    if isinstance(url, str) and DATA_URL.fullmatch(url) and set(part) <= {"type", "image_url", "detail"}:
        return True
    raise _unknown_part()


def _unknown_part() -> errors.GatewayError:
    return field_error(
        "input",
        "input에는 글과 data:image/...;base64 그림, 함수 호출만 넣을 수 있습니다. 제공자에 저장된 항목이나 주소는 쓸 수 없습니다.",
        "The input takes text, pictures as data:image/...;base64 and function calls; nothing stored at a provider, and no address.",
    )
