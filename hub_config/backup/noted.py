"""When backups were made and verified, as a list in the data folder. The rule: it holds no path, no passphrase and no content."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

FILE = "backups.jsonl"


class Noted(BaseModel):
    """A backup that was made, or one that was verified; `events` are those of the journal, where they were counted."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    what: Literal["made", "verified"]
    name: str
    size_bytes: int
    sealed: bool
    holds: bool = True
    events: int | None = None


def note(data: Path, what: Literal["made", "verified"], file: Path, *, sealed: bool, holds: bool = True,
         events: int | None = None) -> None:  # fmt: skip
    """Add a line; on a machine without the data folder nothing is noted, and a note never stops a backup."""
    if not data.is_dir():
        return
    line = Noted(at=datetime.now(UTC), what=what, name=file.name, size_bytes=file.stat().st_size, sealed=sealed,
                 holds=holds, events=events)  # fmt: skip
    with contextlib.suppress(OSError), (data / FILE).open("a", encoding="utf-8") as out:
        out.write(line.model_dump_json() + "\n")


def noted(data: Path) -> list[Noted]:
    """What was noted, the newest first; a line that cannot be read is passed over."""
    found: list[Noted] = []
    file = data / FILE
    for line in file.read_text("utf-8").splitlines() if file.is_file() else ():
        with contextlib.suppress(ValidationError):
            found.append(Noted.model_validate_json(line))
    return found[::-1]
