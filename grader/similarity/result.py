"""What a comparison found, as it is kept beside the course. The rule: it is bound to the receipts that were compared."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from grader.course_files import inside
from grader.similarity.prints import VERSION, Kind, Problem

MAX_PASSAGES, MAX_EXCERPT = 3, 400


class Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Passage(Data):
    """A passage that both have, as it stands in each."""

    first: str = Field(max_length=MAX_EXCERPT)
    second: str = Field(max_length=MAX_EXCERPT)


class Alike(Data):
    """How much of one deliverable is alike, and where."""

    path: str
    kind: Kind
    share: float = Field(ge=0, le=1)
    #: Whether it is enough to be worth a look.
    notable: bool
    identical: bool = False
    passages: tuple[Passage, ...] = Field(default=(), max_length=MAX_PASSAGES)


class Pair(Data):
    """Two submissions of different learners."""

    first: str
    second: str
    parts: tuple[Alike, ...]

    @property
    def rank(self) -> tuple[float, str, str]:
        return (-sum(part.share for part in self.parts if part.notable), self.first, self.second)


class Unread(Data):
    """A deliverable that could not be compared."""

    learner: str
    path: str
    problem: Problem


class Comparison(Data):
    """What comparing a lab's submissions found; `receipts` says of which, by learner."""

    version: int = VERSION
    lab: str
    receipts: dict[str, str]
    unread: tuple[Unread, ...] = Field(default=())
    pairs: tuple[Pair, ...] = Field(default=())


FOLDER = "similar"


def comparison_file(course_root: Path, lab: str) -> Path:
    """Where the result stands."""
    return course_root / FOLDER / f"{lab}.json"


def read_comparison(course_root: Path, lab: str) -> Comparison | None:
    """The last result; None where there is none that this version can read."""
    file = inside(course_root, FOLDER, f"{lab}.json")
    if file is None:
        return None
    try:
        found = Comparison.model_validate_json(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.version == VERSION else None
