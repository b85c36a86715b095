"""A call's receipt, from its reservation to its settlement.

The rule of what is charged: what the provider says it used, at most the reservation; nothing where the provider did not
take the call; the whole reservation where it took the call and nobody knows what it used. So a budget holds.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from hub_config.ai_gateway import answers, errors
from hub_config.ai_gateway.config import Route
from hub_config.ai_gateway.endpoints import Spec
from hub_config.ai_gateway.gateway import Admitted, Gateway, ai_is_on
from hub_config.ai_gateway.ledger import Amount, LedgerError, Opening, Settlement
from hub_config.ai_gateway.operation import Outcome
from hub_config.ai_gateway.pricing import cost_krw, reservation_krw
from hub_config.ai_gateway.redact import without_keys
from hub_config.ai_gateway.requests import Call, sha256_of
from hub_config.ai_gateway.routes import routes_for

CLIENT_LEFT, OK = "client_left", "ok"


@dataclass
class Paperwork:
    """What is written down of one call; `end` is how it stands, `route` the way that was tried last."""

    gateway: Gateway
    spec: Spec
    call: Call
    admitted: Admitted
    key: str
    receipt: str = field(default_factory=lambda: f"rcpt_{secrets.token_hex(12)}")
    end: Settlement = field(default_factory=lambda: Settlement(CLIENT_LEFT))
    route: Route | None = None
    started: float = field(default_factory=time.monotonic)
    written: bool = False
    settled: bool = False

    def __post_init__(self) -> None:
        # Both as they are now: new settings do not change a call that waits.
        self.config, self.upstreams = self.gateway.config, self.gateway.upstreams
        self.reader = self.spec.reader(self.call, self.call.alias, self.receipt)

    async def reserve(self) -> list[Route]:
        """Judge the call by its policy, reserve the most that it can cost, and give its routes; GatewayError 403, 429 or 503."""
        try:
            if not ai_is_on(self.gateway, self.admitted):
                raise errors.ai_off()
            routes = routes_for(self.config, self.admitted.rules, self.spec.kind, self.call)
        except errors.GatewayError as error:
            if error.status == 403:
                self._refused(self._opening(Amount(), "-"), error)
            raise
        day = self._now().date()
        won = max(reservation_krw(route.price(day), self.call.most) for route in routes)
        opening = self._opening(Amount(won, self.call.tokens), routes[0].upstream)
        try:
            refusal = await self.gateway.ledger.reserve(opening, self.admitted.rules.limits)
        except LedgerError as error:
            raise errors.cannot_record() from error
        if refusal is None:
            self.written = True
            return routes
        renews_at = refusal.renews_at and refusal.renews_at.astimezone(self.config.zone)
        over = errors.over_budget(refusal.account, refusal.unit, refusal.left, refusal.needed, renews_at)
        self._refused(opening, over)
        raise over

    def settle(self, text: str | None = None) -> None:
        """Close the receipt, with the answer's text where it is there already; the second time changes nothing."""
        if self.settled:
            return
        self.settled = True
        end, usage = self.end, self.reader.usage
        end.latency_ms = self.milliseconds()
        if self.route is not None:
            end.upstream = self.route.upstream
            if usage is not None:
                end.usage, end.cost_krw = usage, cost_krw(self.route.price(self._now().date()), usage)
        if text is None and self.reader.answer is not None:
            with suppress(errors.GatewayError):  # what is no JSON is not kept
                text = answers.write(self.reader.answer, self.gateway.provider_keys())
        if text is not None:
            end.answer_sha256 = sha256_of(text)
            if self.keeps(len(text)):
                end.answer, end.answer_type = text, "application/json"
        self._tell_operator(end, self.gateway.ledger.settle(self.receipt, end))

    def may_finish(self) -> bool:
        """Say whether an upstream works on the call and is to be heard to the end."""
        sent = self.route is not None and self.end.cost_krw is None
        return sent and self.config.upstream(self.route.upstream).when_client_leaves == "finish"  # type: ignore[union-attr]

    def keeps(self, size: int) -> bool:
        """Say whether a receipt keeps an answer of this size."""
        return self.admitted.rules.keep_content and size <= self.config.kept_bytes

    def milliseconds(self) -> int:
        """Give the time since the call came."""
        return round((time.monotonic() - self.started) * 1000)

    def _opening(self, reserve: Amount, upstream: str) -> Opening:
        prompt = without_keys(self.call.prompt, self.gateway.provider_keys())
        return Opening(
            receipt=self.receipt,
            place=self.admitted.place,
            endpoint=self.spec.name,
            model=self._model,
            upstream=upstream,
            request_sha256=self.key,
            prompt_sha256=sha256_of(self.call.prompt),
            prompt=prompt if self.admitted.rules.keep_content else None,
            reserve=reserve,
            retention_days=self.admitted.rules.retention_days,
        )

    def _refused(self, opening: Opening, error: errors.GatewayError) -> None:
        """Leave a receipt of a call that was not let through."""
        with suppress(LedgerError):  # the refusal stands all the same
            self.gateway.ledger.refused(opening, error.code)
            self.written = True
        self._tell_operator(Settlement(error.code, latency_ms=self.milliseconds()), 0)

    def _tell_operator(self, end: Settlement, cost: int) -> None:
        place, usage = self.admitted.place, end.usage
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0) if usage else 0
        self.gateway.metrics.ended(
            Outcome(
                self.receipt, place.course, place.lab, self.spec.name, self._model, end.upstream or "-", end.outcome,
                tokens, cost, end.latency_ms, end.first_byte_ms,
            )
        )  # fmt: skip

    @property
    def _model(self) -> str:
        """The model's name where it is one: anything else a caller may have said is written nowhere."""
        return self.call.alias if self.call.alias in self.config.models else "-"

    def _now(self) -> datetime:
        return datetime.now(self.config.zone)
