"""The gateway's parts, and letting a caller in. The rule: nobody names a course whose Hub group they are not in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from aiohttp import web

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import GatewayConfig
from hub_config.ai_gateway.identity import Identify, Identity
from hub_config.ai_gateway.ledger import Ledger, Place
from hub_config.ai_gateway.operation import Metrics
from hub_config.ai_gateway.policy import Rules, rules
from hub_config.ai_gateway.turns import Turns
from hub_config.ai_gateway.upstream import Upstreams

WON_HEADER, TOKENS_HEADER = "x-practicum-budget-left-krw", "x-practicum-budget-left-tokens"
RECEIPT_HEADER = "x-practicum-receipt"
#: A provider's key is at least this long; a shorter one is a placeholder and would mangle answers.
SECRET_LENGTH = 12
KEYS_SECONDS = 1.0
REMEMBERED = 1000


@dataclass
class Gateway:
    """What a call needs."""

    config: GatewayConfig
    ledger: Ledger
    identify: Identify
    turns: Turns
    upstreams: Upstreams
    metrics: Metrics
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopping: bool = False
    running: set[asyncio.Future[Any]] = field(default_factory=set)
    anchored: int = 0
    _keys: tuple[float, list[str]] = (0.0, [])
    _rules: dict[tuple[str, str], Rules] = field(default_factory=dict)
    _chores: set[asyncio.Task[None]] = field(default_factory=set)

    def provider_keys(self) -> list[str]:
        """Give every provider's key, to look for it in what leaves; a word such as "none" is no key."""
        read_at, found = self._keys
        if not read_at or time.monotonic() - read_at > KEYS_SECONDS:
            found = []
            for upstream in self.config.upstreams:
                with suppress(OSError, UnicodeDecodeError):  # a missing key file: that upstream's calls say so
                    found.append(upstream.key())
            found = [key for key in found if len(key) >= SECRET_LENGTH]
            self._keys = (time.monotonic(), found)
        return found

    def today(self) -> date:
        """Give the institution's day."""
        return datetime.now(self.config.zone).date()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have a stop and new settings wait for a call from before its reservation; GatewayError 503 while stopping."""
        if self.stopping:
            raise errors.stopping()
        mark = asyncio.get_running_loop().create_future()
        self.running.add(mark)
        try:
            yield
        finally:
            self.running.discard(mark)
            mark.cancel()

    def chore(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the calls."""
        task = asyncio.create_task(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    def rules(self, course: str, lab: str) -> Rules:
        """Give what holds in a course and lab."""
        known = self._rules.get((course, lab))
        if known is None:
            if len(self._rules) >= REMEMBERED:  # anybody may name labs that are none
                self._rules.clear()
            known = self._rules[course, lab] = rules(self.config, course, lab)
        return known

    async def reload(self, config: GatewayConfig) -> None:
        """Take new settings for the calls to come; running ones end under the old."""
        before, self.config, self.upstreams = self.upstreams, config, Upstreams(config)
        self.turns.calls_per_learner = config.calls_per_learner
        self.turns.waiting_per_learner = config.waiting_per_learner
        self._keys = (0.0, [])
        self._rules.clear()
        under_old = set(self.running)
        if under_old:
            await asyncio.wait(under_old)
        await before.close()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A caller in a course and lab, and what holds there."""

    caller: Identity
    place: Place
    rules: Rules


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
#: What a request's answer tells in its headers.
ADMITTED: web.RequestKey[Admitted] = web.RequestKey("admitted", Admitted)
RECEIPT: web.RequestKey[str] = web.RequestKey("receipt", str)
STREAM: web.RequestKey[web.StreamResponse] = web.RequestKey("stream", web.StreamResponse)


async def identify(request: web.Request, *, services: bool = False) -> Identity:
    """Give the caller by their Hub token; GatewayError 401 or 503. A service is somebody only where `services` says so."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "token") or not token.strip():
        raise errors.wrong_token()
    caller = await request.app[GATEWAY].identify(token.strip())
    if caller.is_service and not services:
        raise errors.wrong_token()
    return caller


async def admit(request: web.Request, *, office: bool = False) -> Admitted:
    """Give a caller who takes part in the course that the address names, or with `office` may look after it; GatewayError 401 or 403."""
    caller = await identify(request)
    course, lab = request.match_info["course"], request.match_info["lab"]
    looks_after = office and request.app[GATEWAY].config.institution_group in caller.groups
    if not (caller.takes_part(course) or looks_after):
        raise errors.foreign_course(course)
    admitted = Admitted(caller, Place(caller.name, course, lab), request.app[GATEWAY].rules(course, lab))
    request[ADMITTED] = admitted
    return admitted


def ai_is_on(gateway: Gateway, admitted: Admitted) -> bool:
    """Say whether the caller may use AI there now; instructors always may."""
    place = admitted.place
    switched_off = gateway.ledger.is_off(place.course, place.lab)
    return admitted.caller.teaches(place.course) or (admitted.rules.ai and not switched_off)


def headers(request: web.Request) -> dict[str, str]:
    """Give the headers that an answer carries: what is left of the budget, and the receipt's id."""
    admitted, receipt = request.get(ADMITTED), request.get(RECEIPT)
    found = {RECEIPT_HEADER: receipt} if receipt else {}
    if admitted is not None:
        left = request.app[GATEWAY].ledger.left(admitted.place, admitted.rules.limits)
        for name, amount in zip((WON_HEADER, TOKENS_HEADER), left, strict=True):
            if amount is not None:
                found[name] = str(amount)
    return found
