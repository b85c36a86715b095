"""Which files of a submission a browser may show. The rule: never as a page; only what its first bytes say is a clip or a
picture, where lab.yaml says that it is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

#: On every file: what is opened on its own runs nothing, loads nothing and belongs to no origin.
HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}
DOWNLOAD = "application/octet-stream"
#: The brands of MPEG-4 files that are no clip: pictures, and QuickTime, which browsers do not play.
_OTHER_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"qt  ")
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_CUE = re.compile(rf"{_TIME}\s*-->\s*{_TIME}")
_MARKS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def media_type(kind: str, file: Path) -> str | None:
    """The media type under which a deliverable of this kind may be shown; None: only as text or as a download."""
    if kind not in ("video", "image"):
        return None
    with file.open("rb") as stream:
        head = stream.read(64)
    return _video(head) if kind == "video" else _image(head)


def _video(head: bytes) -> str | None:
    if head[4:8] == b"ftyp" and head[8:12] not in _OTHER_BRANDS:
        return "video/mp4"
    return "video/webm" if head.startswith(b"\x1a\x45\xdf\xa3") and b"webm" in head else None


def _image(head: bytes) -> str | None:
    for start, found in ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg")):
        if head.startswith(start):
            return found
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if head.startswith(b"RIFF") and head[8:12] == b"WEBP" else None


def webvtt(captions: str) -> str:
    """SubRip or WebVTT captions as WebVTT: times and plain text, and nothing else of the file."""
    return "\n\n".join(["WEBVTT", *_cues(captions.replace("\r\n", "\n"))]) + "\n"


def _cues(captions: str) -> Iterator[str]:
    for block in re.split(r"\n[ \t]*\n", captions):
        lines = [line.strip() for line in block.split("\n")]
        at = next((number for number, line in enumerate(lines) if _CUE.match(line)), None)
        said = [line.translate(_MARKS) for line in lines[at + 1 :] if line] if at is not None else []
        if at is not None and said:
            times = _CUE.match(lines[at])
            parts = times.groups() if times else ()
            yield "\n".join([f"{_clock(*parts[:4])} --> {_clock(*parts[4:])}", *said])


def _clock(hours: str | None, minutes: str, seconds: str, thousandths: str) -> str:
    return f"{int(hours or 0):02}:{int(minutes):02}:{seconds}.{thousandths}"
