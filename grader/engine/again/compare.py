"""Compares a deliverable that was made again with the one that was handed in. Hostile files: in the sandbox only.

The rule: the same bytes are the same; else the content decides, by the kind: a text's lines, the data of JSON, a picture's
pixels, and what a decoder makes of a film's pictures and sound. What cannot be read is named, never an exception.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from PIL import Image

from grader.records.blobs import hash_file
from labs.checks import safe_path

MAX_TEXT_BYTES, MAX_PIXELS, MAX_SECONDS, TIMEOUT_SECONDS = 5_000_000, 50_000_000, 600, 60
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
DEMUXERS = {".mp4": "mov", ".mov": "mov", ".m4v": "mov", ".webm": "matroska", ".mkv": "matroska"}


class UnreadableFile(Exception):
    """A file that its reader does not take."""


def compare(made: Path, handed_in: Path, wanted: Mapping[str, str]) -> str:
    """How a deliverable came out: one of report.Outcome; `wanted` has its path, its kind and its role."""
    new, old = safe_path(made, wanted["path"]), safe_path(handed_in, wanted["path"])
    if new is None:
        return "not_made"
    if old is None:
        return "not_handed_in"
    try:
        if hash_file(new) == hash_file(old):
            return "given" if wanted["role"] == "given" else "same"
        content = CONTENT[wanted["kind"]]
        return "alike" if content(new) == content(old) else "different"
    except Exception:  # a hostile file may break any reader
        return "unreadable"


def _text(path: Path) -> list[str]:
    return [line.rstrip() for line in _bytes(path).decode("utf-8-sig").strip().splitlines()]


def _data(path: Path) -> Any:
    return json.loads(_bytes(path).decode("utf-8-sig"))


def _pixels(path: Path) -> tuple[tuple[int, int], bytes]:
    with Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableFile("too many pixels")
        return image.size, image.convert("RGBA").tobytes()


def _streams(path: Path) -> bytes:
    """A hash of each decoded stream; the container is forced by the name, and only a local file may be opened."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", "-threads", "2",
        "-protocol_whitelist", "file", "-max_pixels", str(MAX_PIXELS), "-t", str(MAX_SECONDS),
        "-f", DEMUXERS[path.suffix.lower()], "-i", f"file:{path.absolute()}",
        "-map", "0:v?", "-map", "0:a?", "-f", "streamhash", "-hash", "md5", "pipe:1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode or not done.stdout:
        raise UnreadableFile("no film")
    return done.stdout


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnreadableFile("too large")
    return path.read_bytes()


CONTENT: dict[str, Callable[[Path], Any]] = {
    "captions": _text, "document": _text, "json": _data, "image": _pixels, "video": _streams,
}  # fmt: skip
