"""The gateway's web application: its addresses, and one shape for every error.

The rule: neither a prompt, an answer, a token nor a key is ever written to a log; a fault is logged as its type and place.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from hub_config.ai_gateway import errors, upstream
from hub_config.ai_gateway.chat import chat, end_stream
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.gateway import ACCOUNT, GATEWAY, STREAM, Gateway, admit, headers, identify
from hub_config.ai_gateway.identity import HubIdentity, Identify
from hub_config.ai_gateway.ledger import Ledger
from hub_config.ai_gateway.turns import Turns

log = logging.getLogger("practicum.ai_gateway")
COURSE_AND_LAB = "/{course:[A-Za-z0-9][A-Za-z0-9._-]{0,99}}/{lab:-|[a-z][a-z0-9-]{0,59}}"
MOST_RECEIPTS = 1000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(config: GatewayConfig, identify: Identify | None = None) -> web.Application:
    """Make the gateway; `identify` turns a token into an Identity, by default by asking the Hub."""

    async def parts(app: web.Application) -> AsyncIterator[None]:
        ledger = Ledger(config.database)
        async with upstream.new_session(config) as session:
            who = identify or HubIdentity(str(config.hub_api_url), config.identity_seconds, session)
            turns = Turns(config.calls_per_learner, config.waiting_per_learner)
            app[GATEWAY] = Gateway(config, ledger, who, turns, session)
            yield
        ledger.close()

    app = web.Application(middlewares=[_answers], client_max_size=config.request_bytes)
    app.cleanup_ctx.append(parts)
    app.router.add_get("/health", _health, allow_head=False)
    app.router.add_get("/receipts", _receipts, allow_head=False)
    app.router.add_get(COURSE_AND_LAB + "/budget", _budget, allow_head=False)
    app.router.add_get(COURSE_AND_LAB + "/v1/models", _models, allow_head=False)
    app.router.add_post(COURSE_AND_LAB + "/v1/chat/completions", chat)
    return app


async def serve(config: GatewayConfig) -> None:
    """Run the gateway until SIGTERM or SIGINT; running calls have `stop_seconds` to end and are then settled."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # handler_cancellation: a client who leaves frees the model, instead of letting it finish for nobody.
    runner = web.AppRunner(
        create_app(config), access_log=None, handler_cancellation=True, shutdown_timeout=config.stop_seconds
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port).start()
        print(f"AI gateway ready at http://{config.host}:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


@web.middleware
async def _answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Shape every error, and put the budget and the receipt on every answer."""
    try:
        response = await handler(request)
    except errors.GatewayError as error:
        response = await _error(request, error)
    except web.HTTPRequestEntityTooLarge:
        response = await _error(request, errors.too_large(request.app[GATEWAY].config.request_bytes))
    except web.HTTPException:
        response = await _error(request, errors.not_found())
    except Exception as error:
        # The message may quote a learner's text: only its type and place are logged.
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("%s at %s:%s", type(error).__name__, place.filename, place.lineno)
        response = await _error(request, errors.internal())
    if not response.prepared:
        response.headers.update(await headers(request))
    return response


async def _error(request: web.Request, error: errors.GatewayError) -> web.StreamResponse:
    if (stream := request.get(STREAM)) is not None:
        return await end_stream(stream, error)
    return web.json_response(error.body(), status=error.status, headers=error.headers)


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _models(request: web.Request) -> web.Response:
    await admit(request)
    data = [
        {"id": alias, "object": "model", "created": 0, "owned_by": entry.name}
        for entry in request.app[GATEWAY].config.upstreams
        for alias in entry.models
    ]
    return web.json_response({"object": "list", "data": data})


async def _budget(request: web.Request) -> web.Response:
    account = await admit(request)
    balance = await request.app[GATEWAY].ledger.balance(request[ACCOUNT])
    return web.json_response(
        {
            "course": account.course,
            "lab": account.lab,
            "limit_krw": balance.limit_krw,
            "spent_krw": balance.spent_krw,
            "reserved_krw": balance.reserved_krw,
            "left_krw": balance.left_krw,
        }
    )


async def _receipts(request: web.Request) -> web.Response:
    """Give receipts: the caller's own, or a course's to its instructors and the institution."""
    gateway, caller = request.app[GATEWAY], await identify(request)
    course, learner = request.query.get("course"), request.query.get("learner")
    sees_all = gateway.config.institution_group in caller.groups or (course is not None and caller.teaches(course))
    if not sees_all:
        if learner not in (None, caller.name):
            raise errors.foreign_receipts()
        learner = caller.name
    limit = request.query.get("limit", "200")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MOST_RECEIPTS):
        raise errors.invalid(
            f"limit은 1~{MOST_RECEIPTS} 사이의 수입니다.",
            f"limit is a number from 1 to {MOST_RECEIPTS}.",
            param="limit",
        )
    rows = await gateway.ledger.receipts(course, learner, int(limit), request.query.get("before"))
    return web.json_response({"object": "list", "data": rows})
