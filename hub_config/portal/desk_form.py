"""The form of one criterion, as it was typed. The rule: a level and other points that contradict each other are refused,
never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from grader.review import BadJudgement, Judgement

Show = Literal["all", "waiting"]
OTHER = "other"


class JudgementForm(BaseModel):
    """What a grader sent: the version it rests on, a level or other points, a comment."""

    csrf: str = ""
    version: str = ""
    over: str = ""
    level: str = ""
    other: str = ""
    comment: str = ""
    show: Show = "all"

    @property
    def base(self) -> str:
        """The version it rests on: what was shown at first, or what somebody else made of it and the grader saw."""
        return self.over or self.version

    def judgement(self) -> Judgement:
        """The points and the comment; BadJudgement where they cannot be read."""
        return Judgement(self._points(), self.comment.replace("\r\n", "\n").strip())

    def _points(self) -> float | None:
        level, other = self.level.strip(), self.other.strip()
        if level and level != OTHER:
            points = _number(level)
            if other and _number(other) != points:
                raise BadJudgement(
                    "고른 단계와 입력한 점수가 다릅니다. 하나만 남기세요.",
                    "The level and the other points differ: keep one of them.",
                )
            return points
        return _number(other) if other else None


def _number(typed: str) -> float:
    try:
        return float(typed)
    except ValueError:
        raise BadJudgement("점수는 숫자로 입력하세요.", "Enter the points as a number.") from None


@dataclass(frozen=True)
class Typed:
    """A form that could not be saved: what was typed, and why not; `stale` where somebody else was faster."""

    form: JudgementForm
    problem: str = ""
    stale: bool = False
