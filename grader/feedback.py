"""What a learner is told about a submission: each criterion's points and findings, the rubric level, the comments."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from labs.checks import Finding
from labs.texts import Text


class CriterionFeedback(BaseModel):
    """One criterion as the learner reads it; points are `None` while a person has still to judge."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: Text
    points: float | None
    max_points: float
    findings: tuple[Finding, ...] = ()
    comment: str = Field(default="", max_length=20_000, description="the instructor's words")


class Feedback(BaseModel):
    """A submission's feedback."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    submission: str
    points: float = Field(description="after what being late took off")
    max_points: float
    final: bool
    criteria: tuple[CriterionFeedback, ...]
    late_percent: int = 0
    late_points: float = Field(default=0, description="what being late took off")
    note: str = ""
