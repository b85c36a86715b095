"""The cut list: which stretches of the source make the final, in which order.

The rule this module keeps: a cut list is data in seconds of the source; it is what the editor decided, and proves nothing
about the final.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from video_content.media import RATE_HZ, Sound

FILE = "cutlist.json"
#: Loudness is measured in windows of this length.
WINDOW_SECONDS = 0.02
#: Quieter than the clip's loud speech by this much is silence; room tone of a quiet room lies 35-45 dB under it.
SILENCE_BELOW_SPEECH_DB = 28.0
#: A clip whose loud parts are under this level has no speech in it at all.
NO_SPEECH_DBFS = -55.0
#: A breath is left either side of a kept line.
PAD_SECONDS = 0.12


class Range(BaseModel):
    """A stretch of time in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: float = Field(ge=0, le=36_000)
    end: float = Field(ge=0, le=36_000)
    line: str | None = Field(default=None, max_length=100, description="the transcript line it was kept for")

    @model_validator(mode="after")
    def _forward(self) -> Range:
        if self.end <= self.start:
            raise ValueError("a stretch must end after it starts")
        return self

    @property
    def seconds(self) -> float:
        return self.end - self.start


class CutList(BaseModel):
    """The stretches of one source file that make the final, in order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(max_length=200)
    ranges: tuple[Range, ...] = Field(max_length=500)

    @property
    def seconds(self) -> float:
        return sum(r.seconds for r in self.ranges)

    def save(self, folder: Path) -> Path:
        """Write cutlist.json into a folder."""
        path = folder / FILE
        path.write_text(json.dumps(self.model_dump(), ensure_ascii=False, indent=1) + "\n", "utf-8")
        return path


def load_cutlist(path: Path) -> CutList:
    """Read a cut list; ValueError says what is wrong with it."""
    try:
        return CutList.model_validate_json(path.read_text("utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def from_labels(lines: Iterable[Mapping[str, Any]], labels: Mapping[str, str], source: str) -> CutList:
    """Make a cut list of the transcript lines labelled 'keep'; lines that follow one another stay one stretch."""
    ranges: list[Range] = []
    joins = False
    for line in lines:
        if labels.get(line["id"]) != "keep":
            joins = False
            continue
        start, end = max(0.0, line["start"] - PAD_SECONDS), line["end"] + PAD_SECONDS
        if joins:
            ranges[-1] = ranges[-1].model_copy(update={"end": end})
        else:
            ranges.append(Range(start=start, end=end, line=line["id"]))
        joins = True
    return CutList(source=source, ranges=tuple(ranges))


def tighten(cutlist: CutList, sound: Sound, longest_seconds: float = 0.8) -> CutList:
    """Cut pauses that are longer than allowed out of the kept stretches, leaving a breath either side."""
    tight: list[Range] = []
    for kept in cutlist.ranges:
        part = sound[int(kept.start * RATE_HZ) : int(kept.end * RATE_HZ)]
        spoken = speech_ranges(part, longest_seconds - 0.1, like=sound)
        for stretch in spoken:
            start = max(kept.start, kept.start + stretch.start - PAD_SECONDS)
            end = min(kept.end, kept.start + stretch.end + PAD_SECONDS)
            tight.append(Range(start=round(start, 3), end=round(end, 3), line=kept.line))
    return cutlist.model_copy(update={"ranges": tuple(tight)})


def levels_dbfs(sound: Sound) -> Sound:
    """Give the loudness of each window of WINDOW_SECONDS, in dB of full scale."""
    step = round(WINDOW_SECONDS * RATE_HZ)
    windows = sound[: len(sound) // step * step].reshape(-1, step)
    rms = np.sqrt(np.mean(np.square(windows, dtype=np.float64), axis=1))
    return np.asarray(20 * np.log10(np.maximum(rms, 1e-6)), dtype=np.float32)


def is_speech(sound: Sound, like: Sound | None = None) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Tell for each window whether it is louder than silence; `like` is the sound that sets the measure."""
    levels = levels_dbfs(sound)
    measure = levels if like is None else levels_dbfs(like)
    loud = float(np.percentile(measure, 90)) if len(measure) else -120.0
    if loud < NO_SPEECH_DBFS:
        return np.zeros(len(levels), dtype=bool)
    return np.asarray(levels > loud - SILENCE_BELOW_SPEECH_DB)


def speech_ranges(sound: Sound, pause_seconds: float, like: Sound | None = None) -> list[Range]:
    """Find the stretches of speech; a pause shorter than given does not end one."""
    spoken = np.flatnonzero(is_speech(sound, like))
    if not len(spoken):
        return []
    breaks = np.flatnonzero(np.diff(spoken) * WINDOW_SECONDS > pause_seconds)
    firsts = np.concatenate([spoken[:1], spoken[breaks + 1]])
    lasts = np.concatenate([spoken[breaks], spoken[-1:]])
    return [
        Range(start=round(float(a) * WINDOW_SECONDS, 3), end=round(float(b + 1) * WINDOW_SECONDS, 3))
        for a, b in zip(firsts, lasts, strict=True)
    ]


def silences(sound: Sound, longest_seconds: float) -> list[Range]:
    """Find the silences longer than allowed, also before the first and after the last word."""
    whole = len(sound) / RATE_HZ
    spoken: Sequence[Range] = speech_ranges(sound, longest_seconds)
    edges = [0.0, *(edge for r in spoken for edge in (r.start, r.end)), whole]
    gaps = zip(edges[::2], edges[1::2], strict=True)
    return [Range(start=a, end=b) for a, b in gaps if b - a > longest_seconds]
