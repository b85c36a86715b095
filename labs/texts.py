"""Texts in the product's two languages, Korean first."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Lang = Literal["ko", "en"]
LANGUAGES: tuple[Lang, ...] = ("ko", "en")


class Text(BaseModel):
    """One text in Korean and English."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ko: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def in_(self, lang: str) -> str:
        """Give the text in a language; an unknown one reads Korean."""
        return self.en if lang == "en" else self.ko


class UserError(Exception):
    """An error that a user reads: what is wrong and what to do, in both languages."""

    def __init__(self, ko: str, en: str) -> None:
        super().__init__(en)
        self.text = Text(ko=ko, en=en)
