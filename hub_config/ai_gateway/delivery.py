"""The way back to a client. The rule: an answer is begun once, and a client who has left is noticed and never written to."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.gateway import STREAM, headers

EVENTS = "text/event-stream"


class ClientLeft(Exception):
    """The client closed its connection, and nothing is gained by going on without it."""


class Delivery:
    """The answer to one request that is sent in parts; `here` says whether there is still somebody to read it.

    `goes_on` says whether the call goes on without a client; where not, writing to one who has left raises ClientLeft.
    """

    def __init__(self, request: web.Request, goes_on: Callable[[], bool]) -> None:
        self._request, self._goes_on = request, goes_on
        self.response: web.StreamResponse | None = None
        self.here = True

    async def begin(self, content_type: str) -> web.StreamResponse:
        """Begin the answer, unless that was done or there is nobody to answer any more."""
        if self.response is None and not self.here:
            return web.StreamResponse()
        if self.response is None:
            streams = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            self.response = web.StreamResponse(headers={**streams, **headers(self._request)})
            self.response.content_type = content_type
            if content_type.startswith("text/"):
                self.response.charset = "utf-8"
            try:
                await self.response.prepare(self._request)
            except ConnectionError:
                self._left()
            self._request[STREAM] = self.response
        return self.response

    async def write(self, data: bytes) -> None:
        """Send a part of an answer that has begun."""
        if self.here and data and self.response is not None:
            try:
                await self.response.write(data)
            except ConnectionError:
                self._left()

    async def comment(self, text: str) -> None:
        """Tell a waiting stream something that the API's clients skip."""
        await self.begin(EVENTS)
        await self.write(f": {text}\n\n".encode())

    def _left(self) -> None:
        self.here = False
        if not self._goes_on():
            raise ClientLeft


async def end_stream(response: web.StreamResponse, error: errors.GatewayError) -> web.StreamResponse:
    """Tell an error inside a stream that has begun: the openai client raises it."""
    with suppress(ConnectionError):
        await response.write(f"data: {json.dumps(error.body(), ensure_ascii=False)}\n\n".encode())
    return response
