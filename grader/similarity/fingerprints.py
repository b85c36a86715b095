"""Reads a submission into marks and a bounded text of each deliverable. Hostile files: in the sandbox only.

The rule: a file that cannot be read gives a part with a problem, never an exception, and never another file's marks.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

from grader.records.blobs import hash_file
from grader.similarity import texts
from grader.similarity.prints import MAX_MARKS, Kind, Part, UnreadableFile, Wanted
from labs.checks import safe_path
from labs.evidence import FILE as EVIDENCE

MAX_TEXT_BYTES = 5_000_000
TEXT_FILES = (".md", ".txt", ".srt", ".vtt", ".csv", ".yaml", ".html")
IMAGE_FILES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


def fingerprint(folder: Path, wanted: Wanted, lang: str) -> Part:
    """Read one deliverable of a submission."""
    path = safe_path(folder, wanted.path)
    if path is None:
        return Part(path=wanted.path, kind=wanted.kind, problem="missing")
    try:
        marks, text = _read(path, wanted.kind, lang)
        sample = tuple(sorted(marks)[:MAX_MARKS])
        return Part(path=wanted.path, kind=wanted.kind, sha256=hash_file(path), marks=sample, text=text)
    except Exception:  # a hostile file may break any reader: no fingerprint, and it is named
        return Part(path=wanted.path, kind=wanted.kind, problem="unreadable")


def material_marks(folder: Path, lang: str) -> set[int]:
    """The marks of everything that is handed out: whoever quotes it copies nobody."""
    found: set[int] = set()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        suffix = path.suffix.lower()
        if suffix in IMAGE_FILES:
            found |= _pictures().picture_marks(path)
        elif suffix in (".mp4", ".mov", ".webm"):
            found |= _pictures().scenery_marks(path)
        elif suffix in (".json", ".ipynb"):
            data = json.loads(_bytes(path))
            found |= set(texts.leaf_units(texts.leaf_lines(data)).marks()) | _text_marks(texts.long_strings(data), lang)
        elif suffix in TEXT_FILES:
            found |= _text_marks(texts.spoken(_bytes(path).decode("utf-8-sig")), lang)
    return found


def _read(path: Path, kind: Kind, lang: str) -> tuple[set[int], str]:
    if kind == "image":
        return _pictures().picture_marks(path), ""
    if kind == "video":
        return _pictures().film_marks(path), ""
    content = _bytes(path)
    if path.name == EVIDENCE:
        text, answered = texts.own_words(content, lang)
        return _text_marks(text, lang) - answered, text
    if kind == "json":
        data = json.loads(content.decode("utf-8-sig"))
        lines = texts.leaf_lines(data)
        return set(texts.leaf_units(lines).marks()) | _text_marks(texts.long_strings(data), lang), lines
    written = content.decode("utf-8-sig")
    text = texts.spoken(written) if kind == "captions" else texts.plain(written)
    return _text_marks(text, lang), text


def _pictures() -> ModuleType:
    """The decoders, where they are needed: half of the time that a process for texts alone would take."""
    from grader.similarity import pictures

    return pictures


def _text_marks(text: str, lang: str) -> set[int]:
    return set(texts.units_of(text, lang).marks())


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UnreadableFile(f"larger than {MAX_TEXT_BYTES // 1_000_000} MB")
    return path.read_bytes()
