"""Pictures made and edited."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from grader.replay import canonical
from hub_config.ai_gateway import errors
from hub_config.ai_gateway.answers import Reader, count, must_be, pick
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.requests import Body, Call, Form, field_error, validate

MOST_IMAGES = 4
FILES = {"image": 8, "mask": 1}
_FORM_NUMBERS = ("n", "output_compression")


class ImagesRequest(Body):
    """The fields of a request for pictures that the gateway lets through."""

    model: str
    prompt: str = Field(min_length=1, max_length=32_000)
    n: int = Field(default=1, ge=1, le=MOST_IMAGES)
    size: str | None = Field(default=None, pattern=r"^(auto|\d{2,5}x\d{2,5})$")
    quality: Literal["auto", "low", "medium", "high", "standard", "hd"] | None = None
    style: Literal["vivid", "natural"] | None = None
    background: Literal["auto", "transparent", "opaque"] | None = None
    moderation: Literal["auto", "low"] | None = None
    output_format: Literal["png", "jpeg", "webp"] | None = None
    output_compression: int | None = Field(default=None, ge=0, le=100)
    response_format: Literal["b64_json"] | None = None


def parse_generation(payload: Any, _most_tokens: int) -> Call:
    """Judge a request for new pictures; GatewayError says which field is wrong."""
    return _call(payload)


def parse_edit(form: Form, _most_tokens: int) -> Call:
    """Judge a request to edit pictures; GatewayError says which field is wrong."""
    fields = {name: _number(name, value) for name, value in form.fields.items()}
    counts = {name: sum(upload.field.removesuffix("[]") == name for upload in form.files) for name in FILES}
    if (
        counts["image"] == 0
        or any(counts[name] > most for name, most in FILES.items())
        or sum(counts.values()) < len(form.files)
    ):
        raise field_error(
            "image",
            "image 파일이 1개에서 8개까지, mask 파일은 1개까지 필요합니다.",
            "It takes 1 to 8 files as image, and at most one as mask.",
        )
    return _call(fields, form)


def _call(payload: Any, form: Form | None = None) -> Call:
    if isinstance(payload, dict) and payload.get("response_format") == "url":
        raise field_error(
            "response_format",
            "그림은 b64_json으로만 받을 수 있습니다.",
            "Pictures can only be had as b64_json, not as an address.",
        )
    request = validate(ImagesRequest, payload)
    return Call(
        alias=request.model,
        body=request.model_dump(exclude_none=True, exclude={"model"}),
        prompt=canonical(request.prompt),
        most=Usage(images=request.n),
        files=form.files if form else (),
    )


def _number(name: str, value: Any) -> Any:
    return int(value) if name in _FORM_NUMBERS and str(value).isdecimal() and str(value).isascii() else value


class ImagesReader(Reader):
    """Reads pictures, which come inside the answer."""

    def whole(self, raw: Any) -> dict[str, Any]:
        """Shape the list of pictures."""
        pictures = [must_be(item, dict) for item in must_be(must_be(raw, dict).get("data"), list)]
        if not all(isinstance(picture.get("b64_json"), str) for picture in pictures):
            raise errors.upstream_broken()
        self.usage = Usage(images=len(pictures))
        data = [pick(picture, ("b64_json", "revised_prompt")) for picture in pictures]
        self.answer = {"created": count(raw.get("created")) or 0, "data": data}
        return self.answer
