"""Errors as the OpenAI API shapes them, in Korean and English.

The rule: a message is written here; nothing that a provider said reaches a caller.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from labs.texts import Text


class GatewayError(Exception):
    """An answer that is an error: its HTTP status, its code, the field it is about, and its text."""

    def __init__(
        self,
        status: int,
        code: str,
        ko: str,
        en: str,
        *,
        param: str | None = None,
        retry: bool = False,
        retry_after: float | None = None,
        **more: Any,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.text = Text(ko=ko, en=en)
        self.param = param
        self.more = more
        # The openai client repeats 429 and 5xx by itself; where that cannot help, this header stops it.
        self.headers = {} if retry or retry_after is not None else {"x-should-retry": "false"}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))

    def body(self) -> dict[str, Any]:
        """Give the error in the OpenAI API's shape; `text` holds both languages apart, for a notebook."""
        message = f"{self.text.ko} {self.text.en}"
        shape = {"message": message, "type": _kind(self.status), "param": self.param, "code": self.code}
        return {"error": {**shape, "text": {"ko": self.text.ko, "en": self.text.en}, **self.more}}


def _kind(status: int) -> str:
    named = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return named.get(status, "invalid_request_error" if status < 500 else "server_error")


def invalid(ko: str, en: str, *, param: str | None = None, code: str = "invalid_value") -> GatewayError:
    """A request that cannot be taken as it is."""
    return GatewayError(400, code, ko, en, param=param)


def not_found() -> GatewayError:
    """An address that the gateway does not have."""
    return GatewayError(404, "not_found", "게이트웨이에 없는 주소입니다.", "The gateway has no such address.")


def wrong_token() -> GatewayError:
    """No token, or one that the Hub does not know."""
    return GatewayError(
        401,
        "invalid_api_key",
        "Hub 토큰이 없거나 유효하지 않습니다. 실습 서버를 다시 시작하세요.",
        "The Hub token is missing or not valid; restart your lab server.",
    )


def hub_unreachable() -> GatewayError:
    """The Hub did not say who the caller is."""
    return GatewayError(
        503,
        "hub_unavailable",
        "Hub에서 사용자를 확인하지 못했습니다. 잠시 후 다시 시도하세요.",
        "The Hub could not be asked who you are; try again in a moment.",
        retry=True,
    )


def foreign_course(course: str) -> GatewayError:
    """A course that the caller does not belong to."""
    return GatewayError(
        403,
        "course_forbidden",
        f"{course} 과정의 훈련생이나 강사가 아닙니다.",
        f"You are neither a learner nor an instructor of the course {course}.",
    )


def foreign_receipts() -> GatewayError:
    """Somebody else's receipts, asked for by a caller who may not see them."""
    return GatewayError(
        403,
        "receipts_forbidden",
        "다른 사람의 영수증은 그 과정의 강사와 기관 담당자만 볼 수 있습니다.",
        "Only the course's instructors and the institution may see other people's receipts.",
    )


def ai_off() -> GatewayError:
    """A course or lab in which AI is switched off."""
    return GatewayError(
        403,
        "ai_off",
        "지금은 이 과정에서 AI를 쓸 수 없도록 강사가 꺼 두었습니다.",
        "AI is switched off in this course right now.",
    )


def not_in_policy(param: str, asked: str, allowed: Iterable[str]) -> GatewayError:
    """A model or an endpoint that the course or lab does not allow."""
    names = ", ".join(sorted(allowed)) or "-"
    return GatewayError(
        403,
        f"{param}_not_allowed",
        f"이 실습에서는 {asked} 사용이 허용되지 않습니다. 사용할 수 있는 것: {names}.",
        f"This lab does not allow {asked}; it allows: {names}.",
        param=param,
    )


_ACCOUNTS = {
    "learner": Text(ko="이 과정의 내 AI 예산", en="Your AI budget in this course"),
    "lab": Text(ko="이 실습의 내 AI 예산", en="Your AI budget for this lab"),
    "course": Text(ko="과정 전체의 AI 예산", en="The course's AI budget"),
    "institution": Text(ko="기관 전체의 AI 예산", en="The institution's AI budget"),
}
_UNITS = {"krw": Text(ko="원", en="won"), "tokens": Text(ko="토큰", en="tokens")}


def not_instructor(course: str) -> GatewayError:
    """Something that only an instructor of the course may do."""
    return GatewayError(
        403,
        "not_instructor",
        f"{course} 과정의 강사만 할 수 있습니다.",
        f"Only an instructor of the course {course} may do this.",
    )


def over_budget(account: str, unit: str, left: int, needed: int, renews_at: datetime | None) -> GatewayError:
    """A call that could cost more than is left in one of its accounts."""
    whose, what = _ACCOUNTS[account], _UNITS[unit]
    again = Text(ko="이 예산은 새로 채워지지 않으니 강사에게 알리세요.", en="It does not renew; tell your instructor.")
    if renews_at is not None:
        at = f"{renews_at:%Y-%m-%d %H:%M}"
        again = Text(ko=f"하루 예산은 {at}에 다시 채워집니다.", en=f"The day's budget renews at {at}.")
    return GatewayError(
        429,
        "budget_exceeded",
        f"{whose.ko}이 부족합니다. 남은 예산은 {left:,}{what.ko}이고 이 요청에는 최대 {needed:,}{what.ko}이 필요합니다. {again.ko}",
        f"{whose.en} is too low: {left:,} {what.en} are left, and this call may take up to {needed:,}. {again.en}",
        left=left,
        unit=unit,
        renews_at=renews_at.isoformat() if renews_at else None,
    )


