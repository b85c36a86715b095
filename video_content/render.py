"""From decisions to files: a cut list becomes final.mp4, kept words become captions.

The rule this module keeps: what is rendered is the cut list and nothing else; each stretch's sound is faded for some
milliseconds at its ends, so that a cut does not click.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moviepy import VideoFileClip, concatenate_videoclips
from moviepy.audio.fx import AudioFadeIn, AudioFadeOut

from video_content.captions import Cue, characters
from video_content.cuts import PAD_SECONDS, CutList

FADE_SECONDS = 0.015
ENCODING = ["-crf", "25", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]


@contextmanager
def moviepy_leaves_pipes() -> Iterator[None]:
    """Bear with moviepy 2.2.1, whose readers leave the pipes of a decoder that has ended to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield


def render_cut(source: Path, cutlist: CutList, out: Path, *, size: tuple[int, int] | None = None) -> Path:
    """Render a cut list to an MP4 (H.264 and AAC); ValueError where it keeps nothing or lies outside the source."""
    if not cutlist.ranges:
        raise ValueError("the cut list keeps nothing: label at least one line 'keep'")
    with moviepy_leaves_pipes(), VideoFileClip(str(source)) as clip:
        if cutlist.ranges[0].start >= clip.duration:
            raise ValueError(f"the cut list begins after the source ends ({clip.duration:.1f} s)")
        parts = [
            clip.subclipped(r.start, min(r.end, clip.duration)).with_effects(
                [AudioFadeIn(FADE_SECONDS), AudioFadeOut(FADE_SECONDS)]
            )
            for r in cutlist.ranges
            if r.start < clip.duration
        ]
        joined = concatenate_videoclips(parts)
        final = joined.resized(size) if size else joined
        final.write_videofile(
            str(out),
            codec="libx264",
            audio_codec="aac",
            preset="veryfast",
            ffmpeg_params=ENCODING,
            temp_audiofile=str(out.with_suffix(".m4a")),
            logger=None,
        )
        final.close()
    return out


def make_captions(
    cutlist: CutList,
    lines: Sequence[Mapping[str, Any]],
    texts: Mapping[str, str],
    *,
    max_characters: int,
    max_lines: int = 2,
) -> list[Cue]:
    """Propose captions for a cut: the text of each kept line at the time where it is heard in the final.

    `texts` holds the words to show by line id; a line without one keeps the transcript's. A long text becomes several
    captions that share its time by their length.
    """
    cues: list[Cue] = []
    clock = 0.0
    for kept in cutlist.ranges:
        for line in lines:
            heard_from, heard_to = max(kept.start, line["start"]), min(kept.end, line["end"])
            if heard_to - heard_from < 0.5 * (line["end"] - line["start"]):
                continue
            start = clock + max(kept.start, heard_from - PAD_SECONDS) - kept.start
            end = clock + min(kept.end, heard_to + PAD_SECONDS) - kept.start
            cues += _split(texts.get(line["id"], line["text"]), start, end, max_characters, max_lines)
        clock += kept.seconds
    return cues


def _split(text: str, start: float, end: float, max_characters: int, max_lines: int) -> list[Cue]:
    pages = _pages(wrap(text, max_characters), max_lines)
    total = sum(characters(" ".join(page)) for page in pages)
    cues, clock = [], start
    for page in pages:
        until = clock + (end - start) * characters(" ".join(page)) / max(1, total)
        cues.append(Cue(math.ceil(clock * 1000) / 1000, math.floor(until * 1000) / 1000, tuple(page)))
        clock = until
    return cues


def _pages(lines: list[str], max_lines: int) -> list[list[str]]:
    return [lines[at : at + max_lines] for at in range(0, len(lines), max_lines)]


def wrap(text: str, max_characters: int) -> list[str]:
    """Break a text between words into lines of about equal length; a word too long for a line is broken."""
    words = [word[at : at + max_characters] for word in text.split() for at in range(0, len(word), max_characters)]
    if not words:
        return []
    count = math.ceil(characters(" ".join(words)) / max_characters)
    for width in range(max(1, characters(" ".join(words)) // count), max_characters + 1):
        lines = _fill(words, width)
        if len(lines) <= count and all(characters(line) <= max_characters for line in lines):
            return lines
    return _fill(words, max_characters)


def _fill(words: Sequence[str], width: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and characters(lines[-1]) + 1 + characters(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
