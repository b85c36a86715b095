"""What is missing or wrong in a lab, told to its author: one sentence in both languages, with the file and the place in it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from labs.texts import Text

#: What a new lab's files carry where the author has still to write.
TO_WRITE = "✎✎"


class LabFinding(BaseModel):
    """One thing that its author should look at; `to_write` is a place that was left open, the rest is wrong or missing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["wrong", "to_write"] = "wrong"
    file: str
    where: str = ""
    said: Text

    @property
    def place(self) -> str:
        """The file and the field or line in it."""
        return f"{self.file}: {self.where}" if self.where else self.file


def wrong(file: str, where: str | int, ko: str, en: str) -> LabFinding:
    """Something that has to be mended before the lab is handed out; a number is a line."""
    place = f"line {where}" if isinstance(where, int) else where
    return LabFinding(file=file, where=place, said=Text(ko=ko, en=en))


def to_write(file: str, where: str | int, ko: str, en: str) -> LabFinding:
    """Something that the author has still to write."""
    return wrong(file, where, ko, en).model_copy(update={"kind": "to_write"})
