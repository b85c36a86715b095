"""What an operator sees: metrics and log lines. The rule: neither holds a name of a person, a prompt, an answer or a key."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CALLS = logging.getLogger("practicum.ai_gateway.calls")
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended, as logs and metrics tell it."""

    receipt: str
    course: str
    lab: str
    endpoint: str
    model: str
    upstream: str
    outcome: str
    tokens: int
    cost_krw: int
    latency_ms: int
    first_byte_ms: int | None


class Metrics:
    """The gateway's counters, in Prometheus' form."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("endpoint", "model", "upstream", "outcome")
        self._calls = Counter("practicum_ai_calls", "AI calls by how they ended.", labels, registry=self.registry)
        self._tokens = Counter("practicum_ai_tokens", "Tokens used.", ("model",), registry=self.registry)
        self._won = Counter("practicum_ai_cost_krw", "Won spent.", ("model",), registry=self.registry)
        self._seconds = Histogram(
            "practicum_ai_call_seconds", "Time of a whole call.", ("endpoint",), buckets=SECONDS, registry=self.registry
        )
        self._first = Histogram(
            "practicum_ai_first_byte_seconds", "Time until an upstream's answer began.", ("endpoint",), buckets=SECONDS,
            registry=self.registry,
        )  # fmt: skip
        self._of = lru_cache(maxsize=1000)(self._find)
        self._gauges = {
            name: Gauge(f"practicum_ai_{name}", about, labels, registry=self.registry)
            for name, about, labels in (
                ("running", "Calls that an upstream has.", ("upstream",)),
                ("waiting", "Calls that wait for an upstream.", ("upstream",)),
                ("upstream_down", "1 where the circuit breaker is open.", ("upstream",)),
                ("unwritten_receipts", "Receipts that the database does not hold yet.", ()),
            )
        }

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set what is so right now."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def ended(self, call: Outcome) -> None:
        """Count a call, and write its log line."""
        calls, tokens, won, seconds, first = self._of(call.endpoint, call.model, call.upstream, call.outcome)
        calls.inc()
        tokens.inc(call.tokens)
        won.inc(call.cost_krw)
        seconds.observe(call.latency_ms / 1000)
        if call.first_byte_ms is not None:
            first.observe(call.first_byte_ms / 1000)
        CALLS.info("%s", {name: getattr(call, name) for name in Outcome.__slots__})

    def _find(self, endpoint: str, model: str, upstream: str, outcome: str) -> tuple[Any, ...]:
        """Give a call's own counters; looking them up costs more than counting."""
        return (
            self._calls.labels(endpoint, model, upstream, outcome),
            self._tokens.labels(model),
            self._won.labels(model),
            self._seconds.labels(endpoint),
            self._first.labels(endpoint),
        )

    def text(self) -> bytes:
        """Write all metrics as Prometheus reads them."""
        return generate_latest(self.registry)


class JsonLines(logging.Formatter):
    """Writes a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the time, the level, the logger and its message, or a call's fields."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "logger": record.name}
        told = record.args if isinstance(record.args, dict) else {"message": record.getMessage()}
        return json.dumps(line | told, ensure_ascii=False)


def log_to_stderr() -> None:
    """Log in lines of JSON: calls and faults."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    CALLS.setLevel(logging.INFO)
