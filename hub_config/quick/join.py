"""A fork of the template goes into a sandbox that bubblewrap has made, and can never leave it or gain anything.

The rule: every step here is done before any code of the learner runs, and a step that fails ends the fork.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_config.quick import kernel_calls as kernel
from hub_config.quick import landlock, seccomp

#: All that bubblewrap made new. The network is the machine's, as in any server's sandbox.
NAMESPACES = kernel.NEW_USER | kernel.NEW_NS | kernel.NEW_PID | kernel.NEW_IPC | kernel.NEW_UTS | kernel.NEW_CGROUP
MAX_OPEN_FILES = 4096


@dataclass(frozen=True)
class Bounds:
    """What a server's processes may do; the same for all that they start."""

    writable: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    memory_bytes: int | None = None
    processes: int | None = None
    file_bytes: int | None = None

    @classmethod
    def of(cls, order: dict[str, Any]) -> Bounds:
        """From the JSON of an order."""
        return cls(**{**order, "writable": tuple(order["writable"]), "ports": tuple(order["ports"])})

    def limits(self) -> Iterator[tuple[str, int]]:
        """What each process may have, by the kernel's names; never more than this one may give."""
        wanted = {"data": self.memory_bytes, "nproc": self.processes, "fsize": self.file_bytes,
                  "nofile": MAX_OPEN_FILES, "core": 0, "msgqueue": 0}  # fmt: skip
        for name, value in wanted.items():
            if value is not None:
                highest = resource.getrlimit(limit_of(name))[1]
                yield name, value if highest == resource.RLIM_INFINITY else min(value, highest)


def limit_of(name: str) -> int:
    """The number of a limit."""
    return int(getattr(resource, f"RLIMIT_{name.upper()}"))


def why_not() -> str | None:
    """One sentence where this machine cannot hold a fork as tightly as bubblewrap holds a program; None where it can."""
    machine = os.uname().machine
    if machine not in seccomp.MACHINES:
        return f"no list of system calls for {machine}"
    if landlock.version() < landlock.NEEDED:
        return (
            f"the kernel's Landlock is version {landlock.version()}, needed is {landlock.NEEDED} (Linux 5.19 or newer)"
        )
    return None


def enter(process: int) -> None:
    """Enter the namespaces of a process, by its pidfd. The next fork is inside altogether."""
    # What is inside already must not look into this process while it holds files from outside.
    kernel.set_dumpable(False)
    kernel.setns(process, NAMESPACES)


def process_space() -> str:
    """The process namespace that this process is in."""
    return str(Path("/proc/self/ns/pid").readlink())


def must_have_left(outside: str) -> None:
    """Go on in another process namespace only: the nursery ends by killing every process that it can see."""
    if process_space() == outside:
        raise RuntimeError("the sandbox has no process namespace of its own")


def confine(bounds: Bounds, kept: Iterable[int]) -> None:
    """Close all files but the standard ones and those to keep, set the limits, and give up every right."""
    _close_all_but({0, 1, 2, *kept})
    for name, value in bounds.limits():
        resource.setrlimit(limit_of(name), (value, value))
    kernel.drop_rights()
    landlock.restrict([Path("/")], map(Path, bounds.writable), bounds.ports)
    kernel.seccomp(seccomp.program(without_truncate=landlock.version() < landlock.WITH_TRUNCATE))
    kernel.set_dumpable(True)


def _close_all_but(kept: set[int]) -> None:
    for number in {int(name) for name in os.listdir("/proc/self/fd")} - kept:  # noqa: PTH208  a list before any is closed
        try:
            os.close(number)
        except OSError:
            continue  # the one that the list was read with
