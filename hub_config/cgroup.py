"""Control groups: what all processes of a server may take together, where this machine lets us make groups.

The rule: a limit that cannot be set is left to the limits of single processes; no server fails for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

OURS = "practicum-servers"
_PERIOD_US = 100_000
_LONGEST_WAIT_SECONDS = 32
#: Puts itself into groups, up to `--`, and becomes the command that follows.
_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'


@dataclass(frozen=True)
class Together:
    """Limits for all processes of a server together; None for none."""

    memory_bytes: int | None = None
    processes: int | None = None
    cpus: float | None = None

    def value(self, controller: str) -> str | None:
        """A controller's limit as the newer kind of control groups reads it."""
        values = {
            "memory": self.memory_bytes and str(self.memory_bytes),
            "pids": self.processes and str(self.processes),
            "cpu": self.cpus and f"{int(self.cpus * _PERIOD_US)} {_PERIOD_US}",
        }
        return values[controller] or None


#: The file of a limit; the older kind has a hierarchy for each controller, and only the quota of a processor's time in its file.
_OLD = {"memory": "memory.limit_in_bytes", "pids": "pids.max", "cpu": "cpu.cfs_quota_us"}
_NEW = {"memory": "memory.max", "pids": "pids.max", "cpu": "cpu.max"}


@cache
def places() -> dict[str, tuple[Path, str]]:
    """Where groups can be made, by controller: a folder that is ours, and the file that takes the limit."""
    found: dict[str, tuple[Path, str]] = {}
    for line in Path("/proc/self/cgroup").read_text("ascii").splitlines():
        _number, names, path = line.split(":", 2)
        for name in names.split(",") if names else _NEW:
            folder = Path("/sys/fs/cgroup", name if names else "", path.lstrip("/"), OURS)
            file = (_OLD if names else _NEW).get(name)
            if file and name not in found and _can(folder, name if not names else None):
                found[name] = (folder, file)
    return found


def _can(folder: Path, controller: str | None) -> bool:
    try:
        folder.mkdir(exist_ok=True)
        if controller:
            (folder / "cgroup.subtree_control").write_text(f"+{controller}", "ascii")
    except OSError:
        return False
    return True


def why_not() -> str | None:
    """What of a server's processes together cannot be limited here, in one sentence; None where all can."""
    if missing := sorted(_NEW.keys() - places().keys()):
        return f"no control groups can be made here for {', '.join(missing)}"
    return None


def make(name: str, limits: Together) -> list[str]:
    """Make a server's groups with their limits, and give those that could be made."""
    return list(_made(name, limits))


def _made(name: str, limits: Together) -> Iterator[str]:
    for controller, (folder, file) in places().items():
        if value := limits.value(controller):
            group = folder / name
            with suppress(OSError):
                group.mkdir(exist_ok=True)
                (group / file).write_text(value.split()[0] if file == _OLD["cpu"] else value, "ascii")
                yield str(group)


def remove_soon(name: str, wait_seconds: float = 2) -> None:
    """Remove a server's groups when what was just killed has left them, and try again for a minute where that takes longer."""

    def remove() -> None:
        if not _removed(name) and wait_seconds < _LONGEST_WAIT_SECONDS:
            remove_soon(name, 2 * wait_seconds)

    asyncio.get_running_loop().call_later(wait_seconds, remove)


def _removed(name: str) -> bool:
    folders = [folder / name for folder, _file in places().values()]
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
    return not any(folder.exists() for folder in folders)


def entering(groups: Sequence[str], argv: Sequence[str]) -> list[str]:
    """The command that runs another one in groups."""
    return ["/bin/sh", "-c", _ENTER, "sh", *groups, "--", *argv] if groups else list(argv)
