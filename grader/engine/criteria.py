"""Runs a lab's checks on one submission's files, in the sandbox, in a process that holds no learner code.

Fail closed: a criterion without a valid line of its own scores 0 and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from grader.engine import inside
from grader.sandbox import Sandbox, lab_folders
from labs.catalog import LabFolder
from labs.checks import CriterionResult, failed
from labs.manifest import Criterion
from labs.texts import Text


class Limits(BaseModel):
    """What the checks of one submission may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wall_seconds: float = 180
    cpu_seconds: int = 300
    memory_bytes: int = 6_000_000_000
    file_bytes: int = 500_000_000
    open_files: int = 256


def run_criteria(
    lab: LabFolder, folder: Path, material: Path, lang: str, limits: Limits | None = None
) -> list[CriterionResult]:
    """Check a submission's folder against a lab's automatic criteria; the results come in the lab's order."""
    limits = limits or Limits()
    criteria = [criterion for criterion in lab.lab.criteria if criterion.check]
    job = {
        "lang": lang,
        "limits": limits.model_dump(),
        "criteria": [criterion.model_dump(include={"id", "points", "check", "params"}) for criterion in criteria],
    }
    lines, why = _run(_sandbox(lab, folder, material), json.dumps(job).encode(), limits)
    results = _valid(lines, criteria)
    return [results.get(criterion.id) or _unchecked(criterion, why) for criterion in criteria]


def _sandbox(lab: LabFolder, folder: Path, material: Path) -> Sandbox:
    server = lab.folder / "server"
    fonts = os.environ.get("PRACTICUM_FONTS")
    return Sandbox(
        read_only=[
            (folder, str(inside.SUBMISSION)),
            (material, str(inside.MATERIAL)),
            *([(server, str(inside.SERVER))] if server.is_dir() else []),
            *([(Path(fonts), fonts)] if fonts and Path(fonts).is_dir() else []),
        ],
        hidden=lab_folders(),
        env={
            # A pack may stand outside site-packages.
            "PYTHONPATH": str(lab.folder.parents[2]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            **({"PRACTICUM_FONTS": fonts} if fonts else {}),
        },
        cwd="/tmp",  # noqa: S108 (the sandbox's own)
    )


def _run(sandbox: Sandbox, job: bytes, limits: Limits) -> tuple[list[bytes], Text]:
    """Run the job; give the lines it wrote, and why it may have written too few."""
    argv = [sys.executable, "-m", inside.__name__]
    try:
        done = sandbox.run(argv, stdin=job, timeout_seconds=limits.wall_seconds)
    except subprocess.TimeoutExpired as late:
        seconds = f"{limits.wall_seconds:g}"
        return (late.stdout or b"").splitlines(), Text(
            ko=f"확인이 제한 시간({seconds}초)을 넘었습니다.", en=f"Checking took longer than its limit of {seconds} s."
        )
    return done.stdout.splitlines(), Text(
        ko="확인하는 중에 멈췄습니다. 파일이 손상되었거나 너무 큽니다.",
        en="Checking stopped: a file is damaged or too large.",
    )


def _valid(lines: list[bytes], criteria: list[Criterion]) -> dict[str, CriterionResult]:
    """Keep the lines that are results of these criteria, with points within theirs."""
    points = {criterion.id: criterion.points for criterion in criteria}
    results: dict[str, CriterionResult] = {}
    for line in lines:
        try:
            result = CriterionResult.model_validate_json(line)
        except ValidationError:
            continue
        if result.max_points == points.get(result.id) and result.points <= result.max_points:
            results.setdefault(result.id, result)
    return results


def _unchecked(criterion: Criterion, why: Text) -> CriterionResult:
    right = Text(ko="파일을 다시 만들어 제출하세요.", en="Make the files again and hand in.")
    return CriterionResult(id=criterion.id, points=0, max_points=criterion.points, findings=failed(why, right).findings)
