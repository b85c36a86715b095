"""The specification of a wireframe: sections, and the elements in them.

The rule this module keeps: the order of the elements is the reading order, and every length is a whole CSS pixel counted
from the frame's top left corner.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from labs.checks import CheckResult, failed, read_json
from labs.texts import Text

FRAME_WIDTH = 390
#: What a phone of this width shows before scrolling (390 x 844 is the viewport of common phones).
FIRST_SCREEN = 844
MAX_WIDTH, MAX_HEIGHT = 800, 4000
#: An element is no taller; keeps the time of a check bounded.
MAX_ELEMENT_HEIGHT = 1000
SECTION_PAD = 28
FILE, PICTURE = "wireframe.json", "wireframe.png"

Role = Literal["heading", "body", "button", "link", "image", "input"]
ROLES: tuple[Role, ...] = ("heading", "body", "button", "link", "image", "input")
#: Roles that a finger has to hit.
TARGETS: frozenset[Role] = frozenset({"button", "link", "input"})
BOLD: frozenset[Role] = frozenset({"heading", "button"})
ROLE_TEXTS: dict[Role, Text] = {
    "heading": Text(ko="제목", en="heading"),
    "body": Text(ko="본문", en="body text"),
    "button": Text(ko="버튼", en="button"),
    "link": Text(ko="링크", en="link"),
    "image": Text(ko="이미지", en="image"),
    "input": Text(ko="입력칸", en="input field"),
}
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]
Px = Annotated[int, Field(ge=-MAX_HEIGHT, le=2 * MAX_HEIGHT)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Section(Strict):
    """A band of the page, with its ground colour; `wants` says what the brief needs it for."""

    id: Name
    background: Colour
    wants: str = Field(default="", max_length=400)


class Element(Strict):
    """One thing on the page. Without a background, the section's ground shows."""

    id: Name
    section: Name
    role: Role
    text: str = Field(max_length=400)
    x: Px
    y: Px
    width: int = Field(ge=1, le=MAX_WIDTH)
    height: int = Field(ge=1, le=MAX_ELEMENT_HEIGHT)
    color: Colour
    background: Colour | None = None
    size: int = Field(default=16, ge=6, le=96, description="letter size in px")

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def bold(self) -> bool:
        return self.role in BOLD

    def overlaps(self, other: Element) -> bool:
        """Say whether two elements share a pixel."""
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


class Wireframe(Strict):
    """A page: its frame, its bands and its elements in reading order."""

    width: int = Field(default=FRAME_WIDTH, ge=1, le=MAX_WIDTH)
    height: int = Field(ge=1, le=MAX_HEIGHT)
    background: Colour = "#FFFFFF"
    sections: tuple[Section, ...] = Field(default=(), max_length=12)
    elements: tuple[Element, ...] = Field(default=(), max_length=60)

    def bands(self) -> list[tuple[int, int, str]]:
        """Give (top, bottom, colour) of each section: from its first element to the next section's first."""
        tops = []
        for section in self.sections:
            inside = [element.y for element in self.elements if element.section == section.id]
            if inside:
                tops.append((min(inside) - SECTION_PAD, section.background))
        tops.sort(key=lambda top: top[0])
        edges = [0, *(top for top, _ in tops[1:]), self.height] if tops else []
        return [(edges[n], edges[n + 1], colour) for n, (_, colour) in enumerate(tops) if edges[n] < edges[n + 1]]

    def ground(self, element: Element) -> str:
        """Give the colour behind an element's text."""
        if element.background:
            return element.background
        middle = element.y + element.height // 2
        return next((colour for top, bottom, colour in self.bands() if top <= middle < bottom), self.background)

    def texts(self) -> list[Element]:
        """Give the elements whose text a visitor reads: an image's text only says what will be shown there."""
        return [element for element in self.elements if element.role != "image" and element.text.strip()]


def read_wireframe(folder: Path, file: str) -> Wireframe | CheckResult:
    """Read a submitted specification, or give the result that says which field is wrong."""
    data = read_json(folder, file)
    if isinstance(data, CheckResult):
        return data
    try:
        return Wireframe.model_validate(data)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))[:120] or "-"
        return failed(
            Text(ko=f"{file}의 {place} 값을 읽을 수 없습니다.", en=f"{file}: the value at {place} cannot be read."),
            Text(ko="노트북의 요소 양식에서 다시 저장하세요.", en="Save it again from the notebook's element form."),
            where=f"{file}: {place}",
        )


def read_sections(path: Path) -> tuple[Section, ...]:
    """Read the sections that a lab hands out."""
    return tuple(Section.model_validate(item) for item in json.loads(path.read_text("utf-8")))


def to_json(wireframe: Wireframe) -> str:
    """Write a specification as it is handed in."""
    return json.dumps(wireframe.model_dump(exclude_none=True), ensure_ascii=False, indent=1) + "\n"
