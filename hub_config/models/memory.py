"""How much memory is free for a model. The rule: a container's limit counts as much as the machine's memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hub_config.models.catalogue import Catalogue, catalogue

AUTO = "auto"


def picked(name: str, available: int | None = None, models: Catalogue | None = None) -> str:
    """Give the chat model that a setting means: `auto` is the first one that the free memory is enough for."""
    if name != AUTO:
        return name
    models, free = models or catalogue(), available_bytes() if available is None else available
    chats = models.of_kind("chat")
    return next((chat for chat in chats if free >= (models.models[chat].picked_from_bytes or 0)), chats[-1])


def available_bytes(root: Path = Path("/")) -> int:
    """Give what this process and its children may still take: of the machine, and of each control group around them."""
    meminfo = (root / "proc/meminfo").read_text("utf-8").splitlines()
    machine = next(int(line.split()[1]) * 1024 for line in meminfo if line.startswith("MemAvailable:"))
    return max(0, min([machine, *_left_in_groups(root)]))


def _left_in_groups(root: Path) -> Iterator[int]:
    """What each control group with a limit has left: of both versions, from the process's own group up."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
                top = root / "sys/fs/cgroup/memory"
            else:
                continue
            group = top / path.strip("/")
            for folder in (group, *group.parents):
                if folder.is_relative_to(top):
                    yield from _left(folder, *names)


def _left(folder: Path, limit: str, usage: str, cached: str) -> Iterator[int]:
    # A group of the machine's, seen from in a container, has no files here; one without a limit says "max".
    with suppress(OSError, ValueError, StopIteration):
        most, used = int((folder / limit).read_text()), int((folder / usage).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
        # Files that were read can be dropped at once: they are no use of memory.
        yield most - used + next(int(line.split()[1]) for line in lines if line.split()[0] == cached)
