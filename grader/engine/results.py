"""What the checks of one submission said, as it crosses from the sandbox and is kept beside the course."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from labs.checks import CriterionResult


class Results(BaseModel):
    """The results of one submission's criteria, bound to its receipt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    receipt: str
    criteria: tuple[CriterionResult, ...]

    def of(self, criterion_id: str) -> CriterionResult | None:
        return next((result for result in self.criteria if result.id == criterion_id), None)


def results_file(course_root: Path, learner: str, lab: str) -> Path:
    """Where a submission's results are kept."""
    return course_root / "results" / learner / f"{lab}.json"
