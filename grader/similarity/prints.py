"""What is kept of a submission to compare it. The rule: all of it is bounded, because a hostile file chose it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from grader.similarity.texts import MAX_TEXT

#: Changes with what a fingerprint means, so that an older one is made again.
VERSION = 1
#: The smallest marks stand for all: a fair sample, the same from both sides.
MAX_MARKS = 4_000

Kind = Literal["video", "image", "captions", "json", "document"]
Mark = Annotated[int, Field(ge=0, lt=2**56)]
Problem = Literal["", "missing", "unreadable", "stopped"]


class UnreadableFile(Exception):
    """A file that its reader does not take, or that is beyond the limits."""


class Wanted(BaseModel):
    """A deliverable to look at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(max_length=200)
    kind: Kind


class Part(BaseModel):
    """One deliverable's fingerprint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(max_length=200)
    kind: Kind
    problem: Problem = ""
    sha256: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    marks: tuple[Mark, ...] = Field(default=(), max_length=MAX_MARKS)
    text: str = Field(default="", max_length=MAX_TEXT)


class Print(BaseModel):
    """A submission's fingerprint, bound to its receipt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: int = VERSION
    receipt: str
    learner: str
    parts: tuple[Part, ...]

    def part(self, path: str) -> Part | None:
        return next((part for part in self.parts if part.path == path), None)
