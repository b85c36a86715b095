"""Fingerprints made in the sandbox, one process a submission. The rule: fail closed, so that what has no valid line has no marks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from grader.sandbox import Sandbox, lab_folders
from grader.similarity import inside
from grader.similarity.prints import Mark, Part, Wanted
from labs.texts import UserError

MAX_OUTPUT_BYTES = 20_000_000
#: Texts come first: a bomb for a decoder does not take them away.
ORDER = ("document", "captions", "json", "image", "video")


class Limits(BaseModel):
    """What reading one submission, or the material, may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wall_seconds: float = 90
    cpu_seconds: int = 90
    memory_bytes: int = 2_000_000_000
    file_bytes: int = 1_000_000
    open_files: int = 64


def parts_of(folder: Path, wanted: Sequence[Wanted], lang: str, limits: Limits | None = None) -> tuple[Part, ...]:
    """The fingerprint of each deliverable; one that ended the process, and what came after it, says so."""
    limits = limits or Limits()
    ordered = sorted(wanted, key=lambda one: ORDER.index(one.kind))
    lines = _run([(folder, str(inside.SUBMISSION))], ordered, lang, limits)
    found: dict[str, Part] = {}
    for line in lines:
        try:
            part = Part.model_validate_json(line)
        except ValidationError:
            continue
        if Wanted(path=part.path, kind=part.kind) in wanted:
            found.setdefault(part.path, part)
    return tuple(found.get(one.path) or Part(path=one.path, kind=one.kind, problem="stopped") for one in wanted)


def material_of(folder: Path, lang: str, limits: Limits | None = None) -> list[int]:
    """The marks of what the lab hands out. Without them everybody would look alike, so there is no comparison then."""
    lines = _run([(folder, str(inside.MATERIAL))], (), lang, limits or Limits())
    try:
        return TypeAdapter(list[Mark]).validate_json(lines[0])
    except (IndexError, ValidationError):
        raise UserError(
            "배포 자료를 읽지 못해 비교하지 않았습니다. 과정의 실습을 다시 만든 뒤 시도하세요.",
            "the handed-out material could not be read, so nothing was compared; build the course's lab again",
        ) from None


def _run(shown: list[tuple[Path, str]], wanted: Sequence[Wanted], lang: str, limits: Limits) -> list[bytes]:
    job = {
        "lang": lang,
        "limits": limits.model_dump(),
        "wanted": [one.model_dump() for one in wanted],
        "material": not wanted,
    }
    sandbox = Sandbox(
        read_only=shown,
        hidden=lab_folders(),
        env={"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd="/tmp",  # noqa: S108 (the sandbox's own)
    )
    argv = [sys.executable, "-m", inside.__name__]
    try:
        done = sandbox.run(
            argv, stdin=json.dumps(job).encode(), timeout_seconds=limits.wall_seconds, max_output_bytes=MAX_OUTPUT_BYTES
        )
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").splitlines()
    return done.stdout.splitlines()
