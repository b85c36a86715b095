"""Reading a chat request. The rule: what is not named here is refused by name; hostile JSON is an error, never a crash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import Feature, GatewayConfig, Upstream

MAX_DEPTH = 48
_PENALTY = Field(default=None, ge=-2, le=2, allow_inf_nan=False)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Message(_Body):
    """One message of the conversation."""

    role: Literal["developer", "system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = Field(default=None, max_length=64)
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class StreamOptions(_Body):
    """What a client wants of a stream."""

    include_usage: bool | None = None


class ResponseFormat(_Body):
    """The shape the answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class ChatRequest(_Body):
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


@dataclass(frozen=True)
class ChatCall:
    """A request that may be sent: to whom, what exactly, and the most that it can use."""

    alias: str
    upstream: Upstream
    body: dict[str, Any]
    stream: bool
    wants_usage: bool
    max_tokens: int
    prompt: str
    prompt_sha256: str

    def size_bytes(self) -> int:
        """Give the size of what is sent, in UTF-8 bytes."""
        return len(canonical(self.body).encode())


def canonical(value: Any) -> str:
    """Write JSON in the one form that is hashed: sorted keys, no spaces, no escapes that are not needed."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_of(text: str) -> str:
    """Give the SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def parse_json(raw: bytes) -> Any:
    """Read a request's JSON; GatewayError 400 for anything that cannot be read or be written again."""
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
        if _depth(value) > MAX_DEPTH:
            raise ValueError
        canonical(value).encode()  # a lone surrogate would only be found while sending
    except (ValueError, RecursionError) as error:
        raise errors.invalid(
            "요청 본문을 JSON으로 읽을 수 없습니다.", "The request's body cannot be read as JSON.", code="invalid_json"
        ) from error
    return value


def parse_call(payload: Any, config: GatewayConfig) -> ChatCall:
    """Judge a chat request and give the call to make; GatewayError says which field is wrong."""
    try:
        request = ChatRequest.model_validate(payload)
    except ValidationError as error:
        raise _field_error(error) from None
    upstream = config.upstream_of(request.model)
    if upstream is None:
        raise _unknown_model(config)
    if request.n not in (None, 1):
        raise errors.invalid("n은 1만 사용할 수 있습니다.", "Only n = 1 can be used.", param="n")
    for param, feature in _features_used(request):
        if feature not in upstream.allows:
            raise _not_allowed(param, feature, upstream)
    return _call(request, upstream, config)


def _call(request: ChatRequest, upstream: Upstream, config: GatewayConfig) -> ChatCall:
    asked = [tokens for tokens in (request.max_tokens, request.max_completion_tokens) if tokens is not None]
    max_tokens = min([config.max_tokens, *asked])
    options = {"model", "stream", "stream_options", "max_tokens", "max_completion_tokens", "n"}
    body = request.model_dump(exclude_none=True, exclude=options)
    body |= {"model": upstream.models[request.model], upstream.max_tokens_field: max_tokens}
    if request.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    prompt = canonical(body["messages"])
    wants_usage = bool(request.stream_options and request.stream_options.include_usage)
    return ChatCall(
        request.model, upstream, body, bool(request.stream), wants_usage, max_tokens, prompt, sha256_of(prompt)
    )


def _features_used(request: ChatRequest) -> list[tuple[str, Feature]]:
    """Name the fields that need more than text, and what they need."""
    used: list[tuple[str, Feature]] = [
        (name, "tools")
        for name in ("tools", "tool_choice", "parallel_tool_calls")
        if getattr(request, name) is not None
    ]
    for message in request.messages:
        if message.role == "tool" or message.tool_calls or message.tool_call_id:
            used.append(("messages.tool_calls", "tools"))
        parts = message.content if isinstance(message.content, list) else []
        used += [feature for part in parts if (feature := _part_feature(part)) is not None]
    return used


def _part_feature(part: dict[str, Any]) -> tuple[str, Feature] | None:
    kind = part.get("type")
    if kind == "text" and set(part) == {"type", "text"} and isinstance(part["text"], str):
        return None
    if kind == "image_url":
        return "messages.content.image_url", "images"
    if kind == "input_audio":
        return "messages.content.input_audio", "audio"
    raise errors.invalid(
        "messages의 content에는 text, image_url, input_audio만 넣을 수 있습니다.",
        "A message's content takes only parts of the types text, image_url and input_audio.",
        param="messages.content",
    )


def _field_error(error: ValidationError) -> errors.GatewayError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"] if not _is_branch(step))[:80] or "body"
    if first["type"] == "extra_forbidden":
        return errors.invalid(
            f"게이트웨이가 받지 않는 항목입니다: {where}.",
            f"The gateway does not take this field: {where}.",
            param=where,
            code="unknown_field",
        )
    return errors.invalid(
        f"{where} 값이 없거나 사용할 수 없는 값입니다.",
        f"{where} is missing or not acceptable: {first['msg']}.",
        param=where,
    )


def _is_branch(step: int | str) -> bool:
    """Say whether a step of pydantic's location names a union's branch (`str`, `list[...]`) and no field."""
    return isinstance(step, str) and (step in ("str", "dict") or "[" in step)


def _unknown_model(config: GatewayConfig) -> errors.GatewayError:
    known = ", ".join(config.aliases())
    return errors.GatewayError(
        404,
        "model_not_found",
        f"없는 모델입니다. 사용할 수 있는 모델: {known}.",
        f"There is no such model; the models are: {known}.",
        param="model",
    )


def _not_allowed(param: str, feature: Feature, upstream: Upstream) -> errors.GatewayError:
    setting = f'"allows": ["{feature}"]'
    return errors.invalid(
        f"{upstream.name} 모델은 {param} 기능을 지원하지 않습니다. 지원하는 외부 제공자를 게이트웨이 설정의 upstreams에 {setting} 항목과 함께 추가해야 합니다.",
        f"The models of {upstream.name} cannot do {param}; it takes an outside provider that can, "
        f"as an entry of the gateway's setting upstreams with {setting}.",
        param=param,
        code="feature_not_allowed",
    )


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _depth(value: Any) -> int:
    """Give how deep a JSON value is nested; stops counting just past the limit."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [
            item for v in level if isinstance(v, dict | list) for item in (v.values() if isinstance(v, dict) else v)
        ]
    return depth
