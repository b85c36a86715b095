"""The form of an AI limit: what was typed, and what is wrong with it. The rule: every problem names its field."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from pydantic import BaseModel

from hub_config.ai_gateway.config import Limit
from hub_config.ai_limits import Standing
from hub_config.portal.i18n import N_

WON = N_("Whole won from 0 to 1,000,000,000,000, or nothing: then there is no limit.")
TOKENS = N_("Whole tokens from 0 to 1,000,000,000,000,000, or nothing: then there is no limit.")
#: Each number of a limit: what it is called, the most that may be typed, and what would be right.
FIELDS = {
    "krw": (N_("Won in all"), 10**12, WON),
    "krw_per_day": (N_("Won in a day"), 10**12, WON),
    "tokens": (N_("Tokens in all"), 10**15, TOKENS),
    "tokens_per_day": (N_("Tokens in a day"), 10**15, TOKENS),
}


class BadNumbers(Exception):
    """Numbers that cannot be taken; `fields` are those that are wrong."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = fields


class LimitForm(BaseModel):
    """A limit as it was typed, or a change to be taken back; `seen` is the newest change that its page knew."""

    csrf: str = ""
    course: str = ""
    lab: str = ""
    seen: str = ""
    act: Literal["set", "back", "undo"] = "set"
    krw: str = ""
    krw_per_day: str = ""
    tokens: str = ""
    tokens_per_day: str = ""

    @property
    def limit(self) -> Limit:
        """What was typed as numbers; BadNumbers names the fields that are none."""
        read = {name: _number(getattr(self, name), most) for name, (_, most, _) in FIELDS.items()}
        if bad := [name for name, number in read.items() if number == _WRONG]:
            raise BadNumbers(bad)
        return Limit(**read)


_WRONG = -1


def typed(now: Standing) -> LimitForm:
    """The form of a limit as it stands."""
    numbers = {name: "" if number is None else f"{number:,}" for name, number in now.limit.model_dump().items()}
    return LimitForm(course=now.account.course, lab=now.account.lab, **numbers)


def _number(text: str, most: int) -> int | None:
    """A whole number as people write it, with commas and wide digits too; None where there is nothing."""
    plain = re.sub(r"[\s,]", "", unicodedata.normalize("NFKC", text))
    if not plain:
        return None
    return int(plain) if re.fullmatch(r"[0-9]{1,16}", plain) and int(plain) <= most else _WRONG
