"""The script of an interview as data, and the key that follows from it.

The rule this module keeps: a moment's times come from the narration as it was made, so the key is exact and nobody types it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from labs.manifest import Data, load
from labs.texts import Text

Role = Literal["required", "optional", "question", "false-start", "wrong", "retake", "off-topic"]
Shot = Literal["wide", "close", "detail"]

#: What must not be left in the cut. An optional line may stay or go.
REJECTED: frozenset[Role] = frozenset({"question", "false-start", "wrong", "retake", "off-topic"})
#: What a rejected line is called in a finding, where the script has no words of its own for it.
ROLE_NAMES = {
    "question": Text(ko="진행자의 질문", en="the interviewer's question"),
    "false-start": Text(ko="말을 고르다 멈춘 부분", en="a false start"),
    "wrong": Text(ko="잘못 말한 부분", en="a statement taken back"),
    "retake": Text(ko="다시 하겠다는 말", en="the request for a retake"),
    "off-topic": Text(ko="주제와 관계없는 말", en="off-topic talk"),
}


class Voice(Data):
    """A voice: an engine's own units of speed and pitch."""

    engine: Literal["espeak-ng", "hibari"]
    voice: str
    speed: float
    pitch: float
    level: float = 1.0


class ScriptLine(Data):
    """One line: who says what, in which shot, and what it is worth to the client."""

    id: str
    voice: str
    role: Role
    shot: Shot
    text: str
    pause_seconds: float
    speed: float | None = None
    pitch: float | None = None
    about: Text | None = None
    #: Other ways to write the same words in a caption, such as figures for numbers.
    also: tuple[str, ...] = ()
    #: A regular expression for what a caption of this line must not lose: a figure, a negation.
    fact: str | None = None


class Script(Data):
    """A whole interview."""

    title: str
    voices: dict[str, Voice]
    lead_in_seconds: float
    lines: tuple[ScriptLine, ...]


class Moment(Data):
    """A stretch of the source clip, in seconds, what is said in it, and what it is worth."""

    id: str
    start: float
    end: float
    role: Role
    voice: str
    shot: Shot
    text: str
    about: Text
    also: tuple[str, ...] = ()
    fact: str | None = None


class Key(Data):
    """All moments of a source clip, in order."""

    duration_seconds: float
    moments: tuple[Moment, ...]

    @property
    def required(self) -> tuple[Moment, ...]:
        return tuple(m for m in self.moments if m.role == "required")

    @property
    def rejected(self) -> tuple[Moment, ...]:
        return tuple(m for m in self.moments if m.role in REJECTED)


def read_script(lab_folder: Path, lang: str) -> Script:
    """Read a lab's script in a language; ManifestError where it is missing or wrong."""
    return load(lab_folder / "server" / f"script.{lang}.yaml", Script)


def read_key(path: Path) -> Key:
    """Read the key that the narration left."""
    return Key.model_validate_json(path.read_text("utf-8"))


def write_key(path: Path, key: Key) -> None:
    """Write the key, one moment a line so that a change is readable."""
    head = json.dumps({"duration_seconds": key.duration_seconds})[:-1]
    rows = ",\n".join("  " + json.dumps(m.model_dump(), ensure_ascii=False) for m in key.moments)
    path.write_text(f'{head}, "moments": [\n{rows}\n]}}\n', "utf-8")


def moment(line: ScriptLine, start: float, end: float) -> Moment:
    """Place a line of the script in time."""
    about = line.about or ROLE_NAMES.get(line.role) or Text(ko=line.text, en=line.text)
    return Moment(
        id=line.id,
        start=round(start, 3),
        end=round(end, 3),
        role=line.role,
        voice=line.voice,
        shot=line.shot,
        text=line.text,
        about=about,
        also=line.also,
        fact=line.fact,
    )
