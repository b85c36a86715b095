"""Gives each kernel the AI address of the lab whose folder it is started in, before the first cell runs.

The rule: only a course of the person's own counts; everything else keeps the server's address, which names no lab.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.utils import ApiPath

#: labs.spec has this name too, and would bring 9 MB with it into every learner's server.
LAB_FILE = "lab.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
MAX_BYTES = 1_000_000


class LabKernelManager(AsyncMappingKernelManager):
    """Starts kernels as Jupyter does, with the AI environment of the lab that `path` lies in."""

    async def _async_start_kernel(
        self, *, kernel_id: str | None = None, path: ApiPath | None = None, **kwargs: Any
    ) -> str:
        if path is not None:
            env = kwargs.get("env") or os.environ
            kwargs["env"] = self._with_ai(env, Path(self.cwd_for_path(path)))  # type: ignore[no-untyped-call]
        return str(await super()._async_start_kernel(kernel_id=kernel_id, path=path, **kwargs))

    # Jupyter Server calls this name, and binds it in its own class to its own method.
    start_kernel = _async_start_kernel  # type: ignore[assignment]

    def update_env(self, *, kernel_id: str, env: dict[str, str]) -> None:
        """Keep the address right when a notebook is renamed or moved; it holds from the kernel's next start."""
        notebook = Path(self.root_dir) / env.get("JPY_SESSION_NAME", "")
        super().update_env(kernel_id=kernel_id, env=self._with_ai(env, notebook.parent))

    def _with_ai(self, env: Mapping[str, str], folder: Path) -> dict[str, str]:
        return {**env, **ai_environment(folder, Path(self.root_dir), env)}


def ai_environment(folder: Path, root: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that point the `openai` client at a folder's lab; none where the folder is of no lab."""
    gateway, courses = env.get("PRACTICUM_GATEWAY_URL"), env.get("PRACTICUM_COURSES", "").split()
    for course, lab in _candidates(folder, root):
        if gateway and course in courses and NAME.fullmatch(lab):
            token = env.get("JUPYTERHUB_API_TOKEN", "")
            return {"OPENAI_BASE_URL": f"{gateway.rstrip('/')}/{course}/{lab}/v1", "OPENAI_API_KEY": token}
    return {}


def _candidates(folder: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Name course and lab as the nearest lab.json does, else as the folders ~/course/lab do."""
    inside = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
    for depth in range(len(inside), 0, -1):
        yield from _named_in(root.joinpath(*inside[:depth]) / LAB_FILE)
    if len(inside) > 1:
        yield inside[0], inside[1]


def _named_in(file: Path) -> Iterator[tuple[str, str]]:
    # Learners write here: a link, a pipe, a huge or a broken file names nothing.
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_BYTES:
            return
        spec = json.loads(file.read_text("utf-8"))
        yield str(spec["course"]), str(spec["lab"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
