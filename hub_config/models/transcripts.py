"""What was heard, and the forms in which it is given. Pure: data in, text out. The rule: what the recogniser says is bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Seconds = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Word(BaseModel):
    """A word and when it was said."""

    model_config = ConfigDict(extra="forbid")

    word: Annotated[str, StringConstraints(max_length=1000)]
    start: Seconds
    end: Seconds


class Segment(BaseModel):
    """A stretch of speech."""

    model_config = ConfigDict(extra="forbid")

    start: Seconds
    end: Seconds
    text: Annotated[str, StringConstraints(max_length=20_000)]
    tokens: list[int] = Field(max_length=1000)
    avg_logprob: Number
    compression_ratio: Number
    no_speech_prob: Number
    words: list[Word] = Field(max_length=5000)


class Transcript(BaseModel):
    """All that was heard in a file."""

    model_config = ConfigDict(extra="forbid")

    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
    duration: Seconds
    segments: list[Segment] = Field(max_length=10_000)

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(segment.text for segment in self.segments).strip()


def usage(heard: Transcript) -> dict[str, Any]:
    """Give what is counted: the sound's seconds, rounded up."""
    return {"type": "duration", "seconds": math.ceil(heard.duration)}


def as_json(heard: Transcript) -> dict[str, Any]:
    """Give the text and what it counts for."""
    return {"text": heard.text, "usage": usage(heard)}


def as_verbose_json(heard: Transcript, granularities: set[str]) -> dict[str, Any]:
    """Give the text with its times, by segment and by word as asked."""
    answer: dict[str, Any] = {"task": "transcribe", "language": heard.language, "duration": round(heard.duration, 2)}
    answer["text"] = heard.text
    if "segment" in granularities:
        answer["segments"] = [
            {"id": number, "seek": 0, "temperature": 0.0, **segment.model_dump(exclude={"words"})}
            for number, segment in enumerate(heard.segments)
        ]
    if "word" in granularities:
        words = (word for segment in heard.segments for word in segment.words)
        answer["words"] = [{**word.model_dump(), "word": word.word.strip()} for word in words]
    return {**answer, "usage": usage(heard)}


def as_text(heard: Transcript) -> str:
    """Give the text alone."""
    return heard.text + "\n"


def as_srt(heard: Transcript) -> str:
    """Give numbered captions."""
    return "\n".join(f"{number}\n{_cue(segment, ',')}" for number, segment in enumerate(heard.segments, start=1))


def as_vtt(heard: Transcript) -> str:
    """Give captions for the web."""
    return "\n".join(["WEBVTT\n", *(_cue(segment, ".") for segment in heard.segments)])


def _cue(segment: Segment, comma: str) -> str:
    text = " ".join(segment.text.split()).replace("-->", "→")  # an arrow would be read as times
    return f"{_clock(segment.start, comma)} --> {_clock(segment.end, comma)}\n{text}\n"


def _clock(seconds: float, comma: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{comma}{ms % 1000:03}"


#: The plain forms and what a browser calls them.
PLAIN: dict[str, tuple[Callable[[Transcript], str], str]] = {
    "text": (as_text, "text/plain"),
    "srt": (as_srt, "application/x-subrip"),
    "vtt": (as_vtt, "text/vtt"),
}
