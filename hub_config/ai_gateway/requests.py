"""Reading requests. The rule: what is not named is refused by name; hostile JSON is an error, never a crash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from grader.replay import canonical
from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import Endpoint, Feature
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.pricing import TEMPLATE_TOKENS

MAX_DEPTH = 48


class Body(BaseModel):
    """A request's fields: strict, and none beyond those that are named."""

    model_config = ConfigDict(extra="forbid", strict=True)


B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form: its field, its name as it is sent on, its type, size and hash."""

    field: str
    name: str
    content_type: str
    size: int
    sha256: str
    file: BinaryIO


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was judged: what is sent whatever the upstream, and the most that it can use."""

    alias: str
    body: dict[str, Any]
    prompt: str
    most: Usage
    features: dict[Feature, str] = field(default_factory=dict)  # each with the field that asks for it
    files: tuple[Upload, ...] = ()
    stream: bool = False
    wants_usage: bool = False
    max_tokens: int = 0

    @property
    def tokens(self) -> int:
        """The most tokens that it can use."""
        return (self.most.prompt_tokens or 0) + (self.most.completion_tokens or 0)


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart request: its text fields, and its files."""

    fields: dict[str, Any]
    files: tuple[Upload, ...]


def sha256_of(text: str) -> str:
    """Give the SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def tokens_at_most(*parts: Any) -> int:
    """Bound the tokens of what is sent: no tokenizer makes more tokens than there are UTF-8 bytes."""
    return sum(len(canonical(part).encode()) for part in parts) + TEMPLATE_TOKENS


def parse_json(raw: bytes) -> Any:
    """Read a request's JSON; GatewayError 400 for anything that cannot be read or be written again."""
    try:
        value = json.loads(raw, parse_constant=_refuse_constant)
        if _depth(value) > MAX_DEPTH:
            raise ValueError
        if b"\\u" in raw:
            canonical(value).encode()  # a lone surrogate would only be found while sending
    except (ValueError, RecursionError) as error:
        raise errors.invalid(
            "요청 본문을 JSON으로 읽을 수 없습니다.", "The request's body cannot be read as JSON.", code="invalid_json"
        ) from error
    return value


def validate(model: type[B], payload: Any) -> B:
    """Read a request as a model; GatewayError says which field is wrong."""
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        raise _field_error(error) from None


def field_error(param: str, ko: str, en: str) -> errors.GatewayError:
    """A field that cannot be used, said in a sentence of its own."""
    return errors.invalid(ko, en, param=param)


def one_of(param: str, allowed: str) -> errors.GatewayError:
    """A field with a value that is none of those allowed."""
    return errors.invalid(f"{param}에는 {allowed}만 쓸 수 있습니다.", f"{param} can only be {allowed}.", param=param)


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


def unknown_model(known: list[str]) -> errors.GatewayError:
    """A model that the gateway does not have."""
    names = ", ".join(known)
    return errors.GatewayError(
        404,
        "model_not_found",
        f"없는 모델입니다. 사용할 수 있는 모델: {names}.",
        f"There is no such model; the models are: {names}.",
        param="model",
    )


def endpoint_not_served(alias: str, endpoint: Endpoint, others: list[str]) -> errors.GatewayError:
    """A model that does not do what is asked."""
    setting = f"ai_models.{alias}: endpoints: [{endpoint}]"
    ko, en = (
        (f" 이 기능이 있는 모델: {', '.join(others)}.", f" Models that can: {', '.join(others)}.")
        if others
        else ("", "")
    )
    return errors.invalid(
        f"{alias} 모델에는 {endpoint} 기능이 없습니다. 이 기능이 있는 제공자를 practicum.yaml의 {setting} 항목으로 추가해야 합니다.{ko}",
        f"The model {alias} does not do {endpoint}; it takes a provider that does, set in practicum.yaml as {setting}.{en}",
        param="model",
        code="endpoint_not_served",
    )


def feature_not_allowed(alias: str, feature: Feature, param: str) -> errors.GatewayError:
    """A field that needs more than the model's upstreams can do."""
    setting = f"ai_models.{alias}: allows: [{feature}]"
    return errors.invalid(
        f"{alias} 모델은 {param} 기능을 지원하지 않습니다. 지원하는 외부 제공자를 practicum.yaml의 {setting} 항목으로 추가해야 합니다.",
        f"The model {alias} cannot do {param}; it takes an outside provider that can, set in practicum.yaml as {setting}.",
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
