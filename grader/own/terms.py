"""What an instructor says of an assignment of their own when handing it out."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from labs.catalog import packs
from labs.texts import UserError

#: An assignment's name is a folder, a part of addresses, and nbgrader's.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120, pattern=r"^[^\x00-\x1f]*$")
]


class BadTerms(UserError):
    """A title or a number that cannot be taken."""

    def __init__(self) -> None:
        super().__init__(
            "제목은 120자까지, 소요 시간은 1~6000분, 통과 기준은 0~100%로 입력하세요.",
            "Enter a title within 120 characters, 1 to 6000 minutes, and a pass mark of 0 to 100 percent.",
        )


class OwnTerms(BaseModel):
    """An assignment's title and what it counts for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title_ko: Title
    title_en: Title
    minutes: int = Field(ge=1, le=6000)
    pass_percent: int = Field(ge=0, le=100)
    required: bool = False


def terms_of(title_ko: str, title_en: str | None, minutes: int, pass_percent: int, required: bool) -> OwnTerms:
    """The terms as they were typed; BadTerms where they cannot be taken."""
    try:
        return OwnTerms(title_ko=title_ko, title_en=title_en or title_ko, minutes=minutes, pass_percent=pass_percent,
                        required=required)  # fmt: skip
    except ValidationError:
        raise BadTerms() from None


def is_own_name(name: str) -> bool:
    """Whether an assignment may be called so: a plain name that no pack's lab has."""
    return NAME.fullmatch(name) is not None and name not in pack_labs()


def pack_labs() -> frozenset[str]:
    """The labs of all packs."""
    return frozenset(lab.id for pack in packs().values() for lab in pack.labs)
