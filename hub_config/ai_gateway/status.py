"""How the gateway is doing, for the operator and the institution. The rule: numbers and states only, nobody's name."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from hub_config.ai_gateway.gateway import Gateway

#: Looked up once: it stands in a file of the installation.
VERSION = version("practicum")


async def status(gateway: Gateway) -> dict[str, Any]:
    """Give the state of the upstreams, of the ledger, and what was spent today."""
    start = datetime.now(gateway.config.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    today = await gateway.ledger.spend("course", since=start.astimezone(UTC))
    head, _ = await gateway.ledger.head()
    return {
        "version": VERSION,
        "started_at": gateway.started_at.isoformat(),
        "upstreams": [_upstream(gateway, upstream.name) for upstream in gateway.config.upstreams],
        "ledger": {
            "receipts": head, "unwritten": gateway.ledger.unwritten(), "head": head, "anchored": gateway.anchored,
        },
        "spend_today_krw": sum(row["cost_krw"] for row in today),
    }  # fmt: skip


def _upstream(gateway: Gateway, name: str) -> dict[str, Any]:
    breaker = gateway.upstreams.breakers[name]
    return {
        "name": name,
        "state": breaker.state,
        "running": gateway.turns.running(name),
        "waiting": gateway.turns.waiting(name),
        "failures": breaker.failures,
        "last_error": breaker.last_error,
        "last_ok_at": breaker.last_ok_at.isoformat() if breaker.last_ok_at else None,
    }


def refresh(gateway: Gateway) -> None:
    """Set the metrics that are looked up and not counted."""
    for name, breaker in gateway.upstreams.breakers.items():
        gateway.metrics.gauge("running", gateway.turns.running(name), upstream=name)
        gateway.metrics.gauge("waiting", gateway.turns.waiting(name), upstream=name)
        gateway.metrics.gauge("upstream_down", breaker.state == "open", upstream=name)
    gateway.metrics.gauge("unwritten_receipts", gateway.ledger.unwritten())
