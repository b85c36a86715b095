"""Speech to text and text to speech."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from grader.replay import canonical
from hub_config.ai_gateway.answers import Reader, milliseconds, must_be, pick_deep, token_usage
from hub_config.ai_gateway.ledger import Usage
from hub_config.ai_gateway.requests import Body, Call, Form, Upload, field_error, one_of, validate

#: The fewest bytes in which a second of speech is still sent (8 kbit/s): what a file's size says about its length.
BYTES_A_SECOND = 1000
SPEECH_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
TEXT_TYPES = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
_TRANSCRIPT = frozenset({
    "text", "task", "language", "duration", "words", "word", "start", "end", "segments", "id", "seek", "tokens",
    "temperature", "avg_logprob", "compression_ratio", "no_speech_prob", "usage", "type", "seconds",
    "input_tokens", "output_tokens", "total_tokens",
})  # fmt: skip


class TranscriptionRequest(Body):
    """The fields of a transcription that the gateway lets through."""

    model: str
    language: str | None = Field(default=None, pattern=r"^[A-Za-z]{2,3}$")
    prompt: str | None = Field(default=None, max_length=4000)
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: str | None = Field(default=None, pattern=r"^[01](\.\d{1,3})?$")
    timestamp_granularities: list[Literal["word", "segment"]] | None = Field(default=None, max_length=2)


class SpeechRequest(Body):
    """The fields of a request for speech that the gateway lets through."""

    model: str
    input: str = Field(min_length=1, max_length=4096)
    voice: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$")
    instructions: str | None = Field(default=None, max_length=4096)
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float | None = Field(default=None, ge=0.25, le=4, allow_inf_nan=False)


def parse_transcription(form: Form, _most_tokens: int) -> Call:
    """Judge a request for a transcription; GatewayError says which field is wrong."""
    fields = {name.removesuffix("[]"): value for name, value in form.fields.items()}
    if str(fields.pop("stream", "false")).lower() != "false":
        raise one_of("stream", "false")
    if isinstance(fields.get("timestamp_granularities"), str):
        fields["timestamp_granularities"] = [fields["timestamp_granularities"]]
    request = validate(TranscriptionRequest, fields)
    if [upload.field for upload in form.files] != ["file"]:
        raise field_error("file", "file 항목에 음성 파일 하나가 필요합니다.", "It takes one audio file as file.")
    body = request.model_dump(exclude_none=True, exclude={"model"})
    if granularities := body.pop("timestamp_granularities", None):
        body["timestamp_granularities[]"] = granularities
    upload = form.files[0]
    prompt = canonical({"file": {"sha256": upload.sha256, "bytes": upload.size}, **body})
    return Call(
        alias=request.model, body=body, prompt=prompt, most=Usage(audio_ms=_at_most_ms(upload)), files=form.files
    )


def parse_speech(payload: Any, _most_tokens: int) -> Call:
    """Judge a request for speech; GatewayError says which field is wrong."""
    request = validate(SpeechRequest, payload)
    body = request.model_dump(exclude_none=True, exclude={"model"})
    return Call(alias=request.model, body=body, prompt=canonical(body), most=Usage(characters=len(request.input)))


class TranscriptionReader(Reader):
    """Reads a transcription: JSON, or text in one of the formats of captions."""

    def whole(self, raw: Any) -> dict[str, Any]:
        """Shape a transcription."""
        must_be(must_be(raw, dict).get("text"), str)
        self.answer = pick_deep(raw, _TRANSCRIPT)
        usage = raw.get("usage")
        tokens = token_usage(usage, "input_tokens", "output_tokens") or Usage()
        heard = milliseconds(usage.get("seconds") if isinstance(usage, dict) else None)
        heard = milliseconds(raw.get("duration")) if heard is None else heard
        if heard == 0 and raw["text"].strip():
            heard = None  # nothing was heard, and yet something was said
        if tokens.prompt_tokens or heard is not None:
            self.usage = replace(tokens, audio_ms=heard)
        return self.answer or {}


class SpeechReader(Reader):
    """Speech comes as a file: what it used is known from the request."""


def speech_type(call: Call) -> str:
    """Give the content type of an answer that is a file."""
    wanted = str(call.body["response_format"])
    return SPEECH_TYPES.get(wanted) or TEXT_TYPES[wanted]


def usage_of_file(call: Call, headers: Mapping[str, str]) -> Usage | None:
    """Give what an answer that is a file used: speech by its characters, captions by the length that the built-in models tell."""
    if call.most.characters is not None:
        return call.most
    try:
        heard = milliseconds(float(headers.get("X-Audio-Seconds", "")))
    except ValueError:
        return None
    return Usage(audio_ms=heard) if heard else None


def transcription_answers(call: Call) -> Literal["json", "bytes"]:
    """Say how a transcription comes: in the formats of captions it is no JSON."""
    return "bytes" if call.body["response_format"] in TEXT_TYPES else "json"


def _at_most_ms(upload: Upload) -> int:
    """Bound a file's length: a plain WAV tells it, of another only the size is known."""
    seconds = upload.size / BYTES_A_SECOND
    head = upload.file.read(4096)
    upload.file.seek(0)
    if (rate := _wav_bytes_a_second(head)) is not None:
        seconds = upload.size / rate
    return int(seconds * 1000) + 1


def _wav_bytes_a_second(head: bytes) -> int | None:
    """Read the data rate of uncompressed PCM from a WAV's head, if it fits its other numbers; else None."""
    stream = io.BytesIO(head)
    if stream.read(4) != b"RIFF" or stream.seek(8) != 8 or stream.read(4) != b"WAVE":
        return None
    while len(chunk := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"fmt ":
            body = stream.read(16)
            if len(body) < 16:
                return None
            kind, channels, rate, byte_rate, align, bits = struct.unpack("<HHIIHH", body)
            plain = kind == 1 and 1 <= channels <= 8 and 4000 <= rate <= 192_000 and bits in (8, 16, 24, 32)
            whole = align == channels * bits // 8 and byte_rate == rate * align
            return byte_rate if plain and whole else None
        stream.seek(size + size % 2, io.SEEK_CUR)
    return None
