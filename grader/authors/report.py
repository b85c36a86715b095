"""What came of looking at a lab, as it is printed, kept and shown to its author."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from labs.checks import CriterionResult
from labs.findings import LabFinding
from labs.texts import Lang, Text

#: How many steps are done, how many there are, and which comes now.
Step = Callable[[int, int, str], None]
REPORT, PAGE = "report.json", "page.html"


class Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tried(Frozen):
    """A reference submission in one language, what the criteria gave for it, and what it promised and did not keep."""

    name: str
    lang: Lang
    results: tuple[CriterionResult, ...] = ()
    broken: Text | None = None

    def of(self, criterion_id: str) -> CriterionResult | None:
        """What a criterion gave; None for one that a person judges."""
        return next((result for result in self.results if result.id == criterion_id), None)

    @property
    def points(self) -> float:
        return sum(result.points for result in self.results)

    @property
    def max_points(self) -> float:
        return sum(result.max_points for result in self.results)


class LabReport(Frozen):
    """What is missing or wrong in a lab, and how its reference submissions did; `state` is what of the lab it is about."""

    pack: str
    lab: str
    state: str
    findings: tuple[LabFinding, ...] = ()
    tried: tuple[Tried, ...] = ()

    @property
    def wrong(self) -> list[LabFinding]:
        return [finding for finding in self.findings if finding.kind == "wrong"]

    @property
    def to_write(self) -> list[LabFinding]:
        return [finding for finding in self.findings if finding.kind == "to_write"]


def state_of(folder: Path) -> str:
    """What a report is about: a hash of the lab's files, without what Python leaves beside them."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            with path.open("rb") as stream:
                digest.update(
                    f"{path.relative_to(folder)} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode()
                )
    return digest.hexdigest()[:16]
