"""What the AI gateway knows of budgets and calls. The rule: a gateway that does not answer takes no page down."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from hub_config.portal.ai_records import Budget, Held, HeldTo, Receipt, Receipts, Spend, Spends, Status, Switch

Group = Literal["course", "learner", "lab", "day", "model", "outcome"]
#: A page waits so long for the gateway, a file of all receipts longer.
PAGE_SECONDS, FILE_SECONDS = 3, 60
PAGE_RECEIPTS = 25
#: A call to a model may have to wait until it is loaded; its answer is read so far.
CALL_SECONDS, MOST_BYTES = 60, 64_000
M = TypeVar("M", bound=BaseModel)
#: What an address asks for: a name may come with several values.
Asked = str | Sequence[str]


@dataclass(frozen=True)
class Posted:
    """What came of a call: the status, the receipt's id, and the body as it is, untrusted."""

    status: int
    receipt: str
    body: bytes


class Gateway:
    """Asks the gateway as the person who looks; None where there is no answer."""

    def __init__(self, url: str | None, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url.rstrip("/") if url else None
        self._client = httpx.Client(timeout=PAGE_SECONDS, transport=transport, trust_env=False)

    @property
    def is_there(self) -> bool:
        """Whether this Practicum has a gateway at all."""
        return self._url is not None

    def budget(self, course: str, token: str) -> Budget | None:
        """What is left to the person in a course."""
        return self._read(Budget, f"/{quote(course, safe='')}/-/budget", token)

    def calls(self, course: str, token: str) -> Counter[str] | None:
        """How many AI calls each learner made that the person may see."""
        lines = self.spend("learner", token, course=course)
        return None if lines is None else Counter({line.name: line.calls for line in lines})

    def spend(self, group: Group, token: str, **query: Asked) -> list[Spend] | None:
        """What was used, by course, learner, lab, day, model or outcome, and `by` a second one; the dearest first, days newest first."""
        found = self._read(Spends, "/spend", token, {"group": group, **query})
        try:
            lines = [Spend.model_validate({**line, "name": line.get(group)}) for line in found.data] if found else []
        except ValidationError:
            return None
        lines.sort(key=lambda line: line.name if group == "day" else (line.cost_krw, line.calls), reverse=True)
        return lines if found else None

    def receipts(self, token: str, **query: str) -> Receipts | None:
        """A page of calls, without what was asked and answered."""
        return self._read(Receipts, "/receipts", token, {"limit": str(PAGE_RECEIPTS), "content": "0", **query})

    def receipt(self, receipt: str, token: str) -> Receipt | None:
        """One call with what was asked and answered."""
        return self._read(Receipt, f"/receipts/{quote(receipt, safe='')}", token)

    def switch(self, course: str, token: str) -> Switch | None:
        """Whether the course may use AI."""
        return self._read(Switch, f"/{quote(course, safe='')}/-/switch", token)

    def set_switch(self, course: str, token: str, ai: bool) -> bool:
        """Switch AI on or off for a whole course; whether the gateway did."""
        return self._ask("PUT", f"/{quote(course, safe='')}/-/switch", token, json={"ai": ai}) is not None

    def status(self, token: str) -> Status | None:
        """The gateway's own state, for the institution."""
        return self._read(Status, "/status", token)

    def limits(self, token: str, course: str = "") -> list[Held] | None:
        """The limits that calls are held to in a course, or in all, and how far they are used."""
        found = self._read(HeldTo, "/limits", token, {"course": course} if course else None)
        return None if found is None else found.data

    def post(self, path: str, token: str, body: dict[str, Any]) -> Posted | None:
        """Send a call as the person who looks, and read no more of its answer than a page shows; None where none comes in time."""
        if self._url is None:
            return None
        until = time.monotonic() + CALL_SECONDS
        timeout = httpx.Timeout(CALL_SECONDS, connect=PAGE_SECONDS)
        content = b""
        try:
            headers = {**_bearer(token), "accept-encoding": "identity"}
            with self._client.stream(
                "POST", f"{self._url}{path}", json=body, headers=headers, timeout=timeout
            ) as answer:
                if "content-encoding" in answer.headers:
                    return None  # never asked for; little of it could unpack to much
                for part in answer.iter_bytes():
                    content += part
                    if len(content) > MOST_BYTES or time.monotonic() > until:
                        return None
                return Posted(answer.status_code, answer.headers.get("x-practicum-receipt", ""), content)
        except httpx.HTTPError:
            return None

    def csv(self, token: str, **query: Asked) -> Iterator[bytes] | None:
        """All receipts as a file, part by part; a file that breaks off raises, so that nobody takes it for a whole one."""
        if self._url is None:
            return None
        timeout = httpx.Timeout(FILE_SECONDS, connect=PAGE_SECONDS)
        request = self._client.build_request(
            "GET", f"{self._url}/receipts.csv", params=query, headers=_bearer(token), timeout=timeout
        )
        try:
            answer = self._client.send(request, stream=True)
        except httpx.HTTPError:
            return None
        if answer.status_code != 200:
            answer.close()
            return None
        return _parts(answer)

    def _read(self, model: type[M], path: str, token: str, query: Mapping[str, Asked] | None = None) -> M | None:
        raw = self._get(path, token, query or {})
        try:
            return model.model_validate_json(raw) if raw is not None else None
        except ValidationError:
            return None

    def _get(self, path: str, token: str, query: Mapping[str, Asked]) -> bytes | None:
        return self._ask("GET", path, token, params=query)

    def _ask(self, method: str, path: str, token: str, **more: Any) -> bytes | None:
        if self._url is None:
            return None
        try:
            answer = self._client.request(method, f"{self._url}{path}", headers=_bearer(token), **more)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return answer.content if answer.status_code == 200 else None


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _parts(answer: httpx.Response) -> Iterator[bytes]:
    with closing(answer):
        yield from answer.iter_bytes()
