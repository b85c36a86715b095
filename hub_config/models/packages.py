"""Taking one file out of a published package with the machine's ordinary package client.

The rule: a package is data here. It is unpacked into a folder that no interpreter imports from, never built, and its
dependencies are not followed. The client keeps its own configuration (index, certificates, proxies).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from hub_config.models.catalogue import Part

CLIENT_SECONDS = 900


class PackageError(Exception):
    """No client could fetch the package; the message is the last client's last line."""


def clients() -> list[list[str]]:
    """Name the install commands to try, best first: this Python's pip, uv, another Python's pip."""
    pip_options = ["install", "--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]
    found = []
    if _has_pip():
        found.append([sys.executable, "-m", "pip", *pip_options])
    if uv := shutil.which("uv"):
        found.append([uv, "pip", "install", "--no-cache", "--python", sys.executable])
    if pip := shutil.which("pip"):
        found.append([pip, *pip_options])
    return found


def _has_pip() -> bool:
    """Ask the installed packages: the import system answers with a warning where setuptools has a hand in it."""
    try:
        version("pip")
    except PackageNotFoundError:
        return False
    return True


def unpack(part: Part, folder: Path) -> Path:
    """Unpack a part's package into an empty folder and give the path of its file; PackageError where no client could."""
    if (here := _installed(part)) is not None:
        return here
    reason = "neither pip nor uv is on this machine"
    for client in clients():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        reason = _run(client, part, folder)
        path = folder / part.file
        if not reason and path.is_file() and not path.is_symlink():
            return path
        reason = reason or f"{part.package} {part.version} does not hold {part.file}"
    raise PackageError(reason)


def _installed(part: Part) -> Path | None:
    """Give the file of a package that is installed here in just that version: then nothing is fetched."""
    try:
        package = distribution(part.package)
    except PackageNotFoundError:
        return None
    path = Path(str(package.locate_file(part.file)))
    return path if package.version == part.version and path.is_file() and not path.is_symlink() else None


def _run(client: list[str], part: Part, folder: Path) -> str:
    """Run one client; give an empty text, or its last line where it failed."""
    command = [
        *client,
        "--no-deps",
        "--only-binary",
        ":all:",
        "--target",
        str(folder),
        f"{part.package}=={part.version}",
    ]
    # The client's temporary files go beside the target: its disk was checked, and /tmp may be small.
    environment = {**os.environ, "TMPDIR": str(folder.parent), "PIP_USER": "0"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=CLIENT_SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return "" if done.returncode == 0 else lines[-1].strip()
