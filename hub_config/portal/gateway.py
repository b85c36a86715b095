"""What is left of AI budgets, as the gateway says it. The rule: a gateway that does not answer takes no page down."""

from __future__ import annotations

from collections import Counter

import httpx
from pydantic import BaseModel, ValidationError

#: The most receipts that are counted for a page.
MOST_RECEIPTS = 1000


class Budget(BaseModel):
    """A learner's AI budget in a course, in whole won."""

    limit_krw: int | None
    spent_krw: int
    left_krw: int


class _Receipt(BaseModel):
    learner: str


class _Receipts(BaseModel):
    data: list[_Receipt]


class Gateway:
    """Asks the gateway as the person who looks."""

    def __init__(self, url: str | None, transport: httpx.BaseTransport | None = None) -> None:
        self._url = url.rstrip("/") if url else None
        self._client = httpx.Client(timeout=3, transport=transport, trust_env=False)

    def budget(self, course: str, token: str) -> Budget | None:
        """The person's budget in a course, or None where there is no answer."""
        raw = self._get(f"/{course}/-/budget", token, {})
        try:
            return Budget.model_validate_json(raw) if raw is not None else None
        except ValidationError:
            return None

    def calls(self, course: str, token: str) -> Counter[str] | None:
        """How many AI calls each learner made that the person may see, or None where there is no answer."""
        raw = self._get("/receipts", token, {"course": course, "limit": str(MOST_RECEIPTS)})
        try:
            return Counter(r.learner for r in _Receipts.model_validate_json(raw).data) if raw is not None else None
        except ValidationError:
            return None

    def _get(self, path: str, token: str, query: dict[str, str]) -> bytes | None:
        if self._url is None:
            return None
        try:
            answer = self._client.get(f"{self._url}{path}", params=query, headers={"Authorization": f"Bearer {token}"})
        except httpx.HTTPError:
            return None
        return answer.content if answer.status_code == 200 else None
