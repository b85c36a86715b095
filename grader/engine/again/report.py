"""What came of executing a submission's notebook again, and how it is said.

The rule: all of it is bounded, because a hostile notebook chose it, and nothing of it is a score.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from grader.engine.causes import CAUSES, known
from labs.texts import Text

MOST_FILES, MOST_CALLS, MOST_CHARACTERS = 50, 1_000_000, 200
#: `same`: byte for byte. `alike`: the same text, data, pixels or sound. `given`: it began with this file, and left it as it was.
Outcome = Literal["same", "alike", "different", "given", "not_made", "not_handed_in", "unreadable"]
Recorded = Literal["there", "none", "no_gateway", "unreachable", "too_large"]
OUTCOMES: dict[Outcome, Text] = {
    "same": Text(ko="똑같은 파일", en="The same file"),
    "alike": Text(ko="같은 내용", en="The same content"),
    "different": Text(ko="다름", en="Different"),
    "given": Text(ko="시작할 때 쓴 파일", en="What it began with"),
    "not_made": Text(ko="만들어지지 않음", en="Not made"),
    "not_handed_in": Text(ko="제출하지 않은 파일", en="Not handed in"),
    "unreadable": Text(ko="비교할 수 없음", en="Cannot be compared"),
}
NO_ANSWERS: dict[Recorded, Text] = {
    "none": Text(ko="이 실습에서 기록된 AI 호출이 없습니다.", en="No AI call of this lab is recorded."),
    "no_gateway": Text(
        ko="AI 게이트웨이가 없어 기록된 AI 답 없이 실행했습니다.",
        en="There is no AI gateway, so it ran without recorded AI answers.",
    ),
    "unreachable": Text(
        ko="AI 게이트웨이가 응답하지 않아 기록된 AI 답 없이 실행했습니다.",
        en="The AI gateway did not answer, so it ran without recorded AI answers.",
    ),
    "too_large": Text(
        ko="AI 기록이 너무 커서 기록된 AI 답 없이 실행했습니다.",
        en="The recording of AI calls is too large, so it ran without recorded AI answers.",
    ),
}
PATH = re.compile(r"(?:/[^\s/'\"<>:,;()]+)+/")


class Made(BaseModel):
    """A deliverable after the notebook ran again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(max_length=200)
    outcome: Outcome


class Rerun(BaseModel):
    """What came of one submission's notebook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: How many cells there were to run, and how many came to their end.
    cells: int = Field(default=0, ge=0)
    ran: int = Field(default=0, ge=0)
    #: Where it stopped: which code cell of the notebook, by which limit or fault, or else with which error.
    stopped_at: int = Field(default=0, ge=0)
    cause: str = Field(default="", max_length=40)
    error: str = Field(default="", max_length=MOST_CHARACTERS)
    recorded: Recorded = "none"
    replayed: int = Field(default=0, ge=0, le=MOST_CALLS)
    refused: int = Field(default=0, ge=0, le=MOST_CALLS)
    made: tuple[Made, ...] = Field(default=(), max_length=MOST_FILES)
    seconds: float = Field(default=0, ge=0)

    @property
    def whole(self) -> bool:
        """Whether the notebook ran to its end."""
        return not self.cause and not self.stopped_at and 0 < self.ran == self.cells

    @property
    def counts(self) -> tuple[int, int]:
        """How many deliverables were made again as they were handed in, and of how many."""
        remade = [one for one in self.made if one.outcome != "given"]
        return sum(one.outcome in ("same", "alike") for one in remade), len(remade)


def ending(rerun: Rerun) -> Text:
    """How the notebook ended, in a sentence."""
    if rerun.whole:
        return Text(ko="노트북이 끝까지 실행되었습니다.", en="The notebook ran to its end.")
    if rerun.cause == "broken_notebook":
        return Text(
            ko="제출한 노트북을 읽을 수 없어 실행하지 않았습니다.",
            en="The notebook that was handed in cannot be read, so it was not executed.",
        )
    why = CAUSES[known(rerun.cause)] if rerun.cause else Text(ko=rerun.error or "?", en=rerun.error or "?")
    if not rerun.stopped_at:
        return Text(ko=f"노트북을 실행하지 못했습니다: {why.ko}", en=f"The notebook could not be executed: {why.en}")
    return Text(
        ko=f"{rerun.stopped_at}번째 코드 칸에서 멈췄습니다: {why.ko}",
        en=f"It stopped at code cell {rerun.stopped_at}: {why.en}",
    )


def answers(rerun: Rerun) -> list[Text]:
    """Where its AI answers came from, in sentences."""
    said = [NO_ANSWERS[rerun.recorded]] if rerun.recorded in NO_ANSWERS else []
    if rerun.replayed:
        said.append(
            Text(
                ko=f"AI 호출 {rerun.replayed}번에 기록된 답을 돌려주었습니다.",
                en=f"AI calls answered from the recording: {rerun.replayed}.",
            )
        )
    if rerun.refused:
        said.append(
            Text(
                ko=f"기록에 없는 AI 호출 {rerun.refused}번은 거절했습니다.",
                en=f"AI calls without a recording, refused: {rerun.refused}.",
            )
        )
    return said


def log_lines(rerun: Rerun, lang: str) -> list[str]:
    """The whole report for a submission's log."""
    head = Text(ko="다시 실행(점수와 무관)", en="executed again (no points)").in_(lang)
    files = [f"{one.path}: {OUTCOMES[one.outcome].in_(lang)}" for one in rerun.made]
    said = [ending(rerun).in_(lang), *(one.in_(lang) for one in answers(rerun)), *files]
    return [f"{head}: {line}" for line in said]


def one_sentence(text: str) -> str:
    """An error's words without folders of the machine, on one line and within bounds."""
    words = " ".join(PATH.sub("", text).split())
    shown = "".join(letter for letter in words if letter.isprintable()).encode("utf-8", "replace").decode("utf-8")
    return shown if len(shown) <= MOST_CHARACTERS else f"{shown[: MOST_CHARACTERS - 2]} …"
