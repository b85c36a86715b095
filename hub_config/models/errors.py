"""The model service's errors, as the OpenAI API shapes them, in Korean and English.

The rule: a message is written here; nothing that a model's process said reaches a caller.
"""

from __future__ import annotations

from aiohttp import web

from hub_config.ai_gateway.errors import GatewayError
from labs.texts import Text


class ServiceError(GatewayError):
    """An answer that is an error, in the shape that the gateway's have too."""

    def response(self) -> web.Response:
        """Give it as an answer."""
        return web.json_response(self.body(), status=self.status, headers=self.headers)


def invalid(ko: str, en: str, *, param: str | None = None, code: str = "invalid_value") -> ServiceError:
    """A request that cannot be taken as it is."""
    return ServiceError(400, code, ko, en, param=param)


def unsupported(param: str) -> ServiceError:
    """A field that the built-in model has no use for."""
    return invalid(
        f"내장 모델은 {param} 항목을 지원하지 않습니다. 빼고 다시 보내세요.",
        f"The built-in model does not support {param}; leave it out.",
        param=param,
        code="unsupported_parameter",
    )


def wrong_key() -> ServiceError:
    """No key, or not the service's."""
    return ServiceError(401, "invalid_api_key", "모델 서비스의 키가 아닙니다.", "This is not the model service's key.")


def not_found() -> ServiceError:
    """An address that the service does not have."""
    return ServiceError(404, "not_found", "모델 서비스에 없는 주소입니다.", "The model service has no such address.")


def internal() -> ServiceError:
    """A fault of the service itself."""
    return ServiceError(
        500,
        "internal_error",
        "모델 서비스에 문제가 생겼습니다. 되풀이되면 시스템 관리자에게 알리세요.",
        "Something went wrong in the model service. Tell the operator if it goes on.",
    )


def too_large(most: int) -> ServiceError:
    """A request over the limit."""
    return ServiceError(
        413, "request_too_large", f"요청이 {most} 바이트를 넘습니다.", f"The request is over {most} bytes."
    )


def unknown_model(asked: str, known: str) -> ServiceError:
    """A model that does not answer at this address."""
    return ServiceError(
        404,
        "model_not_found",
        f"이 주소에 '{asked[:80]}' 모델은 없습니다. 있는 모델: {known or '없음'}",
        f"This address has no model '{asked[:80]}'; it has: {known or 'none'}",
        param="model",
    )


def loading(name: str, progress: float, retry_after: float) -> ServiceError:
    """A model that is being loaded; `progress` is below 1."""
    return ServiceError(
        503,
        "model_loading",
        f"{name} 모델을 불러오는 중입니다({progress:.0%}). 잠시 뒤에 다시 보내세요.",
        f"The model {name} is being loaded ({progress:.0%}); send it again shortly.",
        retry_after=retry_after,
        progress=round(progress, 3),
    )


def missing(name: str) -> ServiceError:
    """A model whose weights, or whose program, are not on the machine."""
    return ServiceError(
        503,
        "model_missing",
        f"{name} 모델이 이 장비에 없습니다. 시스템 관리자가 다음 명령으로 받습니다: practicum model fetch {name}",
        f"The model {name} is not on this machine; the operator fetches it with: practicum model fetch {name}",
    )


def missing_program(name: str, text: Text) -> ServiceError:
    """A model whose program is not on the machine; the text says how to get it."""
    return ServiceError(503, "model_missing", f"{name}: {text.ko}", f"{name}: {text.en}")


def failed(name: str) -> ServiceError:
    """A model whose process ended, while it loaded or over a call."""
    return ServiceError(
        503,
        "model_failed",
        f"{name} 모델의 프로세스가 멈췄습니다. 다시 보내면 새로 시작합니다. 되풀이되면 시스템 관리자에게 알리세요.",
        f"The process of the model {name} ended; the next call starts it again. Tell the operator if it goes on.",
        retry_after=1,
    )


def too_slow(name: str, seconds: float) -> ServiceError:
    """A call that took longer than it may."""
    return ServiceError(
        504,
        "model_timeout",
        f"{name} 모델이 {seconds:.0f}초 안에 답하지 못해 멈췄습니다. 더 짧게 나누어 보내세요.",
        f"The model {name} did not answer within {seconds:.0f} s and was stopped; send less at a time.",
    )


def no_memory(name: str, needed: int, there: int) -> ServiceError:
    """A model that does not fit into what is free, even after idle ones were put away."""
    return ServiceError(
        503,
        "model_no_memory",
        f"메모리가 부족해 {name} 모델을 시작하지 못했습니다. {needed / 1e6:.0f} MB가 필요하지만 {there / 1e6:.0f} MB가 남아 있습니다.",
        f"Not enough memory for the model {name}: it needs {needed / 1e6:.0f} MB and {there / 1e6:.0f} MB is free.",
        retry_after=30,
        needed_bytes=needed,
        available_bytes=there,
    )


def no_sandbox(text: Text) -> ServiceError:
    """A machine that cannot isolate: nothing that reads what learners send is run there."""
    return ServiceError(503, "sandbox_missing", text.ko, text.en)


def bad_audio() -> ServiceError:
    """A file that holds no sound that could be read."""
    return invalid(
        "소리를 읽을 수 없는 파일입니다. mp3, mp4, m4a, wav, webm, ogg, flac 가운데 하나로 보내세요.",
        "No sound could be read from the file; send mp3, mp4, m4a, wav, webm, ogg or flac.",
        param="file",
        code="invalid_audio",
    )


def too_long(seconds: float) -> ServiceError:
    """Sound that is longer than the limit."""
    return invalid(
        f"소리가 {seconds:.0f}초보다 깁니다. 나누어 보내세요.",
        f"The sound is longer than {seconds:.0f} s; send it in parts.",
        param="file",
        code="audio_too_long",
    )
