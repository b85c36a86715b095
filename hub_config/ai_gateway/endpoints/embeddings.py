"""Embeddings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from grader.replay import canonical
from hub_config.ai_gateway import errors
from hub_config.ai_gateway.answers import Reader, count, must_be
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.requests import Body, Call, tokens_at_most, validate

MOST_TEXTS = 256


class EmbeddingsRequest(Body):
    """The fields of a request for embeddings that the gateway lets through."""

    model: str
    input: str | Annotated[list[str], Field(min_length=1, max_length=MOST_TEXTS)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(default=None, ge=1, le=10_000)


def parse(payload: Any, _most_tokens: int) -> Call:
    """Judge a request for embeddings; GatewayError says which field is wrong."""
    request = validate(EmbeddingsRequest, payload)
    body = request.model_dump(exclude_none=True, exclude={"model"})
    # A template may be put before each text ("query: ").
    texts = len(request.input) if isinstance(request.input, list) else 1
    most = Usage(tokens_at_most(body["input"]) + 8 * texts, 0)
    return Call(alias=request.model, body=body, prompt=canonical(body["input"]), most=most)


class EmbeddingsReader(Reader):
    """Reads a list of embeddings."""

    def whole(self, raw: Any) -> dict[str, Any]:
        """Shape the list."""
        data = [_embedding(item, number) for number, item in enumerate(must_be(must_be(raw, dict).get("data"), list))]
        asked = self.call.body["input"]
        if len(data) != (len(asked) if isinstance(asked, list) else 1):
            raise errors.upstream_broken()
        usage = raw.get("usage")
        tokens = count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
        self.usage = Usage(tokens, 0) if tokens else None
        self.answer = {"object": "list", "data": data, "model": self.alias}
        if tokens:
            self.answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return self.answer


def _embedding(raw: Any, number: int) -> dict[str, Any]:
    vector = must_be(raw, dict).get("embedding")
    if not isinstance(vector, str) and not all(isinstance(value, int | float) for value in must_be(vector, list)):
        raise errors.upstream_broken()
    return {"object": "embedding", "index": number, "embedding": vector}
