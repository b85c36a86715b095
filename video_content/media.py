"""Reading sound and pictures out of media files through ffmpeg.

The rule this module keeps: a media file is hostile. Its container is forced by its name (so a playlist in disguise opens
no other file), no protocol but a local file is allowed, and time, size and pixels have limits. A file that cannot be
read raises MediaError, nothing else.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]
Frames = NDArray[np.uint8]

#: Sound is compared at this rate: speech is told apart below 4 kHz, and a minute takes 2 MB.
RATE_HZ = 8000
#: Pictures are compared as small grey frames.
WIDTH, HEIGHT, FPS = 64, 36, 5
#: Nothing beyond this is read; a lab's clip is far shorter.
MAX_SECONDS = 300
TIMEOUT_SECONDS = 30
#: Larger pictures than 4K are refused by the decoder.
MAX_PIXELS = 4096 * 2304
DEMUXERS = {".mp4": "mov", ".m4a": "mov", ".mov": "mov", ".opus": "ogg", ".wav": "wav"}

DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d\.\d+)", re.M)
VIDEO = re.compile(r"^  Stream #0:\d+\S*: Video: (\w+).*?, (\d{2,5})x(\d{2,5})\b.*?, ([\d.]+) fps", re.M)
AUDIO = re.compile(r"^  Stream #0:\d+\S*: Audio: (\w+)", re.M)


class MediaError(Exception):
    """A file that is no media, or broken, or beyond the limits."""


@dataclass(frozen=True)
class Probe:
    """What a file says of itself; None where it has no such stream. The length is the declared one, not a measured one."""

    duration_seconds: float
    video_codec: str | None
    width: int
    height: int
    fps: float
    audio_codec: str | None


def probe(path: Path) -> Probe:
    """Read a file's header; MediaError where it is no media file."""
    said = _run([*_input(path)], expect_output=False)[1]
    duration, video, audio = DURATION.search(said), VIDEO.search(said), AUDIO.search(said)
    if duration is None:
        raise MediaError(f"{path.name}: not a media file that can be played")
    hours, minutes, seconds = duration.groups()
    return Probe(
        duration_seconds=int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        video_codec=video.group(1) if video else None,
        width=int(video.group(2)) if video else 0,
        height=int(video.group(3)) if video else 0,
        fps=float(video.group(4)) if video else 0.0,
        audio_codec=audio.group(1) if audio else None,
    )


def read_sound(path: Path, rate_hz: int = RATE_HZ) -> Sound:
    """Decode the sound, mono, between -1 and 1; MediaError where there is none."""
    return _sound(*_version(path), rate_hz)


def read_frames(path: Path) -> Frames:
    """Decode small grey pictures, FPS of them a second, shape (count, HEIGHT, WIDTH); MediaError where there are none."""
    return _frames(*_version(path))


def _version(path: Path) -> tuple[Path, int, int]:
    """Name a file's content for the cache: several checks read the same clip."""
    try:
        stat = path.stat()
    except OSError as error:
        raise MediaError(f"{path.name}: {error.strerror}") from None
    return path, stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=6)
def _sound(path: Path, _size: int, _changed: int, rate_hz: int) -> Sound:
    raw = _run([*_input(path), "-vn", "-sn", "-ac", "1", "-ar", str(rate_hz), "-f", "s16le", "-"])[0]
    if not raw:
        raise MediaError(f"{path.name}: no sound in it")
    sound = np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2").astype(np.float32) / np.float32(32768)
    sound.setflags(write=False)
    return sound


@lru_cache(maxsize=6)
def _frames(path: Path, _size: int, _changed: int) -> Frames:
    filters = f"fps={FPS},scale={WIDTH}:{HEIGHT}:flags=area,format=gray"
    raw = _run([*_input(path), "-an", "-sn", "-vf", filters, "-f", "rawvideo", "-"])[0]
    count = len(raw) // (WIDTH * HEIGHT)
    if not count:
        raise MediaError(f"{path.name}: no pictures in it")
    return np.frombuffer(raw[: count * WIDTH * HEIGHT], dtype=np.uint8).reshape(count, HEIGHT, WIDTH)


def _input(path: Path) -> list[str]:
    demuxer = DEMUXERS.get(path.suffix.lower())
    if demuxer is None:
        raise MediaError(f"{path.name}: expected one of {', '.join(DEMUXERS)}")
    limits = ["-protocol_whitelist", "file", "-max_pixels", str(MAX_PIXELS), "-t", str(MAX_SECONDS)]
    return [*limits, "-f", demuxer, "-i", f"file:{path.absolute()}"]


def _run(arguments: list[str], *, expect_output: bool = True) -> tuple[bytes, str]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-threads", "2", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise MediaError(f"it took longer than {TIMEOUT_SECONDS} s to read") from None
    said = done.stderr.decode("utf-8", "replace")
    if expect_output and not done.stdout:
        raise MediaError(said.strip().splitlines()[-1][:200] if said.strip() else "nothing could be decoded")
    return done.stdout, said
