"""Processes, and what they take, as the kernel tells it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hub_config.supervisor import children, descendants, is_zombie


def pss_kb(pid: int, of: str = "Pss") -> int:
    """Proportional memory of a process: what several share counts for each by its part.

    `Pss_Anon` is that of what it has written itself: the rest, files that programs share, depends on who else runs.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{of}:")), 0)


def entries(folder: str | Path) -> int:
    """How much a folder of /proc lists; nothing for a process that has ended."""
    with suppress(OSError):
        return sum(1 for _ in Path(folder).iterdir())
    return 0


def named(pid: int, name: str) -> list[int]:
    """The processes below one that have a name."""
    found = []
    for below in descendants(pid):
        with suppress(OSError):
            if Path(f"/proc/{below}/comm").read_text() == f"{name}\n":
                found.append(below)
    return found


def processes(argument: str) -> list[int]:
    """The processes of this machine that were started with an argument."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if argument.encode() in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
    return found


def zombies(pid: int) -> list[int]:
    """The processes below one that have ended, and whose end nobody has taken note of."""
    below = [child for parent in [pid, *descendants(pid)] for child in children(parent)]
    return [child for child in below if is_zombie(child) and Path(f"/proc/{child}").exists()]
