"""Which upstreams serve a call, in which order. The rule: an upstream that keeps failing is left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Literal

from hub_config.ai_gateway import errors
from hub_config.ai_gateway.config import Endpoint, GatewayConfig, Retries, Route
from hub_config.ai_gateway.policy import Rules
from hub_config.ai_gateway.requests import Call, endpoint_not_served, feature_not_allowed, unknown_model

State = Literal["closed", "open", "half_open"]


class Breaker:
    """An upstream's circuit breaker: open after some failures in a row, then one call tries it out."""

    def __init__(self, retries: Retries, clock: Callable[[], float] = time.monotonic) -> None:
        self.retries, self._clock = retries, clock
        self.failures = 0
        self.last_error: str | None = None
        self.last_ok_at: datetime | None = None
        self._open_until = 0.0
        self._trying = False

    @property
    def state(self) -> State:
        """Say whether calls pass: closed lets all through, half open one, open none."""
        if self.failures < self.retries.failures:
            return "closed"
        return "open" if self._clock() < self._open_until or self._trying else "half_open"

    def wait_seconds(self) -> float:
        """Give how long an open breaker stays so."""
        return max(1.0, self._open_until - self._clock())

    def begin(self) -> None:
        """Note that a call goes through; the first one through a half-open breaker is its trial."""
        self._trying = self.state == "half_open"

    def ok(self) -> None:
        """Note a call that was answered."""
        self.failures, self._trying, self.last_ok_at = 0, False, datetime.now(UTC)

    def failed(self, code: str) -> None:
        """Note a call that the upstream failed."""
        self.failures, self._trying, self.last_error = self.failures + 1, False, code
        self._open_until = self._clock() + self.retries.pause_seconds

    def undecided(self) -> None:
        """Note a call that ended without saying anything of the upstream."""
        self._trying = False


def routes_for(config: GatewayConfig, rules: Rules, kind: Endpoint, call: Call) -> list[Route]:
    """Give the ways to serve a call, in order; GatewayError where there is none, or the policy forbids it."""
    known = config.models.get(call.alias)
    if known is None:
        raise unknown_model(list(config.models))
    if rules.models is not None and call.alias not in rules.models:
        raise errors.not_in_policy("model", call.alias, rules.models)
    if rules.endpoints is not None and kind not in rules.endpoints:
        raise errors.not_in_policy("endpoint", kind, rules.endpoints)
    serving = [route for route in known if kind in route.endpoints]
    if not serving:
        others = [alias for alias, routes in config.models.items() if any(kind in route.endpoints for route in routes)]
        raise endpoint_not_served(call.alias, kind, others)
    for feature, param in call.features.items():
        serving = [route for route in serving if feature in route.allows]
        if not serving:
            raise feature_not_allowed(call.alias, feature, param)
    return serving


def attempts(routes: Iterable[Route], breakers: dict[str, Breaker]) -> list[Route]:
    """Give the routes to try: each one that is up, once; one that is alone, twice. GatewayError 503 where all are down."""
    routes = list(routes)
    up = [route for route in routes if breakers[route.upstream].state != "open"]
    if not up:
        raise errors.upstream_paused(min(breakers[route.upstream].wait_seconds() for route in routes))
    return up * 2 if len(up) == 1 else up
