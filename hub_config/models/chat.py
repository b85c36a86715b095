"""Chat completions and responses: passed to the model's own server as they came, and back as they come.

The rule: the moment that a client leaves, its call ends in the model too.
"""

from __future__ import annotations

import json

import aiohttp
from aiohttp import web

from hub_config.models import errors
from hub_config.models.pool import Pool

#: Where the server listens, its addresses are those of the service; the host is never looked up.
HOST = "http://model"
PASSED = ("Content-Type", "Cache-Control")


async def pass_on(request: web.Request, pool: Pool) -> web.StreamResponse:
    """Answer a chat or a response, streamed or not."""
    body = await request.read()
    worker = pool.servers[pool.asked(_model_of(body), "chat")]
    response = web.StreamResponse()
    async with worker.use(pool.start):
        assert worker.session is not None  # noqa: S101  # it is ready
        headers = {"Content-Type": "application/json"}
        try:
            async with worker.session.post(HOST + request.path, data=body, headers=headers) as answer:
                await _stream(request, answer, response)
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            if not response.prepared:
                raise errors.failed(worker.name) from error
            # A broken answer must not look like a whole one: the connection ends in the middle of it.
            if request.transport is not None:
                request.transport.abort()
    return response


async def _stream(request: web.Request, answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    response.set_status(answer.status)
    response.headers.update({name: answer.headers[name] for name in PASSED if name in answer.headers})
    # Only with the first bytes: until then a server that dies can still be told as an error.
    first = await answer.content.readany()
    await response.prepare(request)
    await response.write(first)
    async for block in answer.content.iter_any():
        await response.write(block)
    await response.write_eof()


def _model_of(body: bytes) -> object:
    try:
        read = json.loads(body)
        return read["model"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise errors.invalid(
            "JSON 객체와 그 안의 model 항목이 필요합니다.", "A JSON object with the field model is needed."
        ) from None
