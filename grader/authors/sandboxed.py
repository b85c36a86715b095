"""Asks the sandbox to build a lab or a reference of it. The rule: nothing of a pack runs out here, and only plain files come out."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

from grader.authors.inside import MATERIAL, OUT, SUBMISSION
from grader.engine.criteria import fonts_view, pack_path
from grader.sandbox import Sandbox
from labs.catalog import LabFolder

SECONDS = 180
MAX_BYTES, MAX_FILES = 500_000_000, 2_000


class NotMade(Exception):
    """What should be made could not be; its message is the last thing that the sandbox said."""


def make(
    lab: LabFolder, what: str, out: Path, *, material: Path | None = None, submission: Path | None = None,
    seconds: float = SECONDS, **with_: Any,
) -> None:  # fmt: skip
    """Do one job of `inside` and lay its files into a folder; NotMade says why not."""
    fonts = fonts_view()
    shown = [(path, str(place)) for path, place in ((material, MATERIAL), (submission, SUBMISSION)) if path]
    sandbox = Sandbox(
        read_only=[*shown, *fonts.shown],
        scratch=(str(OUT), "/home/learner"),
        env={"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **dict([pack_path(lab), *fonts.env])},
        cwd="/tmp",  # noqa: S108 - memory of the sandbox
    )  # fmt: skip
    job = {"do": what, "pack": lab.pack, "lab": lab.id, "folder": str(lab.folder.resolve()), "with": with_}
    try:
        done = sandbox.run(
            [sys.executable, "-m", "grader.authors.inside"],
            stdin=json.dumps(job).encode(), timeout_seconds=seconds, max_output_bytes=MAX_BYTES,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotMade(f"it took longer than {seconds:g} s") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise NotMade((said or [f"ended with {done.returncode}"])[-1][:600])
    try:
        unpack(done.stdout, out)
    except (tarfile.TarError, ValueError) as error:
        raise NotMade(f"what it made could not be read: {error}") from error


def unpack(data: bytes, out: Path) -> None:
    """Lay an archive's plain files into a folder; ValueError for a name that leads out, or too many files."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for number, member in enumerate(archive):
            parts = PurePosixPath(member.name).parts
            if (
                number >= MAX_FILES
                or not member.isreg()
                or not parts
                or {"..", "/"} & set(parts)
                or "\0" in member.name
            ):
                raise ValueError(f"{member.name[:80]}: refused")
            path = out.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = archive.extractfile(member)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                shutil.copyfileobj(stream or io.BytesIO(), file)
