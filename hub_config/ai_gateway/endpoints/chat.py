"""Chat completions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field

from grader.replay import canonical
from hub_config.ai_gateway import errors
from hub_config.ai_gateway.answers import Reader, count, must_be, pick, token_usage, usage_json
from hub_config.ai_gateway.config import Feature, Route, Upstream
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.requests import Body, Call, field_error, tokens_at_most, validate

#: More than the tokens that any provider counts for one picture, whatever its bytes.
IMAGE_TOKENS = 50_000
#: A provider that fetched an address would be a way around the gateway, so a picture comes inside the request.
DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+")
_PENALTY = Field(default=None, ge=-2, le=2, allow_inf_nan=False)
_TOP = ("object", "created", "system_fingerprint")
_CHOICE = ("index", "finish_reason")
_MESSAGE = ("role", "content", "refusal", "tool_calls", "reasoning_content")
#: Parts of a stream that hold no token of their own (roles, ends), before a longer answer than asked for is cut.
SPARE_CHUNKS = 64


class Message(Body):
    """One message of the conversation."""

    role: Literal["developer", "system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = Field(default=None, max_length=64)
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class StreamOptions(Body):
    """What a client wants of a stream."""

    include_usage: bool | None = None


class ResponseFormat(Body):
    """The shape the answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class ChatRequest(Body):
    """The fields of a chat completion that the gateway lets through."""

    model: str
    messages: list[Message] = Field(min_length=1, max_length=1000)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: int | None = None
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(default=None, ge=0, le=1, allow_inf_nan=False)
    presence_penalty: float | None = _PENALTY
    frequency_penalty: float | None = _PENALTY
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    response_format: ResponseFormat | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None


def parse(payload: Any, most_tokens: int) -> Call:
    """Judge a chat request; GatewayError says which field is wrong."""
    request = validate(ChatRequest, payload)
    if request.n not in (None, 1):
        raise field_error("n", "n은 1만 사용할 수 있습니다.", "Only n = 1 can be used.")
    asked = [tokens for tokens in (request.max_tokens, request.max_completion_tokens) if tokens is not None]
    max_tokens = min([most_tokens, *asked])
    options = {"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"}
    body = request.model_dump(exclude_none=True, exclude=options)
    features, images = _features(request)
    return Call(
        alias=request.model,
        body=body,
        prompt=canonical(body["messages"]),
        most=Usage(tokens_at_most(body) + images * IMAGE_TOKENS, max_tokens),
        features=features,
        stream=bool(request.stream),
        wants_usage=bool(request.stream_options and request.stream_options.include_usage),
        max_tokens=max_tokens,
    )


def send(call: Call, route: Route, upstream: Upstream) -> dict[str, Any]:
    """Write the request for an upstream; one that tells its usage as it goes is always asked for a stream."""
    body = {**call.body, "model": route.model, upstream.max_tokens_field: call.max_tokens}
    if call.stream or upstream.running_usage != "none":
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    if upstream.running_usage == "llama.cpp":
        body["timings_per_token"] = True
    elif upstream.running_usage == "vllm":
        body["stream_options"]["continuous_usage_stats"] = True
    return body


class ChatReader(Reader):
    """Reads a chat completion, whole or from its chunks."""

    chunks = 0

    def whole(self, raw: Any) -> dict[str, Any]:
        """Shape a completion."""
        choices = [_choice(choice, "message") for choice in must_be(must_be(raw, dict).get("choices"), list)]
        if not choices:
            raise errors.upstream_broken()
        self._read_usage(raw)
        self.answer = {"id": self.receipt, **pick(raw, _TOP), "model": self.alias, "choices": choices}
        self._believe(choices[0]["message"])
        if self.usage:
            self.answer["usage"] = usage_json(self.usage)
        return self.answer

    def event(self, raw: Any) -> dict[str, Any] | None:
        """Shape a chunk, and put it to the answer so far."""
        choices = [_choice(choice, "delta") for choice in must_be(must_be(raw, dict).get("choices"), list)]
        self._read_usage(raw)
        chunk = {"id": self.receipt, **pick(raw, _TOP), "model": self.alias, "choices": choices}
        if self.answer is None:
            message = {"role": "assistant", "content": None}
            choice = {"index": 0, "message": message, "finish_reason": None}
            self.answer = {**chunk, "object": "chat.completion", "choices": [choice]}
        for choice in choices:
            self._add(choice)
        if choices:
            return chunk
        self._believe(self.answer["choices"][0]["message"])
        if self.usage:
            self.answer["usage"] = usage_json(self.usage)
        return chunk | {"usage": usage_json(self.usage)} if self.call.wants_usage and self.usage else None

    def assembled(self) -> dict[str, Any]:
        """Give a finished stream as a whole completion."""
        if self.answer is None or not self.finished:
            raise errors.upstream_broken()
        return self.answer

    def _read_usage(self, raw: dict[str, Any]) -> None:
        timings = raw.get("timings")
        if isinstance(timings, dict):
            parts = [count(timings.get(name, 0)) for name in ("cache_n", "prompt_n", "predicted_n")]
            if None not in parts and parts[0] + parts[1]:  # type: ignore[operator]
                self.usage = Usage(parts[0] + parts[1], parts[2])  # type: ignore[operator]
        self.usage = token_usage(raw.get("usage")) or self.usage

    def _believe(self, message: dict[str, Any]) -> None:
        """Forget a report of no tokens for an answer that has some."""
        if self.usage and not self.usage.completion_tokens and (message.get("content") or message.get("tool_calls")):
            self.usage = None

    def _add(self, choice: dict[str, Any]) -> None:
        self.chunks += 1
        if self.chunks > self.call.max_tokens + SPARE_CHUNKS:
            raise errors.upstream_broken()
        whole, delta = self.answer["choices"][0], choice["delta"]  # type: ignore[index]
        for name in ("content", "refusal", "reasoning_content"):
            if delta.get(name):
                whole["message"][name] = (whole["message"].get(name) or "") + delta[name]
        for part in delta.get("tool_calls") or []:
            _add_tool_call(whole["message"].setdefault("tool_calls", []), part)
        if choice.get("finish_reason") is not None:
            whole["finish_reason"] = choice["finish_reason"]
            self.finished = True


