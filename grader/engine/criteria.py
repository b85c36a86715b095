"""Runs a lab's checks on submissions, in a warm sandbox, in processes that hold no learner code.

Fail closed: a criterion without a valid result of its own scores 0 and says so.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from grader.engine.warm.box import Box, SandboxDied, View, Waiting
from grader.engine.warm.check import MATERIAL, SERVER
from labs.catalog import LabFolder
from labs.checks import MAX_FINDINGS, MAX_PICTURE, CriterionResult, failed
from labs.manifest import Criterion, Limits
from labs.texts import Text

TRIES = 3
#: The findings of a whole criterion, with their pictures, stay below it.
MAX_RESULT_BYTES = MAX_FINDINGS * (MAX_PICTURE + 20_000)
WHY = {
    "time_limit": Text(ko="확인이 제한 시간을 넘었습니다.", en="Checking took longer than its limit."),
    "cpu_limit": Text(
        ko="확인에 드는 계산이 제한을 넘었습니다.", en="Checking needed more processor time than its limit."
    ),
    "memory_limit": Text(
        ko="확인에 드는 메모리가 제한을 넘었습니다.", en="Checking needed more memory than its limit."
    ),
}
STOPPED = Text(ko="확인하는 중에 멈췄습니다. 파일이 손상되었거나 너무 큽니다.",
               en="Checking stopped: a file is damaged or too large.")  # fmt: skip


class Checker:
    """Checks one submission after the other against a lab's automatic criteria."""

    def __init__(
        self, lab: LabFolder, material: Path, lang: str, limits: Limits | None = None, scratch: Path | None = None
    ) -> None:
        self._limits = limits or lab.lab.limits
        self._criteria = [criterion for criterion in lab.lab.criteria if criterion.check]
        modules = sorted({str(criterion.check).partition(":")[0] for criterion in self._criteria})
        self._box = Box({"child": "check", "imports": modules, "lang": lang}, _view(lab, material), scratch)
        self.close = self._box.close
        #: The limit that the submission at hand met, if it met one.
        self.why = ""

    def check(self, folder: Path) -> list[CriterionResult]:
        """The results of a submission's folder, in the lab's order."""
        self._box.show(folder)
        self.why = ""
        until = time.monotonic() + self._limits.wall_seconds
        results: list[CriterionResult] = []
        tries = 0
        while left := self._criteria[len(results) :]:
            found, why = self._run(left, until)
            results += found
            tries = tries + 1 if not found else 1
            # Killed by nothing that it did, as where the machine is short of memory: tried anew, and then given up.
            if len(found) < len(left) and not (why in ("killed", "sandbox_died") and tries < TRIES):
                self.why = self.why or why
                results.append(_unchecked(left[len(found)], WHY.get(why, STOPPED)))
                tries = 0
        return results

    def _run(self, criteria: Sequence[Criterion], until: float) -> tuple[list[CriterionResult], str]:
        """Run criteria in one child: the results until one did not come, and why."""
        wanted = [criterion.model_dump(include={"id", "points", "check", "params"}) for criterion in criteria]
        found: list[CriterionResult] = []
        try:
            with self._box.fork({**self._limits.in_bytes(), "criteria": wanted}) as channel:
                for criterion in criteria:
                    result = self._next(channel, criterion, until)
                    if result is None:
                        break
                    found.append(result)
            return found, self._box.ended() or "check_failed"
        except (SandboxDied, OSError):
            self._box.restart()
            return found, "sandbox_died"

    def _next(self, channel: socket.socket, criterion: Criterion, until: float) -> CriterionResult | None:
        try:
            said = Waiting(channel, MAX_RESULT_BYTES).message(until - time.monotonic())
        except TimeoutError:
            self._box.tell(b"late")
            return None
        return _valid(said, criterion)


def run_criteria(
    lab: LabFolder, folder: Path, material: Path, lang: str, limits: Limits | None = None
) -> list[CriterionResult]:
    """Check one submission's folder against a lab's automatic criteria; the results come in the lab's order."""
    with closing(Checker(lab, material, lang, limits)) as checker:
        return checker.check(folder)


def _view(lab: LabFolder, material: Path) -> View:
    server, fonts = lab.folder / "server", fonts_view()
    keys = ((server, str(SERVER)),) if server.is_dir() else ()
    return View(((material, str(MATERIAL)), *keys, *fonts.shown), (pack_path(lab), *fonts.env))


def fonts_view() -> View:
    """The fonts that a picture is drawn with, where there are some."""
    fonts = os.environ.get("PRACTICUM_FONTS", "")
    there = bool(fonts) and Path(fonts).is_dir()
    return View(((Path(fonts), fonts),), (("PRACTICUM_FONTS", fonts),)) if there else View()


def pack_path(lab: LabFolder) -> tuple[str, str]:
    """Where Python finds a lab's pack, which may stand outside site-packages."""
    return "PYTHONPATH", os.pathsep.join([str(lab.folder.parents[2]), str(Path(__file__).parents[2])])


def _valid(line: bytes, criterion: Criterion) -> CriterionResult | None:
    """A result of this criterion, with points within its own; None for anything else."""
    try:
        result = CriterionResult.model_validate_json(line)
    except ValidationError:
        return None
    mine = result.id == criterion.id and result.max_points == criterion.points
    return result if mine and result.points <= result.max_points else None


def _unchecked(criterion: Criterion, why: Text) -> CriterionResult:
    right = Text(ko="파일을 다시 만들어 제출하세요.", en="Make the files again and hand in.")
    return CriterionResult(id=criterion.id, points=0, max_points=criterion.points, findings=failed(why, right).findings)
