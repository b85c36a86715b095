"""The endpoints of the OpenAI API that the gateway has. The rule: one entry an address, and every one is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hub_config.ai_gateway.answers import Reader
from hub_config.ai_gateway.config import Endpoint, Route, Upstream
from hub_config.ai_gateway.endpoints import audio, chat, embeddings, images, responses
from hub_config.ai_gateway.requests import Call

#: How an answer comes: JSON (or an event stream where the caller asks for one), or bytes of a file or of plain text.
Answers = Literal["json", "bytes"]


@dataclass(frozen=True, slots=True)
class Spec:
    """An address: what policies and receipts call it, how its requests are read and its answers shaped."""

    name: str
    kind: Endpoint
    parse: Callable[[Any, int], Call]
    reader: type[Reader]
    form: bool = False
    send: Callable[[Call, Route, Upstream], dict[str, Any]] = lambda call, route, _upstream: {
        **call.body,
        "model": route.model,
    }
    answers: Callable[[Call], Answers] = lambda _call: "json"


ENDPOINTS: dict[str, Spec] = {
    "/chat/completions": Spec("chat", "chat", chat.parse, chat.ChatReader, send=chat.send),
    "/responses": Spec("responses", "responses", responses.parse, responses.ResponsesReader),
    "/embeddings": Spec("embeddings", "embeddings", embeddings.parse, embeddings.EmbeddingsReader),
    "/audio/transcriptions": Spec(
        "transcriptions", "transcriptions", audio.parse_transcription, audio.TranscriptionReader, form=True,
        answers=audio.transcription_answers,
    ),
    "/audio/speech": Spec(
        "speech", "speech", audio.parse_speech, audio.SpeechReader, answers=lambda _call: "bytes"
    ),
    "/images/generations": Spec("images.generations", "images", images.parse_generation, images.ImagesReader),
    "/images/edits": Spec("images.edits", "images", images.parse_edit, images.ImagesReader, form=True),
}  # fmt: skip
