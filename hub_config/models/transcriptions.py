"""Transcriptions, as the OpenAI API has them.

The rule: an uploaded file is only ever opened in the sandbox, and is gone when its answer is given.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import BodyPartReader, web
from pydantic import ValidationError

from hub_config.models import errors, sound, transcripts
from hub_config.models.pool import Pool

FIELD_BYTES, PROMPT_CHARACTERS = 20_000, 2000
FORMS = ("json", "verbose_json", *transcripts.PLAIN)
FIELDS = {"model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]", "stream"}
GRANULARITIES = {"word", "segment"}


@dataclass
class Form:
    """A request's fields: each name with its values, and whether there was a file."""

    values: dict[str, list[str]] = field(default_factory=dict)
    has_file: bool = False

    def one(self, name: str, default: str = "") -> str:
        """Give a field's value, of several the last."""
        return self.values.get(name, [default])[-1]


async def transcribe(request: web.Request, pool: Pool) -> web.Response:
    """Answer a request for a transcription."""
    async with _upload(request, pool) as (form, file):
        worker = pool.jobs[pool.asked(form.one("model"), "transcriptions")]
        _check(form)
        async with worker.use(pool.start):  # before the decoding: who has to come back has lost nothing
            samples = await sound.decode(file, pool.config.audio_seconds)
        seconds = len(samples or b"") / sound.HZ / sound.SAMPLE_BYTES
        if samples is None:
            raise errors.bad_audio()
        if seconds > pool.config.audio_seconds:
            raise errors.too_long(pool.config.audio_seconds)
        granularities = set(form.values.get("timestamp_granularities[]", ["segment"]))
        job = {
            "language": form.one("language") or None,
            "prompt": form.one("prompt") or None,
            "words": "word" in granularities,
        }
        answer, _ = await worker.call(pool.start, job, samples)
        try:
            answer.pop("bytes")
            heard = transcripts.Transcript.model_validate({**answer, "duration": seconds})
        except ValidationError as error:
            worker.fail()
            raise errors.failed(worker.name) from error
    return _answer(heard, form.one("response_format", "json"), granularities)


def _answer(heard: transcripts.Transcript, form: str, granularities: set[str]) -> web.Response:
    if form in transcripts.PLAIN:
        give, content_type = transcripts.PLAIN[form]
        response = web.Response(text=give(heard), content_type=content_type)
    elif form == "verbose_json":
        response = web.json_response(transcripts.as_verbose_json(heard, granularities))
    else:
        response = web.json_response(transcripts.as_json(heard))
    # The plain forms have no place for it.
    response.headers["X-Audio-Seconds"] = str(transcripts.usage(heard)["seconds"])
    return response


def _check(form: Form) -> None:
    """Refuse what is not understood, by its name."""
    if unknown := sorted(set(form.values) - FIELDS):
        raise errors.unsupported(unknown[0][:80])
    if not form.has_file:
        raise errors.invalid(
            "file 항목에 소리 파일이 필요합니다.", "A sound file is needed in the field file.", param="file"
        )
    if form.one("stream", "false").lower() not in ("false", "0"):
        raise errors.unsupported("stream")
    form_name, times = form.one("response_format", "json"), set(form.values.get("timestamp_granularities[]", []))
    if form_name not in FORMS:
        _refuse("response_format", ", ".join(FORMS))
    if times - GRANULARITIES or (times and form_name != "verbose_json"):
        _refuse("timestamp_granularities[]", "word, segment (response_format=verbose_json)")
    if form.one("temperature", "0") not in ("0", "0.0"):
        _refuse("temperature", "0")
    if form.one("language") not in ("", *LANGUAGES):
        _refuse("language", "ko, en, ja, …")
    if len(form.one("prompt")) > PROMPT_CHARACTERS:
        _refuse("prompt", f"≤ {PROMPT_CHARACTERS}")


def _refuse(name: str, allowed: str) -> None:
    raise errors.invalid(
        f"{name}에 쓸 수 있는 값: {allowed}", f"What {name} may be: {allowed}", param=name.removesuffix("[]")
    )


@asynccontextmanager
async def _upload(request: web.Request, pool: Pool) -> AsyncIterator[tuple[Form, Path]]:
    """Read a form, its file into a file of ours that is removed at the end."""
    if request.content_type != "multipart/form-data":
        raise errors.invalid("multipart/form-data 요청이 필요합니다.", "A multipart/form-data request is needed.")
    if (request.content_length or 0) > pool.config.upload_bytes:
        raise errors.too_large(pool.config.upload_bytes)
    form, left = Form(), pool.config.upload_bytes
    with tempfile.NamedTemporaryFile(dir=pool.config.folder) as file:
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader) or part.name is None or len(form.values) > len(FIELDS):
                    raise ValueError
                content = bytearray()
                while block := await part.read_chunk(1 << 16):
                    left -= len(block)
                    if left < 0:
                        raise errors.too_large(pool.config.upload_bytes)
                    if part.name == "file":
                        file.write(block)
                    elif len(content) <= FIELD_BYTES:
                        content += block
                if part.name == "file":
                    form.has_file = True
                else:
                    form.values.setdefault(part.name, []).append(content.decode()[:FIELD_BYTES])
        except (ValueError, RuntimeError, AssertionError) as error:
            raise errors.invalid("요청의 형식이 잘못되었습니다.", "The form cannot be read.") from error
        file.flush()
        yield form, Path(file.name)


LANGUAGES = frozenset(
    [
        "af",
        "am",
        "ar",
        "as",
        "az",
        "ba",
        "be",
        "bg",
        "bn",
        "bo",
        "br",
        "bs",
        "ca",
        "cs",
        "cy",
        "da",
        "de",
        "el",
        "en",
        "es",
        "et",
        "eu",
        "fa",
        "fi",
        "fo",
        "fr",
        "gl",
        "gu",
        "ha",
        "haw",
        "he",
        "hi",
        "hr",
        "ht",
        "hu",
        "hy",
        "id",
        "is",
        "it",
        "ja",
        "jw",
        "ka",
        "kk",
        "km",
        "kn",
        "ko",
        "la",
        "lb",
        "ln",
        "lo",
        "lt",
        "lv",
        "mg",
        "mi",
        "mk",
        "ml",
        "mn",
        "mr",
        "ms",
        "mt",
        "my",
        "ne",
        "nl",
        "nn",
        "no",
        "oc",
        "pa",
        "pl",
        "ps",
        "pt",
        "ro",
        "ru",
        "sa",
        "sd",
        "si",
        "sk",
        "sl",
        "sn",
        "so",
        "sq",
        "sr",
        "su",
        "sv",
        "sw",
        "ta",
        "te",
        "tg",
        "th",
        "tk",
        "tl",
        "tr",
        "tt",
        "uk",
        "ur",
        "uz",
        "vi",
        "yi",
        "yo",
        "zh",
        "yue",
    ]
)
