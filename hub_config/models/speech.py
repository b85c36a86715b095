"""Spoken text, as the OpenAI API has it, with espeak-ng. The rule: it says that its voice is a robot's, and fakes no other."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub_config.models import errors, sound
from hub_config.models.pool import Pool

MOST_CHARACTERS = 4096


class Asked(BaseModel):
    """A request's fields."""

    model_config = ConfigDict(extra="forbid")

    model: str
    input: str = Field(min_length=1, max_length=MOST_CHARACTERS, pattern=r"\S")
    voice: str = Field(max_length=64)
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    instructions: Any = None
    stream_format: Literal["audio"] = "audio"


async def speak(request: web.Request, pool: Pool) -> web.Response:
    """Answer a request for speech."""
    asked = _read(await request.read())
    name = pool.asked(asked.model, "speech")
    await pool.check(name)
    wav = await sound.speak(asked.input.replace("\0", " "), asked.voice, asked.speed)
    spoken = wav and await sound.encode(wav, asked.response_format)
    if not spoken:
        raise errors.failed(name)
    return web.Response(body=spoken, content_type=sound.ENCODINGS[asked.response_format][1])


def _read(body: bytes) -> Asked:
    try:
        asked = Asked.model_validate_json(body)
        asked.input.encode()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        raise errors.invalid(
            f"{param or 'JSON'} 항목이 맞지 않습니다. input은 {MOST_CHARACTERS}자까지의 글, speed는 0.25~4.0입니다.",
            f"{param or 'JSON'}: {first['msg']}. input has up to {MOST_CHARACTERS} characters, speed is 0.25 to 4.0.",
            param=param,
        ) from None
    except UnicodeEncodeError:
        raise errors.invalid("input이 올바른 글이 아닙니다.", "input is not text.", param="input") from None
    if asked.instructions is not None:
        raise errors.unsupported("instructions")
    return asked
