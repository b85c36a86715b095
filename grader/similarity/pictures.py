"""Pictures and films as marks: where it gets lighter or darker in a small grey copy. Runs in the sandbox only.

The rule: a decoder is asked for a little, by name and within limits; what it refuses is UnreadableFile. Smaller, larger,
brighter or compressed again, a picture keeps nearly all of its marks; flat parts, which all pages share, give none.
"""

from __future__ import annotations

import subprocess
import warnings
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from grader.similarity.prints import UnreadableFile
from grader.similarity.texts import mark

#: The small copy; each of its squares may say "lighter to the right", "darker below" and so on.
SIDE = 32
#: A step in grey below this is flat, or the noise of compression.
STEP = 6
MAX_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
#: A film is looked at in this many frames, at fixed shares of its length.
FRAMES = 12
FRAME_SIDE, FPS, MAX_SECONDS, TIMEOUT_SECONDS = 32, 4, 300, 40
DEMUXERS = {".mp4": "mov", ".mov": "mov", ".m4v": "mov", ".webm": "matroska", ".mkv": "matroska"}

Grey = NDArray[np.int16]


def picture_marks(path: Path, max_pixels: int = MAX_PIXELS) -> set[int]:
    """The marks of an image file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise UnreadableFile(f"more than {max_pixels // 1_000_000} megapixels")
                # Transparent parts are white, as a page shows them.
                solid = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
                small = solid.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    except UnreadableFile:
        raise
    except Exception as error:  # whatever a hostile file makes a decoder say
        raise UnreadableFile(f"not an image ({type(error).__name__})") from None
    return steps(np.asarray(small, dtype=np.int16), "picture")


def steps(grey: Grey, name: str) -> set[int]:
    """The marks of a small grey picture: each step that is no noise, with its place and its direction."""
    found: set[int] = set()
    for axis in (0, 1):
        change = np.diff(grey, axis=axis)
        for row, column in np.argwhere(np.abs(change) >= STEP):
            found.add(mark(f"{name} {axis} {row} {column} {'+' if change[row, column] > 0 else '-'}"))
    return found


def film_marks(path: Path) -> set[int]:
    """The marks of a film's frames at fixed shares of its length."""
    frames = _frames(path)
    if len(frames) == 0:
        raise UnreadableFile("no pictures in it")
    picked = [frames[int((share + 0.5) / FRAMES * len(frames))] for share in range(FRAMES)]
    return {m for number, frame in enumerate(picked) for m in steps(frame.astype(np.int16), f"film {number}")}


def scenery_marks(path: Path) -> set[int]:
    """What stands still in a film that is handed out: at each share, the steps that most of its frames have."""
    frames = [frame.astype(np.int16) for frame in _frames(path)[:: FPS * 2]]
    seen: dict[tuple[int, int, int, bool], int] = {}
    for frame in frames:
        for axis in (0, 1):
            change = np.diff(frame, axis=axis)
            for row, column in np.argwhere(np.abs(change) >= STEP):
                key = (axis, int(row), int(column), bool(change[row, column] > 0))
                seen[key] = seen.get(key, 0) + 1
    still = [key for key, count in seen.items() if count * 2 > len(frames)]
    return {mark(f"film {n} {a} {r} {c} {'+' if up else '-'}") for a, r, c, up in still for n in range(FRAMES)}


def _frames(path: Path) -> NDArray[np.uint8]:
    """Small grey frames through ffmpeg; the container is forced by the name and only a local file may be opened."""
    demuxer = DEMUXERS.get(path.suffix.lower())
    if demuxer is None:
        raise UnreadableFile("not a film by its name")
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "2",
        "-protocol_whitelist", "file", "-max_pixels", str(MAX_PIXELS), "-t", str(MAX_SECONDS), "-f", demuxer,
        "-i", f"file:{path.absolute()}", "-an", "-sn",
        "-vf", f"fps={FPS},scale={FRAME_SIDE}:{FRAME_SIDE}:flags=area,format=gray", "-f", "rawvideo", "-",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise UnreadableFile(f"it took longer than {TIMEOUT_SECONDS} s to read") from None
    count = len(done.stdout) // (FRAME_SIDE * FRAME_SIDE)
    if not count:
        raise UnreadableFile("not a film that can be played")
    whole = np.frombuffer(done.stdout[: count * FRAME_SIDE * FRAME_SIDE], dtype=np.uint8)
    return whole.reshape(count, FRAME_SIDE, FRAME_SIDE)
