"""Who is calling: the Hub's answer about a token, and what that person may name.

The rule: an identity comes from the Hub, never from the request; a token is remembered only as its hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from grader.roles import GRADER_SERVICE, OPERATOR, OPERATOR_COURSE
from hub_config.ai_gateway import errors

HUB_SECONDS = 5.0
REMEMBERED = 4096


@dataclass(frozen=True)
class Identity:
    """A Hub user and their groups."""

    name: str
    groups: frozenset[str]
    is_service: bool = False

    @property
    def is_grader(self) -> bool:
        """Say whether this is the grading service."""
        return self.is_service and self.name == GRADER_SERVICE

    def takes_part(self, course: str) -> bool:
        """Say whether this person learns or teaches in the course, or is an operator at the place of test calls."""
        tries = course == OPERATOR_COURSE and OPERATOR in self.groups
        return tries or f"nbgrader-{course}" in self.groups or self.teaches(course)

    def teaches(self, course: str) -> bool:
        """Say whether this person is an instructor of the course."""
        return f"formgrade-{course}" in self.groups


Identify = Callable[[str], Awaitable[Identity]]


class HubIdentity:
    """Asks the Hub about a token, and believes its answer for some seconds."""

    def __init__(self, hub_api_url: str, remember_seconds: float, session: aiohttp.ClientSession) -> None:
        self._url = hub_api_url.rstrip("/") + "/user"
        self._remember_seconds = remember_seconds
        self._session = session
        self._known: dict[bytes, tuple[float, Identity]] = {}
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}

    async def __call__(self, token: str) -> Identity:
        """Give the identity behind a token; GatewayError 401 or 503."""
        key = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        until, identity = self._known.get(key, (0.0, None))
        if identity is not None and time.monotonic() < until:
            return identity
        self._known.pop(key, None)
        # Many calls with one token at once ask the Hub once; who leaves meanwhile does not end it for the others.
        if key not in self._asking:
            self._asking[key] = asking = asyncio.create_task(self._ask_and_remember(key, token))
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._asking[key])

    async def _ask_and_remember(self, key: bytes, token: str) -> Identity:
        try:
            identity = await self._ask(token)
        finally:
            del self._asking[key]
        while len(self._known) >= REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (time.monotonic() + self._remember_seconds, identity)
        return identity

    async def _ask(self, token: str) -> Identity:
        if not token.isascii() or not token.isprintable():
            raise errors.wrong_token()
        timeout = aiohttp.ClientTimeout(total=HUB_SECONDS)
        try:
            headers = {"Authorization": f"token {token}"}
            async with self._session.get(self._url, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                if answer.status in (401, 403, 404):
                    raise errors.wrong_token()
                if answer.status != 200:
                    raise errors.hub_unreachable()
                return parse_user(await answer.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise errors.hub_unreachable() from error


def parse_user(answer: Any) -> Identity:
    """Read the Hub's answer about a user or a service."""
    if not isinstance(answer, dict) or answer.get("kind") not in ("user", "service"):
        raise errors.wrong_token()
    name, groups = answer.get("name"), answer.get("groups")
    if not isinstance(name, str) or not name:
        raise errors.wrong_token()
    if answer["kind"] == "service":
        return Identity(name, frozenset(), is_service=True)
    return Identity(
        name, frozenset(g for g in groups if isinstance(g, str)) if isinstance(groups, list) else frozenset()
    )
