"""The pages' words in Korean and English. The rule: a message's id is its English text; Korean comes from the catalogue."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from babel import dates
from babel.messages.pofile import read_po

from labs.texts import LANGUAGES, Lang

CATALOGUES = Path(__file__).parent / "locale"
DOMAIN = "portal"
COOKIE = "practicum-lang"


def N_(message: str) -> str:
    """Mark a message that is translated where it is shown."""
    return message


class Words:
    """One language's messages, dates and times."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self._messages = _read(CATALOGUES / lang / "LC_MESSAGES" / f"{DOMAIN}.po")

    def gettext(self, message: str) -> str:
        """A message in this language; one without a translation stays English."""
        return self._messages.get(message, (message,))[0]

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """A message that counts something."""
        if found := self._messages.get(singular):
            return found[0]
        return singular if count == 1 else plural

    def fill(self, message: str, **values: Any) -> str:
        """A message with its values."""
        return self.gettext(message) % values

    def month(self, day: date) -> str:
        """A month with its year, such as 2026년 7월."""
        return dates.format_date(day, "y년 M월" if self.lang == "ko" else "MMMM y", locale=self.lang)

    @property
    def weekdays(self) -> list[str]:
        """Short names of the days of a week from Sunday on."""
        names = dates.get_day_names("abbreviated", locale=self.lang)
        return [str(names[number]) for number in (6, 0, 1, 2, 3, 4, 5)]

    def short_date(self, day: date) -> str:
        """A day for the head of a narrow column, such as 7/6."""
        return dates.format_date(day, "M/d" if self.lang == "ko" else "d MMM", locale=self.lang)

    def date(self, day: date) -> str:
        """A day with its weekday, such as 7월 6일 (월)."""
        return _date(day, self.lang)

    def time(self, moment: datetime, zone: tzinfo) -> str:
        """A moment's local time, such as 09:05."""
        local = moment.astimezone(zone)
        return f"{local.hour:02}:{local.minute:02}"

    def moment(self, moment: datetime, zone: tzinfo) -> str:
        """A day and its local time."""
        return f"{self.date(moment.astimezone(zone).date())} {self.time(moment, zone)}"


@lru_cache(4096)
def _date(day: date, lang: Lang) -> str:
    return dates.format_date(day, "M월 d일 (E)" if lang == "ko" else "EEE d MMM", locale=lang)


def _read(file: Path) -> dict[str, tuple[str, ...]]:
    if not file.is_file():
        return {}
    with file.open("rb") as stream:
        catalogue = read_po(stream)
    found: dict[str, tuple[str, ...]] = {}
    for message in catalogue:
        key = message.id[0] if isinstance(message.id, list | tuple) else message.id
        if key and message.string:
            found[key] = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return found


@cache
def load() -> dict[str, Words]:
    """Both languages."""
    return {lang: Words(lang) for lang in LANGUAGES}
