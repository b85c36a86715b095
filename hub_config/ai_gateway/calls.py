"""A call from request to answer.

The rule: an upstream that has not taken the call hands it to the next one; after the first byte of an answer nothing is
tried again. What it costs is the paperwork's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any

import aiohttp
from aiohttp import web

from grader.replay import request_key
from hub_config.ai_gateway import answers, errors
from hub_config.ai_gateway.bodies import read_body
from hub_config.ai_gateway.config import Route, Upstream
from hub_config.ai_gateway.delivery import EVENTS, ClientLeft, Delivery
from hub_config.ai_gateway.endpoints import ENDPOINTS, Spec
from hub_config.ai_gateway.endpoints.audio import speech_type, usage_of_file
from hub_config.ai_gateway.endpoints.chat import ChatReader
from hub_config.ai_gateway.gateway import GATEWAY, RECEIPT, admit
from hub_config.ai_gateway.paperwork import CLIENT_LEFT, OK, Paperwork
from hub_config.ai_gateway.redact import KeyGuard
from hub_config.ai_gateway.requests import Form, Upload
from hub_config.ai_gateway.routes import attempts
from hub_config.ai_gateway.upstream import Loading, NotCharged, read_answer, read_events, read_parts

RETRY_SECONDS = 0.3
POLL_SECONDS = 1.0
#: Bytes of JSON around a streamed token.
TOKEN_BYTES = 1000


async def answer_call(request: web.Request) -> web.StreamResponse:
    """Answer a POST to one of the endpoints."""
    gateway, spec = request.app[GATEWAY], ENDPOINTS.get("/" + request.match_info["endpoint"])
    if spec is None:
        raise errors.not_found()
    if gateway.stopping:
        raise errors.stopping()
    admitted = await admit(request)
    conversation: Conversation | None = None
    files: list[Upload] = []
    try:
        payload = await read_body(request, gateway.config, files if spec.form else None)
        call = spec.parse(payload, gateway.config.max_tokens)
        paper = Paperwork(gateway, spec, call, admitted, _key(spec, payload))
        with gateway.at_work():
            try:
                routes = await paper.reserve()
            finally:
                if paper.written:
                    request[RECEIPT] = paper.receipt
            conversation = Conversation(request, paper, routes)
            return await conversation.run()
    finally:
        if conversation is None or not conversation.goes_on:
            _close(files)


class Conversation:
    """One call between a client and the upstreams that can serve it."""

    def __init__(self, request: web.Request, paper: Paperwork, routes: list[Route]) -> None:
        self.paper, self.routes = paper, routes
        self.path = "/" + request.match_info["endpoint"]
        self.spec, self.call, self.reader, self.end = paper.spec, paper.call, paper.reader, paper.end
        self.gateway, self.config, self.upstreams = paper.gateway, paper.config, paper.upstreams
        self.delivery = Delivery(request, paper.may_finish)  # no method of this object: that would be a ring
        self.goes_on = False

    async def run(self) -> web.StreamResponse:
        """Make the call in a task of its own, which may go on after the client has left, to learn what it used."""
        task = asyncio.create_task(self._run())
        self.gateway.running.add(task)
        task.add_done_callback(self._done)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.delivery.here = False
            if self.paper.may_finish():
                self.goes_on = True
            else:
                task.cancel()
            raise
        finally:
            # The task's error holds this frame: a ring that would keep the megabytes of a broken answer for a long time.
            del task

    def _done(self, task: asyncio.Task[web.StreamResponse]) -> None:
        self.gateway.running.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, so that it is not reported where nobody waits for it any more
        if self.goes_on:
            _close(self.call.files)

    async def _run(self) -> web.StreamResponse:
        end = self.end
        try:
            async with asyncio.timeout(self.config.call_seconds):
                return await self._serve()
        except NotCharged as failure:
            end.outcome, end.cost_krw = failure.error.code, 0
            raise failure.error from None
        except errors.GatewayError as error:
            end.outcome = error.code
            raise
        except TimeoutError:
            end.outcome = "upstream_timeout"
            raise errors.upstream_timeout() from None
        except ClientLeft:
            end.outcome = CLIENT_LEFT
            return self.delivery.response or web.Response()
        except Exception:
            end.outcome = "gateway_error"
            raise
        finally:
            self.paper.settle()

    async def _serve(self) -> web.StreamResponse:
        """Try the routes in turn; one that has not taken the call hands it to the next."""
        tries, learner = attempts(self.routes, self.upstreams.breakers), self.paper.admitted.place.learner
        for number, route in enumerate(tries, 1):
            self.paper.route, upstream = route, self.config.upstream(route.upstream)
            turn = self.gateway.turns.turn(learner, upstream.name, upstream.concurrent_calls, self._tell_position)
            try:
                async with turn:
                    return await self._ask(upstream, route)
            except NotCharged as failure:
                self.end.cost_krw = 0
                if failure.final or number == len(tries):
                    raise
                if tries[number] is route:
                    await asyncio.sleep(RETRY_SECONDS)
        raise errors.upstream_unreachable()

    async def _ask(self, upstream: Upstream, route: Route) -> web.StreamResponse:
        """Send the call to an upstream and answer the client; the circuit breaker learns how it went."""
        breaker = self.upstreams.breakers[upstream.name]
        if breaker.state == "open":  # since the call began to wait
            raise NotCharged(errors.upstream_paused(breaker.wait_seconds()), healthy=True)
        breaker.begin()
        try:
            response = await self._send(upstream, route)
        except NotCharged as failure:
            breaker.undecided() if failure.healthy else breaker.failed(failure.error.code)
            raise
        except errors.GatewayError as error:
            breaker.failed(error.code) if error.code.startswith("upstream_") else breaker.undecided()
            raise
        except TimeoutError:
            breaker.failed("upstream_timeout")
            raise
        except BaseException:
            breaker.undecided()
            raise
        breaker.ok()
        return response

    async def _send(self, upstream: Upstream, route: Route) -> web.StreamResponse:
        """Send the call and answer with what comes; a model that is being loaded is waited for."""
        waited_from, body = time.monotonic(), self.spec.send(self.call, route, upstream)
        while True:
            self.end.cost_krw = None  # from here on the provider may work
            try:
                files = self.call.files if self.spec.form else None
                async with self.upstreams.send(upstream, self.path, body, files) as answer:
                    self.end.first_byte_ms = self.paper.milliseconds()
                    return await self._answer(upstream, answer)
            except Loading as loading:
                self.end.cost_krw = 0
                await self._wait_for_model(loading, waited_from)

    async def _answer(self, upstream: Upstream, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        limit = self.config.answer_bytes + TOKEN_BYTES * self.call.max_tokens
        if self.spec.answers(self.call) == "bytes":
            return await self._pass_on(answer)
        if self.call.stream:
            async with aclosing(read_events(answer, limit)) as events:
                return await self._stream(events)
        if upstream.running_usage != "none" and isinstance(self.reader, ChatReader):
            async with aclosing(read_events(answer, limit)) as events:
                async for together in events:
                    for event in together:
                        self.reader.event(event)
            shaped = self.reader.assembled()
        else:
            limit = self.config.media_bytes if self.spec.kind == "images" else limit
            shaped = self.reader.whole(await read_answer(answer, limit))
        text = answers.write(shaped, self.gateway.provider_keys())
        self.end.outcome = OK
        self.paper.settle(text)
        return web.Response(text=text, content_type="application/json")

    async def _stream(self, events: AsyncIterator[list[Any]]) -> web.StreamResponse:
        """Pass a stream's events on; an error after its start is told inside it."""
        response, keys = await self.delivery.begin(EVENTS), self.gateway.provider_keys()
        named, guard = self.spec.kind == "responses", KeyGuard(keys)
        async for together in events:
            ready = bytearray()
            for event in together:
                shaped = self.reader.event(event)
                if shaped is not None and self.delivery.here:
                    name = f"event: {shaped['type']}\n" if named else ""
                    data = f"{name}data: {answers.write(shaped, keys)}\n\n".encode()
                    ready += guard.passed(answers.said(shaped), data)
            await self.delivery.write(bytes(ready))
        if not self.reader.finished:
            raise errors.upstream_broken()
        await self.delivery.write(guard.rest())
        self._delivered()
        self.paper.settle()
        if not named:
            await self.delivery.write(b"data: [DONE]\n\n")
        return response

    async def _pass_on(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        """Pass a file on as it comes, and keep it for the receipt if it is small."""
        kind = speech_type(self.call)
        response, keys = await self.delivery.begin(kind), [key.encode() for key in self.gateway.provider_keys()]
        digest, kept, held = hashlib.sha256(), bytearray(), b""
        longest = max(map(len, keys), default=0)
        async for part in read_parts(answer, self.config.media_bytes):
            held += part
            if any(key in held for key in keys):
                raise errors.upstream_broken()
            digest.update(part)
            if len(kept) <= self.config.kept_bytes:
                kept += part
            # What may be the beginning of a key waits for what follows.
            free = max(0, len(held) - longest)
            await self.delivery.write(held[:free])
            held = held[free:]
        await self.delivery.write(held)
        self.reader.usage = usage_of_file(self.call, answer.headers)
        self._delivered()
        self.end.answer_sha256 = digest.hexdigest()
        if self.paper.keeps(len(kept)):
            text = kind.startswith(("text/", "application/"))
            self.end.answer = kept.decode("utf-8", "replace") if text else base64.b64encode(kept).decode()
            self.end.answer_type = kind if text else f"{kind};base64"
        self.paper.settle()
        return response

    def _delivered(self) -> None:
        self.end.outcome = OK if self.delivery.here else CLIENT_LEFT

    async def _tell_position(self, position: int) -> None:
        if self.call.stream:
            await self.delivery.comment(f"waiting, position {position}")

    async def _wait_for_model(self, loading: Loading, waited_from: float) -> None:
        """Wait a moment for a model: a stream is told how far it is, another call is sent back after a while."""
        if self.call.stream:
            await self.delivery.comment(f"the model is loading, {round(100 * loading.progress)} %")
        elif time.monotonic() - waited_from > self.config.loading_seconds:
            raise NotCharged(errors.model_loading(loading.progress, loading.retry_after), final=True, healthy=True)
        await asyncio.sleep(min(POLL_SECONDS, loading.retry_after))


def _close(files: Iterable[Upload]) -> None:
    for upload in files:
        upload.file.close()


def _key(spec: Spec, payload: Any) -> str:
    """Give the hash under which a replay finds the same request again."""
    if not isinstance(payload, Form):
        return request_key(spec.name, payload)
    values = {name: value if isinstance(value, list) else [value] for name, value in payload.fields.items()}
    for upload in payload.files:
        values.setdefault(upload.field, []).append({"sha256": upload.sha256})
    body = {name: value[0] if len(value) == 1 else value for name, value in values.items()}
    return request_key(spec.name, body)
