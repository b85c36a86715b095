"""The gateway's web application: its addresses, and one shape for every error.

The rule: neither a prompt, an answer, a token nor a key is ever written to a log; a fault is logged as its type and place.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web

from hub_config.ai_gateway import anchor, errors, receipts
from hub_config.ai_gateway.calls import answer_call
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.delivery import EVENTS, end_stream
from hub_config.ai_gateway.gateway import GATEWAY, STREAM, Gateway, admit, ai_is_on, headers, identify
from hub_config.ai_gateway.identity import HubIdentity, Identify
from hub_config.ai_gateway.ledger import Amount, Ledger, LedgerError
from hub_config.ai_gateway.limits import limits
from hub_config.ai_gateway.operation import Metrics
from hub_config.ai_gateway.status import refresh, status
from hub_config.ai_gateway.turns import Turns
from hub_config.ai_gateway.upstream import Upstreams

log = logging.getLogger("practicum.ai_gateway")
COURSE_AND_LAB = "/{course:[A-Za-z0-9][A-Za-z0-9._-]{0,99}}/{lab:-|[a-z][a-z0-9-]{0,59}}"
EXPIRE_SECONDS = 3600
MOST_ADDRESS_BYTES = 64_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(config: GatewayConfig, identify: Identify | None = None) -> web.Application:
    """Make the gateway; `identify` turns a token into an Identity, by default by asking the Hub."""

    async def parts(app: web.Application) -> AsyncIterator[None]:
        ledger = await Ledger.open(
            config.database, institution=config.institution, zone=config.zone, kept_bytes=config.kept_bytes,
            lease=Amount(config.lease_krw, config.lease_tokens), commit_seconds=config.commit_seconds,
        )  # fmt: skip
        async with aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
            who = identify or HubIdentity(str(config.hub_api_url), config.identity_seconds, session)
            turns = Turns(config.calls_per_learner, config.waiting_per_learner)
            gateway = app[GATEWAY] = Gateway(config, ledger, who, turns, Upstreams(config), Metrics())
            chores = [asyncio.create_task(_expire(gateway)), asyncio.create_task(anchor.keep(gateway, session))]
            yield
            for chore in chores:
                chore.cancel()
            await drain(gateway, 0)
            await asyncio.gather(*chores, return_exceptions=True)
            await gateway.upstreams.close()
        await ledger.close()

    app = web.Application(middlewares=[_answers], client_max_size=config.upload_bytes)
    app.cleanup_ctx.append(parts)
    # First, since addresses are searched in their order.
    app.router.add_post(COURSE_AND_LAB + "/v1/{endpoint:[a-z/]+}", answer_call)
    app.router.add_get("/health", _health, allow_head=False)
    app.router.add_get("/ready", _ready, allow_head=False)
    app.router.add_get("/metrics", _metrics, allow_head=False)
    app.router.add_get("/status", _status, allow_head=False)
    app.router.add_get("/limits", _limits, allow_head=False)
    receipts.add_routes(app, COURSE_AND_LAB)
    app.router.add_get(COURSE_AND_LAB + "/budget", _budget, allow_head=False)
    app.router.add_get(COURSE_AND_LAB + "/queue", _queue, allow_head=False)
    app.router.add_get(COURSE_AND_LAB + "/switch", _switch, allow_head=False)
    app.router.add_put(COURSE_AND_LAB + "/switch", _set_switch)
    app.router.add_get(COURSE_AND_LAB + "/v1/models", _models, allow_head=False)
    return app


async def serve(config: GatewayConfig, read_again: Callable[[], GatewayConfig]) -> None:
    """Run the gateway until SIGTERM or SIGINT; running calls have `stop_seconds` to end. SIGHUP reads the settings again."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    # handler_cancellation: a client who leaves frees the model, instead of letting it finish for nobody.
    app = create_app(config)
    # max_line_size: an office names all its course runs in an address.
    # keepalive_timeout: a connection that never sends a whole request's head is closed like one that is idle.
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=1, keepalive_timeout=config.read_seconds,
        max_line_size=MOST_ADDRESS_BYTES,
    )  # fmt: skip
    await runner.setup()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: app[GATEWAY].chore(_reload(app[GATEWAY], read_again)))
    try:
        await web.TCPSite(runner, config.host, config.port).start()
        # What stands now stays: it need not be looked through for garbage. The ledger's thread gives way after 0.5 ms, not 5.
        gc.freeze()
        sys.setswitchinterval(0.0005)
        print(f"AI gateway ready at http://{config.host}:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
        await drain(app[GATEWAY], app[GATEWAY].config.stop_seconds)
    finally:
        await runner.cleanup()


async def drain(gateway: Gateway, seconds: float) -> None:
    """Take no more calls; give the running ones some seconds to end, then end and settle them."""
    gateway.stopping = True
    if gateway.running and seconds:
        await asyncio.wait(set(gateway.running), timeout=seconds)
    left = set(gateway.running)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _reload(gateway: Gateway, read_again: Callable[[], GatewayConfig]) -> None:
    try:
        config = read_again()
    except (OSError, ValueError) as error:  # ValidationError is a ValueError; its text may quote a key
        log.error("the settings were not read again (%s); the old ones stay in force", type(error).__name__)
        return
    await gateway.reload(config)
    log.warning("the settings were read again")


async def _expire(gateway: Gateway) -> None:
    """Delete prompts and answers whose days are over, every now and then."""
    while True:
        await gateway.ledger.expire(gateway.today())
        await asyncio.sleep(EXPIRE_SECONDS)


@web.middleware
async def _answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Shape every error, and put the budget and the receipt on every answer."""
    try:
        response = await handler(request)
    except errors.GatewayError as error:
        response = await _error(request, error)
    except web.HTTPRequestEntityTooLarge:
        response = await _error(request, errors.too_large(request.app[GATEWAY].config.upload_bytes))
    except web.HTTPException:
        response = await _error(request, errors.not_found())
    except LedgerError:
        response = await _error(request, errors.cannot_record())
    except Exception as error:
        # The message may quote a learner's text: only its type and place are logged.
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("%s at %s:%s", type(error).__name__, place.filename, place.lineno)
        response = await _error(request, errors.internal())
    if not response.prepared:
        response.headers.update(headers(request))
    return response


async def _error(request: web.Request, error: errors.GatewayError) -> web.StreamResponse:
    stream: web.StreamResponse | None = request.get(STREAM)
    if stream is None:
        return web.json_response(error.body(), status=error.status, headers=error.headers)
    if stream.content_type == EVENTS:
        return await end_stream(stream, error)
    if request.transport is not None:  # a file that breaks off must not look whole
        request.transport.abort()
    return stream


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _ready(request: web.Request) -> web.Response:
    """Say whether calls can be taken: not while stopping, nor while every upstream is down."""
    gateway = request.app[GATEWAY]
    up = any(breaker.state != "open" for breaker in gateway.upstreams.breakers.values())
    ready = up and not gateway.stopping
    return web.json_response({"status": "ready" if ready else "not_ready"}, status=200 if ready else 503)


async def _metrics(request: web.Request) -> web.Response:
    """Give Prometheus' metrics to whoever holds their token."""
    gateway, path = request.app[GATEWAY], request.app[GATEWAY].config.metrics_token_file
    token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    with suppress(OSError):
        if (
            path is not None
            and token
            and hmac.compare_digest(token.encode("utf-8", "replace"), path.read_bytes().strip())
        ):
            refresh(gateway)
            return web.Response(body=gateway.metrics.text(), content_type="text/plain", charset="utf-8")
    raise errors.wrong_token()


async def _status(request: web.Request) -> web.Response:
    return web.json_response(await status(await _of_office(request)))


async def _limits(request: web.Request) -> web.Response:
    """Say which limits hold in all courses, or in one, and how far they are used."""
    gateway = await _of_office(request)
    return web.json_response({"object": "list", "data": limits(gateway, request.query.get("course", ""))})


async def _of_office(request: web.Request) -> Gateway:
    """Go on for the institution's office."""
    gateway, caller = request.app[GATEWAY], await identify(request)
    if gateway.config.institution_group not in caller.groups:
        raise errors.foreign_receipts()
    return gateway


async def _models(request: web.Request) -> web.Response:
    admitted, config = await admit(request), request.app[GATEWAY].config
    allowed = admitted.rules.models
    data = [
        {"id": alias, "object": "model", "created": 0, "owned_by": routes[0].upstream}
        for alias, routes in config.models.items()
        if allowed is None or alias in allowed
    ]
    return web.json_response({"object": "list", "data": data})


async def _budget(request: web.Request) -> web.Response:
    """Say what is left for the caller in a course and lab, and what is allowed there."""
    admitted, gateway = await admit(request, office=True), request.app[GATEWAY]
    place, rules = admitted.place, admitted.rules
    lines = gateway.ledger.lines(place, rules.limits)
    left_krw, left_tokens = gateway.ledger.left(place, rules.limits)
    spent, reserved = gateway.ledger.spent(place)
    tightest = min(lines, key=lambda line: (line.left, line.renews_at is None), default=None)
    sees_all = admitted.caller.teaches(place.course) or not admitted.caller.takes_part(place.course)
    return web.json_response(
        {
            "course": place.course,
            "lab": place.lab,
            "ai": ai_is_on(gateway, admitted),
            "models": sorted(gateway.config.models if rules.models is None else rules.models),
            "endpoints": None if rules.endpoints is None else sorted(rules.endpoints),
            "limit_krw": rules.limits.learner.krw,
            "spent_krw": spent.krw,
            "reserved_krw": reserved.krw,
            "left_krw": left_krw,
            "left_tokens": left_tokens,
            "renews_at": _iso(tightest.renews_at) if tightest else None,
            "accounts": [_line(line) for line in lines if sees_all or line.account not in ("course", "institution")],
        }
    )


def _line(line: Any) -> dict[str, Any]:
    names = ("account", "unit", "period", "limit", "spent", "reserved", "left")
    return {name: getattr(line, name) for name in names} | {"renews_at": _iso(line.renews_at)}


def _iso(moment: Any) -> str | None:
    return None if moment is None else str(moment.isoformat())


async def _queue(request: web.Request) -> web.Response:
    """Say how long the line before the lab's upstreams is, and where the caller stands in it."""
    admitted, gateway = await admit(request), request.app[GATEWAY]
    turns, name = gateway.turns, gateway.config.upstreams[0].name
    for upstream in gateway.config.upstreams:
        if turns.first_of(admitted.place.learner, upstream.name) is not None:
            name = upstream.name
    position = turns.first_of(admitted.place.learner, name)
    places = gateway.config.upstream(name).concurrent_calls
    wait = None if position is None else turns.seconds_until(name, position, places)
    return web.json_response(
        {
            "running": turns.running(name),
            "waiting": turns.waiting(name),
            "position": position,
            "retry_after_seconds": wait and round(wait, 1),
        }
    )


async def _switch(request: web.Request) -> web.Response:
    """Say whether AI is on in a course (lab `-`) or a lab, and who switched it."""
    admitted, gateway = await admit(request, office=True), request.app[GATEWAY]
    return web.json_response(_switch_body(gateway, admitted.place.course, admitted.place.lab))


async def _set_switch(request: web.Request) -> web.Response:
    """Switch AI off or on, as an instructor of the course."""
    admitted, gateway = await admit(request), request.app[GATEWAY]
    place = admitted.place
    if not admitted.caller.teaches(place.course):
        raise errors.not_instructor(place.course)
    try:
        wanted = await request.json()
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict) or set(wanted) != {"ai"} or not isinstance(wanted["ai"], bool):
        raise errors.invalid(
            '{"ai": true} 또는 {"ai": false}를 보내세요.', 'Send {"ai": true} or {"ai": false}.', param="ai"
        )
    await gateway.ledger.set_switch(place.course, place.lab, off=not wanted["ai"], by=admitted.caller.name)
    return web.json_response(_switch_body(gateway, place.course, place.lab))


def _switch_body(gateway: Gateway, course: str, lab: str) -> dict[str, Any]:
    found = gateway.ledger.switch(course, lab) or {}
    on = not gateway.ledger.is_off(course, lab)
    return {"ai": on, "set_by": found.get("by"), "set_at": found.get("at")}
