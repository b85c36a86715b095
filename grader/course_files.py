"""Files of a course's folder, by name. The rule: no name and no link leads out of where the name says.

An instructor's own server can write the folder, and what reads it here stands outside every sandbox.
"""

from __future__ import annotations

from pathlib import Path


def inside(root: Path, *parts: str) -> Path | None:
    """A path below a course's folder; None where a part is no plain name, or a link stands in the way."""
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        return None
    path = root.resolve().joinpath(*parts)
    return path if path.resolve() == path else None


def file_inside(root: Path, *parts: str) -> Path | None:
    """A regular file below a course's folder, by the same rule; None where there is none."""
    path = inside(root, *parts)
    return path if path is not None and path.is_file() else None
