"""The services, asked on their own addresses: do they answer, and what waits in them.

The rule: no answer is believed, waited for past two seconds, or read past its first 200 kB.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from hub_config.health.finding import Finding
from hub_config.quick import calling
from hub_config.services import addresses, forks
from hub_config.settings import Settings
from labs.texts import Text

SECONDS, MOST_BYTES = 2.0, 200_000
TOO_SLOW = Text(ko=f"{SECONDS:g}초 안에 답하지 않습니다.", en=f"does not answer within {SECONDS:g} s")
UNREACHABLE = Text(ko="연결되지 않습니다.", en="cannot be reached")


@dataclass(frozen=True)
class Answer:
    """What a service said; without a status, `problem` says why there is nothing."""

    status: int = 0
    body: bytes = b""
    problem: Text | None = None

    @property
    def is_well(self) -> bool:
        return self.problem is None and 0 < self.status < 500


def look(settings: Settings) -> list[Finding]:
    """Ask every service."""
    up, ready = is_up(settings), addresses(settings)
    asked = {**ready, "metrics": f"{settings.gateway_url}/metrics"}
    keys = {"proxy": ("token", "proxy-token"), "metrics": ("Bearer", "metrics-token")}
    headers = {name: _key(settings, *key) for name, key in keys.items()}
    answers = asyncio.run(_ask_all(asked, headers, settings.template_socket if forks(settings) else None))
    found = [_service(name, answer, up=up) for name, answer in answers.items() if name != "metrics"]
    if answers["gateway"].is_well:
        found.append(_line(answers["metrics"]))
    if answers["proxy"].is_well:
        found.append(_servers(answers["proxy"]))
    return found


def is_up(settings: Settings) -> bool:
    """Whether a Practicum runs on this data folder: it holds a lock."""
    try:
        handle = os.open(settings.data / "run" / "up.lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


async def _ask_all(
    asked: Mapping[str, str], headers: Mapping[str, dict[str, str]], template: Path | None
) -> dict[str, Answer]:
    async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as client:
        asking = {name: _ask(client, url, headers.get(name, {})) for name, url in asked.items()}
        if template is not None:
            asking["template"] = _ask_template(template)
        return dict(zip(asking, await asyncio.gather(*asking.values()), strict=True))


async def _ask_template(path: Path) -> Answer:
    try:
        async with asyncio.timeout(SECONDS):
            return Answer(200) if await calling.answers(path) else Answer(problem=UNREACHABLE)
    except TimeoutError:
        return Answer(problem=TOO_SLOW)


async def _ask(client: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> Answer:
    try:
        async with asyncio.timeout(SECONDS), client.get(url, headers=headers, allow_redirects=False) as answer:
            body = b""
            async for part in answer.content.iter_any():
                body += part
                if len(body) > MOST_BYTES:
                    return Answer(problem=Text(ko="답이 너무 깁니다.", en="its answer is too long"))
            return Answer(answer.status, body)
    except TimeoutError:
        return Answer(problem=TOO_SLOW)
    except (aiohttp.ClientError, OSError, ValueError):
        return Answer(problem=UNREACHABLE)


def _service(name: str, answer: Answer, *, up: bool) -> Finding:
    if answer.is_well:
        return Finding("services", name, "good", Text(ko="답합니다.", en="answers"))
    said = answer.problem or Text(ko=f"HTTP {answer.status}로 답합니다.", en=f"answers with HTTP {answer.status}")
    if not up:
        todo = Text(ko="시작: practicum up", en="to start it: practicum up")
        return Finding("services", name, "off", Text(ko="멈춰 있습니다.", en="is stopped"), todo)
    todo = Text(
        ko=f"스스로 다시 시작합니다. 1분 뒤에도 같으면 logs/{name}.log를 보세요.",
        en=f"it is started again by itself; if it stays so for a minute, look into logs/{name}.log",
    )
    return Finding("services", name, "bad", said, todo)


def _line(answer: Answer) -> Finding:
    """The AI's waiting line and its upstreams, from the gateway's metrics."""
    try:
        samples = [s for family in text_string_to_metric_families(answer.body.decode()) for s in family.samples]
        sums = {
            name: int(sum(s.value for s in samples if s.name == f"practicum_ai_{name}"))
            for name in ("running", "waiting", "unwritten_receipts")
        }
        down = sorted(s.labels["upstream"] for s in samples if s.name == "practicum_ai_upstream_down" and s.value)
    except (ValueError, KeyError, OverflowError, RecursionError):
        answer, sums, down = Answer(), {}, []
    if answer.status != 200:
        return Finding(
            "queues",
            "ai",
            "todo",
            Text(ko="게이트웨이의 수치를 읽을 수 없습니다.", en="the gateway's numbers cannot be read"),
        )
    said = Text(
        ko=f"AI 호출 {sums['running']}건 처리 중, {sums['waiting']}건 대기, 저장 대기 기록 {sums['unwritten_receipts']}건",
        en=f"{sums['running']} AI calls running, {sums['waiting']} waiting, {sums['unwritten_receipts']} receipts to be written",
    )
    if not down:
        return Finding("queues", "ai", "good", said)
    names = ", ".join(down)[:200]
    todo = Text(
        ko=f"응답하지 않는 모델 서버: {names}. 아래에서 시험 호출을 해 보세요.",
        en=f"model servers that fail: {names}; try a test call",
    )
    return Finding("queues", "ai", "bad", said, todo)


def _servers(answer: Answer) -> Finding:
    """How many personal servers the proxy knows; nobody's name."""
    try:
        routes = json.loads(answer.body)
        running = sum(route.startswith("/user/") for route in routes)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Finding(
            "queues",
            "servers",
            "todo",
            Text(ko="프록시의 답을 읽을 수 없습니다.", en="the proxy's answer cannot be read"),
        )
    return Finding(
        "queues", "servers", "good", Text(ko=f"실습 서버 {running}개 실행 중", en=f"{running} personal servers running")
    )


def _key(settings: Settings, scheme: str, secret: str) -> dict[str, str]:
    """The header of a secret that is there; none is made."""
    try:
        return {"Authorization": f"{scheme} {(settings.data / 'secrets' / secret).read_text('utf-8').strip()}"}
    except OSError:
        return {}
