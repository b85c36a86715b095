"""Errors as the OpenAI API shapes them, in Korean and English.

The rule: a message is written here; nothing that a provider said reaches a caller.
"""

from __future__ import annotations

from typing import Any

from labs.texts import Text


class GatewayError(Exception):
    """An answer that is an error: its HTTP status, its code, the field it is about, and its text."""

    def __init__(
        self, status: int, code: str, ko: str, en: str, *, param: str | None = None, retry: bool = False
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.text = Text(ko=ko, en=en)
        self.param = param
        # The openai client repeats 429 and 5xx by itself; where that cannot help, this header stops it.
        self.headers = {} if retry else {"x-should-retry": "false"}

    def body(self) -> dict[str, Any]:
        """Give the error in the OpenAI API's shape."""
        message = f"{self.text.ko} {self.text.en}"
        return {"error": {"message": message, "type": _kind(self.status), "param": self.param, "code": self.code}}


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


def over_budget(left_krw: int, needed_krw: int) -> GatewayError:
    """A call that could cost more than is left."""
    return GatewayError(
        429,
        "budget_exceeded",
        f"AI 예산이 부족합니다. 남은 예산은 {left_krw:,}원이고 이 요청에는 최대 {needed_krw:,}원이 필요합니다.",
        f"Your AI budget is too low: {left_krw:,} won are left, and this call may cost up to {needed_krw:,} won.",
    )


def too_many_waiting() -> GatewayError:
    """A learner whose line of waiting calls is full."""
    return GatewayError(
        429,
        "too_many_calls",
        "기다리는 AI 요청이 너무 많습니다. 앞선 요청이 끝난 뒤 다시 보내세요.",
        "Too many of your calls are waiting; send this again when some have ended.",
        retry=True,
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
            "AI 제공자가 게이트웨이의 설정을 받아들이지 않았습니다. 운영자에게 알리세요.",
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
