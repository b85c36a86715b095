"""The operator's page: how the installation is, and a test call to the model. The rule: nobody's record, and no word unredacted."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from grader.roles import OPERATOR_COURSE
from hub_config.doctor import FAULTS
from hub_config.health.finding import SECTIONS, Finding, State
from hub_config.health.gather import Health
from hub_config.portal.gateway import Posted as Answer
from hub_config.portal.i18n import N_
from hub_config.portal.pages import PageRoute
from hub_config.portal.site import PageError, Posted, SignedIn, Visit

router = APIRouter(route_class=PageRoute, include_in_schema=False)
STATES: dict[State, str] = {
    "good": N_("Works"),
    "todo": N_("See to it"),
    "bad": N_("Does not work"),
    "off": N_("Not there"),
}
#: What parts are called on the page; a part that is not here is a service's own name.
PARTS = {
    "proxy": N_("Proxy"), "hub": N_("Hub"), "portal": N_("Portal and records"), "gateway": N_("AI gateway"), "model": N_("Built-in models"),
    "ai": N_("AI calls"), "servers": N_("Personal servers"), "grading": N_("Grading"), "journal": N_("Journal"), "backup": N_("Backup"),
    "records": N_("Records"), "sandbox": N_("Sandbox"), "limits": N_("Limits"), "quick": N_("Quick servers"), "template": N_("Template of servers"), "assets": N_("npm packages"), "packs": N_("Profession packs"),
    "weights": N_("Model files"), "disk": N_("Disk"), "services": N_("Services"), "machine": N_("Machine"),
}  # fmt: skip
MODEL, QUESTION, SHOWN = "lab-default", "Say hello in five words or fewer.", 500
_calling = threading.Lock()


@dataclass(frozen=True)
class Trial:
    """What came of a test call: the model's words, or what went wrong; neither is trusted."""

    words: str = ""
    problem: str = ""
    model: str = ""
    cost_krw: int | None = None
    tokens: int | None = None
    latency_ms: int | None = None


@router.get("/operator")
def operator(visit: SignedIn) -> HTMLResponse:
    """How the installation is."""
    visit.who.must_be_operator()
    return _page(visit)


@router.post("/operator/test-call")
def test_call(visit: Posted) -> HTMLResponse:
    """Ask the model through the gateway, as the operator; it costs what it costs."""
    visit.who.must_be_operator()
    if not _calling.acquire(blocking=False):
        raise PageError(429, N_("Another test call is under way. Wait until it has come back."))
    try:
        trial = _try(visit)
    finally:
        _calling.release()
    return _page(visit, trial)


def _page(visit: Visit, trial: Trial | None = None) -> HTMLResponse:
    if visit.site.health is None:
        raise PageError(503, N_("This portal does not know its installation."))
    health: Health = visit.site.health()
    return visit.page(
        "operator.html", health=health, sections=SECTIONS, states=STATES, parts=PARTS, trial=trial, faults=FAULTS,
        worst=_worst(health.findings),
    )  # fmt: skip


def _worst(findings: tuple[Finding, ...]) -> State:
    states = {finding.state for finding in findings}
    return "bad" if "bad" in states else "todo" if "todo" in states else "good"


def _try(visit: Visit) -> Trial:
    body = {"model": MODEL, "max_tokens": 40, "messages": [{"role": "user", "content": QUESTION}]}
    answer = visit.site.gateway.post(f"/{OPERATOR_COURSE}/-/v1/chat/completions", visit.token, body)
    if answer is None:
        return Trial(
            problem=visit.t(
                N_("No answer that can be shown came within a minute. Look at the gateway and the model above.")
            )
        )
    told = _json(answer)
    if answer.status != 200:
        said = _dig(told, "error", "text", visit.words.lang) or _dig(told, "error", "message")
        return Trial(problem=f"HTTP {answer.status}: {_text(said)}")
    receipt = visit.site.gateway.receipt(answer.receipt, visit.token) if answer.receipt else None
    return Trial(
        words=_text(_dig(told, "choices", 0, "message", "content")),
        model=_text(_dig(told, "model"), 80),
        cost_krw=receipt.cost_krw if receipt else None,
        tokens=receipt.tokens if receipt else None,
        latency_ms=receipt.latency_ms if receipt else None,
    )


def _json(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _dig(found: Any, *path: str | int) -> Any:
    """A value deep in an answer; None where it has another shape."""
    for step in path:
        if isinstance(step, int) and isinstance(found, list) and len(found) > step:
            found = found[step]
        elif isinstance(found, dict):
            found = found.get(step)
        else:
            return None
    return found


def _text(said: Any, most: int = SHOWN) -> str:
    return said[:most] if isinstance(said, str) else ""
