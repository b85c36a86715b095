"""The least that a gateway can be: `python pass_through.py UPSTREAM` sends every call on and its answer back."""

import sys
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

UPSTREAM: web.AppKey[aiohttp.ClientSession] = web.AppKey("upstream", aiohttp.ClientSession)


async def connect(app: web.Application) -> AsyncIterator[None]:
    """Keep connections to the upstream."""
    async with aiohttp.ClientSession(sys.argv[1], connector=aiohttp.TCPConnector(limit=0)) as app[UPSTREAM]:
        yield


async def call(request: web.Request) -> web.StreamResponse:
    """Send a call on; a stream comes back as it arrives."""
    headers = {"Authorization": "Bearer key", "Content-Type": request.content_type}
    async with request.app[UPSTREAM].post(request.path, data=await request.read(), headers=headers) as answer:
        if answer.content_type != "text/event-stream":
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        async for part in answer.content.iter_any():
            await response.write(part)
        return response


app = web.Application()
app.cleanup_ctx.append(connect)
app.router.add_post("/{path:.*}", call)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
