"""Which column is which field: by known names in Korean and English, by what was mapped by hand, and by nothing else.

The rule: a heading that nobody knows is never guessed; it is listed, to be mapped by hand or left out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from labs.texts import Text, UserError

Kind = Literal["roster", "timetable", "attendance"]
DATA = Path(__file__).with_name("columns.yaml")
#: What a heading is mapped to that is to be left out.
LEFT_OUT = ""
LONGEST_HEADING = 120


class Field(BaseModel):
    """A field of a kind: its name, what would be right in it, and what its column may be called."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Text
    right: Text
    headings: tuple[str, ...]


class FileKind(BaseModel):
    """A kind of file: its fields, of which groups one is needed, and the rows of its template."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Text
    needs: tuple[tuple[str, ...], ...]
    fields: dict[str, Field]
    example: tuple[dict[str, str], ...]


class BadColumns(UserError):
    """A mapping of columns that cannot be."""


@dataclass(frozen=True)
class Columns:
    """A table's headings with their fields, where known; `mapped` has a heading's field, or LEFT_OUT by hand."""

    kind: Kind
    headings: tuple[str, ...]
    mapped: Mapping[str, str]

    @property
    def at(self) -> dict[str, int]:
        """Each field's column."""
        return {self.mapped[heading]: index for index, heading in enumerate(self.headings) if self.mapped.get(heading)}

    @property
    def unknown(self) -> tuple[str, ...]:
        """Headings that nobody mapped."""
        return tuple(dict.fromkeys(h for h in self.headings if h and h not in self.mapped))

    @property
    def missing(self) -> tuple[tuple[str, ...], ...]:
        """The groups of fields of which none is there."""
        return tuple(group for group in file_kind(self.kind).needs if not any(field in self.at for field in group))

    @property
    def used(self) -> dict[str, str]:
        """The headings that are read, with their fields."""
        return {heading: field for heading, field in self.mapped.items() if field}


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DATA.read_text("utf-8"))
    return found


@cache
def file_kind(kind: Kind) -> FileKind:
    """What is known of a kind of file."""
    return FileKind.model_validate(_data()[kind])


@cache
def statuses() -> tuple[tuple[str, str], ...]:
    """Words of a roster's status, with the end of the enrolment that they mean; the first that is found decides."""
    return tuple((word, means) for word, means in _data()["statuses"])


def plain_heading(heading: str) -> str:
    """A heading as it is compared and remembered: without spaces, signs and capitals."""
    text = unicodedata.normalize("NFKC", heading).casefold()
    return "".join(sign for sign in text if sign.isalnum())[:LONGEST_HEADING]


def known_columns(kind: Kind, headings: Sequence[str], remembered: Mapping[str, str]) -> Columns:
    """Map a table's headings; what was mapped by hand (by plain heading) goes before the known names."""
    names = {plain_heading(name): field for field, data in file_kind(kind).fields.items() for name in data.headings}
    names |= {heading: field for heading, field in remembered.items() if field in (*file_kind(kind).fields, LEFT_OUT)}
    mapped = {heading: names[plain_heading(heading)] for heading in headings if plain_heading(heading) in names}
    by_field: dict[str, list[str]] = {}
    for heading in headings:
        if mapped.get(heading):
            by_field.setdefault(mapped[heading], []).append(heading)
    # Of two columns with one meaning none is taken, unless one was chosen by hand: which is right is for somebody to say.
    for field, found in by_field.items():
        chosen = [heading for heading in found if remembered.get(plain_heading(heading)) == field]
        kept = chosen if len(chosen) == 1 else []
        for heading in found if len(found) > 1 else ():
            if heading not in kept:
                mapped.pop(heading, None)
    return Columns(kind, tuple(headings), mapped)


def checked_mapping(kind: Kind, typed: Mapping[str, str]) -> dict[str, str]:
    """A mapping by hand, by plain heading, as it is remembered; BadColumns where it cannot be."""
    fields = file_kind(kind).fields
    mapping = {plain_heading(heading): field for heading, field in typed.items() if plain_heading(heading)}
    for field in mapping.values():
        if field not in (*fields, LEFT_OUT):
            raise BadColumns(f"{field[:40]!r}: 그런 항목이 없습니다.", f"there is no field {field[:40]!r}")
    chosen = [field for field in mapping.values() if field]
    if twice := next((field for field in chosen if chosen.count(field) > 1), None):
        title = fields[twice].title
        raise BadColumns(
            f"'{title.ko}'(으)로 지정한 열이 둘 이상입니다. 하나만 남기세요.",
            f"more than one column is mapped to '{title.en}'; keep one",
        )
    return mapping
