"""Embeddings, as the OpenAI API has them.

The rule: a request is refused with a sentence before it costs time, and the worker's numbers are counted before they are sent.
"""

from __future__ import annotations

import base64
import struct
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hub_config.models import errors
from hub_config.models.pool import Pool

DIMENSIONS, FLOAT_BYTES = 384, 4
MOST_TEXTS, MOST_CHARACTERS = 2048, 200_000
#: The model reads a text of more than 512 tokens in windows; the limits are about time, at 1,000 tokens a second on 2 cores.
TOKENS = {"text_tokens": 8192, "all_tokens": 40_000}
Words = Annotated[str, StringConstraints(min_length=1)]


class Asked(BaseModel):
    """A request's fields; `input_type` is ours, as E5 reads a question and a passage to be found differently."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    input: Words | Annotated[list[Words], Field(min_length=1, max_length=MOST_TEXTS)]
    encoding_format: Literal["float", "base64"] = "float"
    #: E5's authors ask for "query" on both sides where texts are compared with one another, as most labs do.
    input_type: Literal["query", "passage"] = "query"
    user: str | None = None
    dimensions: Any = None


async def embed(request: web.Request, pool: Pool) -> web.Response:
    """Answer a request for embeddings."""
    asked = _read(await request.read())
    worker = pool.jobs[pool.asked(asked.model, "embeddings")]
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    _check(texts)
    # A zero byte ends a text for the C code that reads it.
    job = {"input": [text.replace("\0", " ") for text in texts], "query": asked.input_type == "query", **TOKENS}
    answer, payload = await worker.call(pool.start, job)
    if "too_long" in answer:
        raise _too_long()
    tokens = answer.get("tokens")
    if len(payload) != len(texts) * DIMENSIONS * FLOAT_BYTES or not isinstance(tokens, int) or tokens < 0:
        worker.fail()
        raise errors.failed(worker.name)
    return web.json_response(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": number, "embedding": _vector(vector, asked.encoding_format)}
                for number, vector in enumerate(_rows(payload))
            ],
            "model": asked.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _read(body: bytes) -> Asked:
    try:
        asked = Asked.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        raise errors.invalid(
            f"{param or 'JSON'} 항목이 맞지 않습니다. input은 글 하나나 글의 목록(최대 {MOST_TEXTS}개)입니다.",
            f"{param or 'JSON'}: {first['msg']}. input is a text or a list of at most {MOST_TEXTS} texts.",
            param=param,
        ) from None
    if asked.dimensions not in (None, DIMENSIONS):
        raise errors.invalid(
            f"내장 모델의 dimensions는 {DIMENSIONS}뿐입니다. dimensions를 빼고 다시 보내세요.",
            f"The built-in model has {DIMENSIONS} dimensions and no others; leave dimensions out.",
            param="dimensions",
            code="unsupported_parameter",
        )
    return asked


def _check(texts: list[str]) -> None:
    if sum(map(len, texts)) > MOST_CHARACTERS:
        raise _too_long()
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise errors.invalid("input이 올바른 글이 아닙니다.", "input is not text.", param="input") from None


def _too_long() -> errors.ServiceError:
    return errors.invalid(
        "글이 너무 깁니다. 글 하나는 8,192토큰, 요청 하나는 40,000토큰까지입니다. 나누어 보내세요.",
        "Too much text: at most 8,192 tokens in one text and 40,000 in a request; send it in parts.",
        param="input",
        code="context_length_exceeded",
    )


def _rows(payload: bytes) -> list[bytes]:
    size = DIMENSIONS * FLOAT_BYTES
    return [payload[at : at + size] for at in range(0, len(payload), size)]


def _vector(vector: bytes, encoding: str) -> str | list[float]:
    if encoding == "base64":
        return base64.b64encode(vector).decode()
    return list(struct.unpack(f"<{DIMENSIONS}f", vector))
