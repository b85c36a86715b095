"""A running template of quick servers."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Template:
    """Its socket and its process."""

    socket: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running_template(folder: Path, *modules: str, env: dict[str, str] | None = None) -> Iterator[Template]:
    """Start a template and wait until it is ready; it may import more modules."""
    socket = folder / "quick" / "template.sock"
    argv = [sys.executable, "-P", "-m", "hub_config.quick.template", str(socket), *modules]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=env) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield Template(socket, process)
        finally:
            process.kill()


def descriptors(pid: int) -> set[str]:
    """What a process has open; it goes on opening and closing meanwhile."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(file.readlink()))
    return found
