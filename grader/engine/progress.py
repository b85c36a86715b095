"""How far a grading run is, and what came of it; light, because the command line starts with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """How far a run is; `learner` is who was just done, `message` what went wrong there, `cause` of which kind it was."""

    done: int
    failed: int
    total: int
    learner: str = ""
    message: str = ""
    cause: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class Summary:
    """What came of a run; `causes` counts the limits and faults that were met, by kind."""

    graded: int
    failed: int
    unchanged: int
    causes: dict[str, int] = field(default_factory=dict)


Report = Callable[[Progress], None]