def _choice(raw: Any, part: str) -> dict[str, Any]:
    message = pick(must_be(must_be(raw, dict).get(part), dict), _MESSAGE)
    for name in ("content", "refusal", "reasoning_content"):
        if not isinstance(message.get(name), str | None):
            raise errors.upstream_broken()
    if message.get("tool_calls") is not None:
        calls = [must_be(call, dict) for call in must_be(message["tool_calls"], list)]
        message["tool_calls"] = [pick(call, ("index", "id", "type", "function")) for call in calls]
    return {**pick(raw, _CHOICE), part: message}


def _add_tool_call(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """Put a piece of a tool call to its place; the arguments come in pieces."""
    index = part.get("index", len(calls))
    if not isinstance(index, int) or not 0 <= index <= len(calls):
        raise errors.upstream_broken()
    if index == len(calls):
        calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call, function = calls[index], part.get("function")
    call.update({name: part[name] for name in ("id", "type") if part.get(name)})
    if isinstance(function, dict):
        for name in ("name", "arguments"):
            call["function"][name] += str(function.get(name) or "")


class AsksTools(Protocol):
    """A request that may hold tools."""

    tools: list[dict[str, Any]] | None


def tools_asked(request: AsksTools) -> dict[Feature, str]:
    """Name the field that asks for tools, where one does; GatewayError for any tool but a function."""
    if any(tool.get("type") != "function" for tool in request.tools or []):
        raise field_error(
            "tools", "tools에는 function만 쓸 수 있습니다.", "Only tools of the type function can be used."
        )
    names = ("tools", "tool_choice", "parallel_tool_calls")
    asked = next((name for name in names if getattr(request, name) is not None), None)
    return {"tools": asked} if asked else {}


def _features(request: ChatRequest) -> tuple[dict[Feature, str], int]:
    """Name what is asked for beyond text with the field that asks, and count the pictures."""
    used, images = tools_asked(request), 0
    for message in request.messages:
        if message.role == "tool" or message.tool_calls or message.tool_call_id:
            used.setdefault("tools", "messages.tool_calls")
        for part in message.content if isinstance(message.content, list) else []:
            feature = _part_feature(part)
            images += feature == "images"
            if feature:
                used.setdefault(feature, f"messages.content.{part['type']}")
    return used, images


def _part_feature(part: dict[str, Any]) -> Feature | None:
    kind = part.get("type")
    if kind == "text" and set(part) == {"type", "text"} and isinstance(part["text"], str):
        return None
    if kind == "input_audio":
        return "audio"
    if kind == "image_url":
        picture = part.get("image_url")
        if isinstance(picture, dict) and isinstance(picture.get("url"), str) and DATA_URL.fullmatch(picture["url"]):
            return "images"
        raise field_error(
            "messages.content.image_url",
            "그림은 주소가 아니라 data:image/...;base64 형식으로 요청에 넣어야 합니다.",
            "A picture must be inside the request, as data:image/...;base64, and not an address.",
        )
    raise field_error(
        "messages.content",
        "messages의 content에는 text, image_url, input_audio만 넣을 수 있습니다.",
        "A message's content takes only parts of the types text, image_url and input_audio.",
    )
