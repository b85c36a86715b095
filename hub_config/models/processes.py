"""What /proc tells about a process and those below it."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PAGE_BYTES = resource.getpagesize()


def resident_bytes(pid: int) -> int:
    """Give the memory in which a process and those below it stand, files that they mapped included."""
    found = 0
    for one in family(pid):
        with suppress(OSError, ValueError, IndexError):
            found += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE_BYTES
    return found


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                yield from family(int(child))
