"""Reading a request's body. The rule: nothing is taken beyond its limit in bytes and in time, and nothing is unpacked."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from dataclasses import replace
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.requests import Form, Upload, parse_json

MOST_PARTS = 40
FIELD_BYTES = 100_000
BLOCK_BYTES = 65_536


async def read_body(request: web.Request, config: GatewayConfig, files: list[Upload] | None) -> Any:
    """Give the request's JSON; or its Form, with `files` filled, which the caller closes. GatewayError 400, 408 or 413."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.invalid(
            "압축한 요청은 받지 않습니다.", "A compressed request is not taken.", code="compressed_request"
        )
    try:
        async with asyncio.timeout(config.read_seconds):
            if files is None:
                return await _json(request, config.json_bytes)
            return await _form(request, config.upload_bytes, files)
    except TimeoutError as error:
        raise errors.too_slow() from error


async def _json(request: web.Request, limit_bytes: int) -> Any:
    body = bytearray()
    if (request.content_length or 0) > limit_bytes:
        raise errors.too_large(limit_bytes)
    async for block in request.content.iter_any():
        body += block
        if len(body) > limit_bytes:
            raise errors.too_large(limit_bytes)
    return parse_json(bytes(body))


async def _form(request: web.Request, limit_bytes: int, files: list[Upload]) -> Form:
    """Read a multipart form; files go to disk, so that many at once need no memory."""
    if request.content_type != "multipart/form-data":
        raise _no_form()
    if (request.content_length or 0) > limit_bytes:
        raise errors.too_large(limit_bytes)
    fields: dict[str, Any] = {}
    left, parts = limit_bytes, 0
    try:
        async for part in await request.multipart():
            parts += 1  # not the fields: one name again and again would be one field
            if not isinstance(part, BodyPartReader) or not part.name or parts > MOST_PARTS:
                raise _no_form()
            if part.filename is None:
                _add(fields, part.name, await _text(part))
            else:
                files.append(_empty(part))
                files[-1] = await _fill(part, files[-1], left, limit_bytes)
                left -= files[-1].size
    except (ValueError, UnicodeError, AssertionError, RuntimeError, HttpProcessingError) as error:
        raise _no_form() from error
    return Form(fields, tuple(files))


def _add(fields: dict[str, Any], name: str, value: str) -> None:
    if name not in fields:
        fields[name] = [value] if name.endswith("[]") else value
    else:
        before = fields[name]
        fields[name] = [*(before if isinstance(before, list) else [before]), value]


async def _text(part: BodyPartReader) -> str:
    body = bytearray()
    while block := await part.read_chunk(BLOCK_BYTES):
        body += block
        if len(body) > FIELD_BYTES:
            raise errors.too_large(FIELD_BYTES)
    return body.decode("utf-8")


def _empty(part: BodyPartReader) -> Upload:
    # The caller's own name could say anything; only its ending tells the provider the format.
    ending = (part.filename or "").rpartition(".")[2].lower()
    name = f"upload.{ending}" if ending.isalnum() and ending.isascii() and len(ending) <= 5 else "upload"
    kind = part.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip()
    return Upload(part.name or "", name, kind, 0, "", tempfile.TemporaryFile())


async def _fill(part: BodyPartReader, empty: Upload, left: int, limit_bytes: int) -> Upload:
    size, digest = 0, hashlib.sha256()
    while block := await part.read_chunk(BLOCK_BYTES):
        size += len(block)
        if size > left:
            raise errors.too_large(limit_bytes)
        digest.update(block)
        empty.file.write(block)
    empty.file.seek(0)
    return replace(empty, size=size, sha256=digest.hexdigest())


def _no_form() -> errors.GatewayError:
    return errors.invalid(
        "요청을 multipart/form-data 양식으로 읽을 수 없습니다.",
        "The request cannot be read as multipart/form-data.",
        code="invalid_form",
    )