def too_many_waiting(position: int, retry_after: float) -> GatewayError:
    """A learner whose line of waiting calls is full."""
    return GatewayError(
        429,
        "too_many_calls",
        f"기다리는 AI 요청이 너무 많습니다. 지금 보내면 {position}번째입니다. 앞선 요청이 끝난 뒤 다시 보내세요.",
        f"Too many of your calls are waiting; this one would be number {position}. Send it again when some have ended.",
        retry_after=retry_after,
        position=position,
    )


def stopping() -> GatewayError:
    """A gateway that is about to stop."""
    return GatewayError(
        503,
        "gateway_stopping",
        "AI 게이트웨이를 다시 시작하고 있습니다. 잠시 후 다시 시도하세요.",
        "The AI gateway is restarting; try again in a moment.",
        retry_after=5,
    )


def cannot_record() -> GatewayError:
    """A ledger that cannot be written: no call is made that would leave no trace."""
    return GatewayError(
        503,
        "ledger_unavailable",
        "AI 사용 기록을 저장할 수 없어 요청을 보내지 않았습니다. 시스템 관리자에게 알리세요.",
        "The use of AI cannot be recorded, so the call was not made; tell the operator.",
        retry_after=30,
    )


def model_loading(progress: float, retry_after: float) -> GatewayError:
    """A built-in model that is being loaded."""
    percent = round(100 * progress)
    return GatewayError(
        503,
        "model_loading",
        f"AI 모델을 불러오는 중입니다({percent}%). 잠시 후 다시 시도하세요.",
        f"The AI model is loading ({percent} %); try again in a moment.",
        retry_after=retry_after,
        progress=progress,
    )


def model_missing() -> GatewayError:
    """A built-in model whose weights are not on this machine, or that does not start."""
    return GatewayError(
        503,
        "model_missing",
        "이 기능의 내장 모델이 준비되지 않았습니다. 시스템 관리자에게 practicum model list로 확인해 달라고 하세요.",
        "The built-in model for this is not ready; ask the operator to look at `practicum model list`.",
    )


def too_large(limit_bytes: int) -> GatewayError:
    """A request over the size limit."""
    return GatewayError(
        413,
        "request_too_large",
        f"요청이 너무 큽니다. {limit_bytes:,}바이트 이하로 줄이세요.",
        f"The request is too large; keep it within {limit_bytes:,} bytes.",
    )


def too_slow() -> GatewayError:
    """A request that did not arrive in time."""
    return GatewayError(
        408,
        "request_timeout",
        "요청을 제때 다 받지 못했습니다. 다시 보내세요.",
        "The request did not arrive in time; send it again.",
        retry=True,
    )


def internal() -> GatewayError:
    """A fault of the gateway's own."""
    return GatewayError(
        500,
        "gateway_error",
        "게이트웨이에서 오류가 났습니다. 계속되면 강사에게 알리세요.",
        "The gateway failed; tell your instructor if it goes on.",
    )


def upstream_unreachable() -> GatewayError:
    """A provider that takes no connection."""
    return GatewayError(
        503,
        "upstream_unavailable",
        "AI 모델에 연결하지 못했습니다. 잠시 후 다시 시도하세요.",
        "The AI model cannot be reached; try again in a moment.",
        retry=True,
    )


def upstream_paused(retry_after: float) -> GatewayError:
    """Providers that failed again and again, and are left alone for a while."""
    return GatewayError(
        503,
        "upstream_paused",
        "AI 모델이 계속 응답하지 않아 잠시 쉬고 있습니다. 잠시 후 다시 시도하세요.",
        "The AI model kept failing and is left alone for a while; try again in a moment.",
        retry_after=retry_after,
    )


def upstream_timeout() -> GatewayError:
    """A provider that did not answer in time."""
    return GatewayError(
        504,
        "upstream_timeout",
        "AI 모델이 제때 답하지 않았습니다. 요청을 나누거나 max_tokens를 줄이세요.",
        "The AI model did not answer in time; split the task or lower max_tokens.",
    )


def upstream_broken() -> GatewayError:
    """A provider whose answer cannot be read to its end."""
    return GatewayError(
        502,
        "upstream_broken",
        "AI 모델의 답이 중간에 끊기거나 깨졌습니다. 다시 시도하세요.",
        "The AI model's answer broke off or cannot be read; try again.",
    )


def upstream_refused(status: int, code: object) -> GatewayError:
    """What a caller is told of a provider's error status; the provider's own words are not passed on."""
    if status in (400, 413, 422):
        return _refused_request(code)
    if status == 429:
        return GatewayError(
            429,
            "upstream_busy",
            "AI 제공자가 지금 요청을 더 받지 않습니다. 잠시 후 다시 시도하세요.",
            "The AI provider takes no more calls right now; try again in a moment.",
            retry=True,
        )
    if status in (401, 403, 404):
        return GatewayError(
            502,
            "upstream_misconfigured",
            "AI 제공자가 게이트웨이의 설정을 받아들이지 않았습니다. 시스템 관리자에게 알리세요.",
            "The AI provider does not accept the gateway's settings; tell the operator.",
        )
    return GatewayError(
        502,
        "upstream_failed",
        "AI 제공자에서 오류가 났습니다. 잠시 후 다시 시도하세요.",
        "The AI provider failed; try again in a moment.",
        retry=True,
    )


def _refused_request(code: object) -> GatewayError:
    if code in ("exceed_context_size_error", "context_length_exceeded"):
        return invalid(
            "입력이 모델이 읽을 수 있는 길이를 넘습니다. 나누어 보내세요.",
            "The input is longer than the model can read; send it in pieces.",
            param="messages",
            code="context_length_exceeded",
        )
    return invalid(
        "AI 모델이 이 요청을 처리할 수 없다고 답했습니다. response_format과 messages를 확인하세요.",
        "The AI model cannot handle this request; check response_format and messages.",
        code="upstream_rejected",
    )
