"""A chat completion from request to receipt.

The rule of what is charged: what the provider says it used, at most the reservation; nothing where the provider did not
take the call; the whole reservation where it took the call and nobody knows what it used. So a budget holds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from hub_config.ai_gateway import answers, errors, upstream
from hub_config.ai_gateway.gateway import GATEWAY, RECEIPT, STREAM, Gateway, admit, headers
from hub_config.ai_gateway.ledger import Account, Opening, Settlement, new_receipt_id
from hub_config.ai_gateway.pricing import cost_krw, reservation_krw
from hub_config.ai_gateway.redact import without_keys
from hub_config.ai_gateway.requests import ChatCall, parse_call, parse_json, sha256_of

ENDPOINT = "chat.completions"
CLIENT_LEFT = "client_left"


class ClientLeft(Exception):
    """The client closed its connection while the answer was being sent."""


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer POST /{course}/{lab}/v1/chat/completions."""
    gateway, started = request.app[GATEWAY], time.monotonic()
    account = await admit(request)
    call = parse_call(await _read_body(request, gateway), gateway.config)
    request[RECEIPT] = receipt = new_receipt_id()
    await _reserve(request, gateway, account, call)
    end, seen = Settlement(CLIENT_LEFT, started=started), answers.Seen()
    try:
        async with asyncio.timeout(gateway.config.call_seconds):
            async with gateway.turns.turn(account.learner, call.upstream.name, call.upstream.concurrent_calls):
                end.cost_krw = None  # from here on the provider may work
                return await _converse(request, gateway, call, end, seen)
    except upstream.NotCharged as failure:
        end.outcome, end.cost_krw = failure.error.code, 0
        raise failure.error from None
    except errors.GatewayError as error:
        end.outcome = error.code
        raise
    except TimeoutError:
        end.outcome = "upstream_timeout"
        raise errors.upstream_timeout() from None
    finally:
        await _settle(gateway, receipt, call, end, seen)


async def _read_body(request: web.Request, gateway: Gateway) -> Any:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise errors.invalid(
            "압축한 요청은 받지 않습니다.", "A compressed request is not taken.", code="compressed_request"
        )
    try:
        async with asyncio.timeout(gateway.config.read_seconds):
            return parse_json(await request.read())
    except TimeoutError as error:
        raise errors.too_slow() from error


async def _reserve(request: web.Request, gateway: Gateway, account: Account, call: ChatCall) -> None:
    """Reserve the most that the call can cost and open its receipt; GatewayError 429 where too little is left."""
    price = gateway.config.price_of(call.alias, datetime.now(UTC).date())
    won = reservation_krw(price, call.size_bytes(), call.max_tokens)
    prompt = without_keys(call.prompt, gateway.keys())
    opening = Opening(request[RECEIPT], ENDPOINT, call.alias, call.upstream.name, call.prompt_sha256, prompt, won)
    if not await gateway.ledger.reserve(account, opening):
        del request[RECEIPT]
        raise errors.over_budget((await gateway.ledger.balance(account)).left_krw, won)


async def _converse(
    request: web.Request, gateway: Gateway, call: ChatCall, end: Settlement, seen: answers.Seen
) -> web.StreamResponse:
    """Send the call and answer the client, as a stream or whole."""
    limit_bytes = gateway.config.answer_bytes + 1000 * call.max_tokens  # a streamed token takes a few hundred bytes
    async with upstream.send(gateway.session, call.upstream, call.body) as answer:
        if call.stream:
            async with aclosing(upstream.read_events(answer, limit_bytes)) as events:
                return await _stream(request, gateway, call, end, seen, events)
        shaped = answers.shape(await upstream.read_answer(answer, limit_bytes), call.alias, "message", seen)
    end.outcome = "ok"
    if seen.usage:
        shaped["usage"] = seen.usage.as_json()
    # Settled before the client hears of it, so that the header tells what is left after this call.
    await _settle(gateway, request[RECEIPT], call, end, seen)
    return web.Response(text=answers.write(shaped, gateway.keys()), content_type="application/json")


async def _stream(
    request: web.Request,
    gateway: Gateway,
    call: ChatCall,
    end: Settlement,
    seen: answers.Seen,
    events: AsyncIterator[Any],
) -> web.StreamResponse:
    """Pass a stream's events on; an error after its start is told inside it, by `end_stream`."""
    response = web.StreamResponse(
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no", **await headers(request)}
    )
    response.content_type, response.charset = "text/event-stream", "utf-8"
    keys = gateway.keys()
    try:
        await response.prepare(request)
        request[STREAM] = response
        async for event in events:
            chunk = answers.shape(event, call.alias, "delta", seen)
            if chunk["choices"]:
                await _write(response, answers.write(chunk, keys))
            elif call.wants_usage and seen.usage:
                await _write(response, answers.write(chunk | {"usage": seen.usage.as_json()}, keys))
        if not seen.finished:
            raise errors.upstream_broken()
        end.outcome = "ok"
        await _settle(gateway, request[RECEIPT], call, end, seen)
        await _write(response, "[DONE]")
    except (ClientLeft, ConnectionError):
        end.outcome = CLIENT_LEFT
    return response


async def _write(response: web.StreamResponse, data: str) -> None:
    try:
        await response.write(f"data: {data}\n\n".encode())
    except ConnectionError as error:
        raise ClientLeft from error


async def end_stream(response: web.StreamResponse, error: errors.GatewayError) -> web.StreamResponse:
    """Tell an error inside a stream that has begun: the openai client raises it."""
    with suppress(ClientLeft):
        await _write(response, json.dumps(error.body(), ensure_ascii=False))
    return response


async def _settle(gateway: Gateway, receipt: str, call: ChatCall, end: Settlement, seen: answers.Seen) -> None:
    """Close the receipt; the second time for the same receipt changes nothing."""
    end.latency_ms = round((time.monotonic() - end.started) * 1000)
    if seen.usage is not None:
        price = gateway.config.price_of(call.alias, datetime.now(UTC).date())
        end.cost_krw = cost_krw(price, seen.usage.prompt_tokens, seen.usage.completion_tokens)
        end.prompt_tokens, end.completion_tokens = seen.usage.prompt_tokens, seen.usage.completion_tokens
    if seen.text:
        end.answer = without_keys(seen.answer(), gateway.keys())
        end.answer_sha256 = sha256_of(seen.answer())
    await gateway.ledger.settle(receipt, end)
