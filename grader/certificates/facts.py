"""What a certificate states, as plain data. The rule: every text of a person's is cleaned here, before it is printed or signed."""

from __future__ import annotations

import unicodedata
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from labs.texts import Lang, Text

LONGEST_TITLE = 200


def plain(text: str) -> str:
    """One line of text without signs that hide or turn other text: composed, control and format signs taken out."""
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if sign.isspace() else sign for sign in composed)
    return " ".join("".join(sign for sign in spaced if unicodedata.category(sign)[0] != "C").split())


Line = Annotated[str, AfterValidator(plain), Field(min_length=1, max_length=120)]


def _title(text: Text) -> Text:
    return Text(ko=_short(plain(text.ko)), en=_short(plain(text.en)))


def _short(line: str) -> str:
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1] + "…"


Title = Annotated[Text, AfterValidator(_title)]


class Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Unit(Facts):
    """A competency unit; `framework` is the profession pack that names it, `code` its code in the national standard."""

    id: str
    title: Title
    framework: Title
    code: str | None = None


class PassedLab(Facts):
    """A lab that the frozen decision rests on; `sha256` is the hash of what was handed in."""

    id: str
    title: Title
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class CertificateFacts(Facts):
    """Everything that paper, badge and page say; `salt` hides the name in the badge from a casual look."""

    number: str
    name: Line
    name_en: Annotated[str, AfterValidator(plain), Field(max_length=120)] = ""
    institution_id: str
    institution: Title
    programme: Title
    course_id: str
    course: Title
    starts_on: date
    ends_on: date
    hours: int = Field(ge=0)
    units: tuple[Unit, ...] = ()
    labs: tuple[PassedLab, ...] = ()
    issued_on: date
    verify_url: str
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")

    @model_validator(mode="after")
    def _begins_first(self) -> Self:
        if self.ends_on < self.starts_on:
            raise ValueError("a course run ends after it starts")
        return self

    def name_in(self, lang: Lang) -> str:
        """The name as a language's paper has it: in English the romanised one first, where it is known."""
        if not self.name_en or self.name_en == self.name:
            return self.name
        return f"{self.name_en} ({self.name})" if lang == "en" else f"{self.name} ({self.name_en})"


def masked(name: str) -> str:
    """A name that its owner recognises and a stranger does not: 김○늘, 이○, A○○○ M○○○○○."""
    words = name.split()
    if len(words) == 1 and len(name) > 2 and "가" <= name[0] <= "힣":
        return name[0] + "○" * (len(name) - 2) + name[-1]
    return " ".join(word[0] + "○" * (len(word) - 1) for word in words)
