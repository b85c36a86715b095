"""What a notebook says of the AI service: an error, or what is left of the budget.

The rule: one sentence in the lab's language that says what to do; the service's own sentence wherever it sends one.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from labs.texts import Text

TIMEOUT_SECONDS = 3
_KINDS = {
    "RateLimitError": Text(
        ko="이 실습의 AI 예산을 다 썼거나 차례를 기다려야 합니다. 잠시 뒤 다시 시도하고, 계속되면 강사에게 알리세요.",
        en="The AI budget is spent or it is not your turn yet. Try again shortly; if it goes on, tell your instructor.",
    ),
    "AuthenticationError": Text(
        ko="로그인이 만료되었습니다. 실습 서버를 다시 시작하세요.", en="Your login has ended. Restart your server."
    ),
    "PermissionDeniedError": Text(ko="이 과정에서는 쓸 수 없는 AI입니다.", en="This AI is not allowed in this course."),
    "APIConnectionError": Text(
        ko="AI 서비스에 연결하지 못했습니다. 잠시 뒤 칸을 다시 실행하세요.",
        en="The AI service could not be reached. Run the cell again shortly.",
    ),
    "APITimeoutError": Text(
        ko="AI의 답이 너무 늦습니다. 칸을 다시 실행하세요.", en="The AI took too long. Run the cell again."
    ),
    "InternalServerError": Text(
        ko="AI 서비스가 지금 답하지 못합니다. 잠시 뒤 칸을 다시 실행하세요.",
        en="The AI service cannot answer right now. Run the cell again shortly.",
    ),
    "LengthFinishReasonError": Text(
        ko="AI의 답이 정해진 길이에서 끊겼습니다. 일을 나누어 부탁하세요.",
        en="The AI's answer was cut off at its longest length. Ask for less at once.",
    ),
}
_REFUSED = Text(ko="AI 호출이 거절되었습니다.", en="The AI call was refused.")
NO_GATEWAY = Text(
    ko="여기는 Practicum 서버가 아니어서 AI 예산을 알 수 없습니다.",
    en="This is no Practicum server, so the AI budget is not known here.",
)
UNREACHABLE = Text(
    ko="AI 서비스에 연결하지 못해 남은 예산을 알 수 없습니다. 잠시 뒤 칸을 다시 실행하세요.",
    en="The AI service could not be reached, so the budget is not known. Run the cell again shortly.",
)
OFF = Text(ko="지금은 이 실습에서 AI를 쓸 수 없습니다.", en="AI is switched off in this lab right now.")
UNLIMITED = Text(ko="이 실습의 AI 예산에는 한도가 없습니다.", en="The AI budget of this lab has no limit.")


def ai_error_sentence(error: BaseException, lang: str) -> str:
    """Say in one sentence what went wrong with an AI call and what to do."""
    body = getattr(error, "body", None)
    detail = body if isinstance(body, dict) else {}
    said = _own_sentence(detail, lang)
    if not said:
        said = f"{_KINDS.get(type(error).__name__, _REFUSED).in_(lang)} {detail.get('message') or ''}".strip()
    seconds = getattr(getattr(error, "response", None), "headers", {}).get("retry-after", "")
    if not (seconds.isascii() and seconds.isdigit()):
        return said
    again = f" (in about {seconds[:6]} s)" if lang == "en" else f"(약 {seconds[:6]}초 뒤)"
    return f"{said.removesuffix('.')}{again}."


def _own_sentence(detail: dict[str, Any], lang: str) -> str:
    """Give the service's sentence in a language; a service that is not ours sends none."""
    try:
        return Text.model_validate(detail.get("text")).in_(lang)
    except ValidationError:
        return ""


class Budget(BaseModel):
    """What the gateway says of a learner's budget, as far as a notebook shows it."""

    ai: bool
    limit_krw: int | None = None
    left_krw: int | None = None
    left_tokens: int | None = None
    renews_at: datetime | None = None

    def sentence(self, lang: str) -> str:
        """Say what is left, of how much, and when it is filled again."""
        if not self.ai:
            return OFF.in_(lang)
        if self.left_krw is None and self.left_tokens is None:
            return UNLIMITED.in_(lang)
        return self._in_english() if lang == "en" else self._in_korean()

    def _in_korean(self) -> str:
        whole = "" if self.limit_krw is None else f"(전체 {self.limit_krw:,}원)"
        left = [
            *([] if self.left_krw is None else [f"{self.left_krw:,}원{whole}"]),
            *([] if self.left_tokens is None else [f"{self.left_tokens:,}토큰"]),
        ]
        again = f"이며, {self.renews_at:%Y-%m-%d %H:%M}에 다시 채워집니다" if self.renews_at else "입니다"
        return f"남은 AI 예산은 {', '.join(left)}{again}."

    def _in_english(self) -> str:
        whole = "" if self.limit_krw is None else f" of {self.limit_krw:,}"
        left = [
            *([] if self.left_krw is None else [f"{self.left_krw:,}{whole} won"]),
            *([] if self.left_tokens is None else [f"{self.left_tokens:,} tokens"]),
        ]
        again = f"; it renews at {self.renews_at:%Y-%m-%d %H:%M}" if self.renews_at else ""
        return f"AI budget left: {', '.join(left)}{again}."


def budget_sentence(course: str, lab: str, lang: str) -> str:
    """Ask the gateway what is left for a lab and say it in one sentence; never an exception."""
    import httpx

    gateway = os.environ.get("PRACTICUM_GATEWAY_URL", "").rstrip("/")
    if not gateway:
        return NO_GATEWAY.in_(lang)
    token = {"Authorization": f"Bearer {os.environ.get('JUPYTERHUB_API_TOKEN', '')}".strip()}
    try:
        answer = httpx.get(f"{gateway}/{course}/{lab}/budget", headers=token, timeout=TIMEOUT_SECONDS)
        said = answer.json()
        if answer.status_code != 200:
            return _own_sentence(said["error"], lang) or UNREACHABLE.in_(lang)
        return Budget.model_validate(said).sentence(lang)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return UNREACHABLE.in_(lang)
