"""Files of a course's folder, by name. The rule: no name and no link leads out of where the name says.

An instructor's own server can write the folder, and what reads it here stands outside every sandbox.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


def inside(root: Path, *parts: str) -> Path | None:
    """A path below a course's folder; None where a part is no plain name, or a link stands in the way."""
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        return None
    # The folder itself lies where only Practicum writes; what is below it is looked at anew each time.
    path = _resolved(root)
    try:
        for part in parts:
            path /= part
            if path.is_symlink():
                return None
    except OSError:
        return None
    return path


@lru_cache(256)
def _resolved(root: Path) -> Path:
    return root.resolve()


def file_inside(root: Path, *parts: str) -> Path | None:
    """A regular file below a course's folder, by the same rule; None where there is none."""
    path = inside(root, *parts)
    return path if path is not None and path.is_file() else None
