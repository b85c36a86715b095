"""What the checks of one submission said, as it crosses from the sandbox and is kept beside the course."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from grader.engine.again.report import Rerun
from labs.checks import CriterionResult
from labs.evidence import write_text_safely


class Results(BaseModel):
    """The results of one submission's criteria, bound to its receipt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    receipt: str
    criteria: tuple[CriterionResult, ...]
    #: What came of executing the notebook again, where the lab asks for that. No point comes of it.
    execution: Rerun | None = None

    def of(self, criterion_id: str) -> CriterionResult | None:
        return next((result for result in self.criteria if result.id == criterion_id), None)


def results_file(course_root: Path, learner: str, lab: str) -> Path:
    """Where a submission's results are kept."""
    return course_root / "results" / learner / f"{lab}.json"


def standing_results(course_root: Path, learner: str, lab: str, receipt: str) -> Results | None:
    """The results that stand for a receipt, if there are some."""
    path = results_file(course_root, learner, lab)
    if not path.is_file():
        return None
    standing = Results.model_validate_json(path.read_text("utf-8"))
    return standing if standing.receipt == receipt else None


def keep_results(
    course_root: Path, learner: str, lab: str, receipt: str, criteria: Sequence[CriterionResult],
    execution: Rerun | None = None,
) -> Results:  # fmt: skip
    """Keep what the checks said of a submission."""
    results = Results(receipt=receipt, criteria=tuple(criteria), execution=execution)
    path = results_file(course_root, learner, lab)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text_safely(path, results.model_dump_json())
    return results
