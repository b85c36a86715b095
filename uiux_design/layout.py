"""The check of the layout, and the automatic layout that a designer's tool offers.

The rule this module keeps: a page is read from top to bottom and from left to right, in the order of the specification.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

from labs.checks import CheckResult, Finding, failed, passed
from labs.texts import Text
from uiux_design.draw import PAD_X, pads, text_height, wrap
from uiux_design.fonts import HELP, FontMissingError, FontPair, find_fonts
from uiux_design.scoring import by_faults, name, read_page
from uiux_design.wireframe import FILE, MAX_ELEMENT_HEIGHT, MAX_HEIGHT, SECTION_PAD, Element, Wireframe

MARGIN, GAP = 16, 12


def layout(folder: Path, *, file: str = FILE, frame_width: int = 390) -> CheckResult:
    """Check that everything is inside the frame, nothing overlaps, text fits its box, and the order is how one reads.

    Sources: the brief's frame; WCAG 2.2, 1.3.2 Meaningful Sequence (order), 1.4.10 Reflow (no sideways scrolling).
    """
    wireframe = read_page(folder, file)
    if isinstance(wireframe, CheckResult):
        return wireframe
    try:
        fonts = find_fonts()
    except FontMissingError:
        return failed(HELP)
    faults = [*_outside(wireframe, frame_width), *_overlapping(wireframe), *_unordered(wireframe), *_too_long(wireframe, fonts)]  # fmt: skip
    fine = passed(
        f"요소 {len(wireframe.elements)}개가 겹치지 않고 {frame_width}px 화면 안에 읽는 순서대로 있습니다.",
        f"{len(wireframe.elements)} elements stand in reading order inside the {frame_width} px frame, none overlapping.",
    )
    return by_faults(faults, fine)


def _outside(wireframe: Wireframe, frame_width: int) -> list[Finding]:
    found = []
    if wireframe.width != frame_width:
        found.append(
            Finding(
                where=FILE,
                found=Text(ko=f"화면 폭이 {wireframe.width}px입니다.", en=f"The frame is {wireframe.width} px wide."),
                right=Text(ko=f"브리프의 폭은 {frame_width}px입니다.", en=f"The brief asks for {frame_width} px."),
            )
        )
    for element in wireframe.elements:
        if element.x < 0 or element.y < 0 or element.right > wireframe.width or element.bottom > wireframe.height:
            found.append(
                Finding(
                    where=name(element),
                    found=Text(
                        ko=f"화면 밖으로 나갑니다(x {element.x}~{element.right}, y {element.y}~{element.bottom}).",
                        en=f"It leaves the frame (x {element.x} to {element.right}, y {element.y} to {element.bottom}).",
                    ),
                    right=Text(
                        ko=f"x 0~{wireframe.width}, y 0~{wireframe.height} 안에 두세요.",
                        en=f"Keep it within x 0 to {wireframe.width}, y 0 to {wireframe.height}.",
                    ),
                )
            )
    return found


def _overlapping(wireframe: Wireframe) -> list[Finding]:
    return [
        Finding(
            where=f"{name(first)} · {name(second)}",
            found=Text(ko="두 요소가 겹칩니다.", en="The two elements overlap."),
            right=Text(ko=_apart(first, second, "ko"), en=_apart(first, second, "en")),
        )
        for first, second in combinations(wireframe.elements, 2)
        if first.overlaps(second)
    ]


def _apart(first: Element, second: Element, lang: str) -> str:
    upper, lower = sorted((first, second), key=lambda element: element.y)
    if lang == "en":
        return f"Move {lower.id} to y {upper.bottom + GAP} or lower."
    return f"{lower.id}의 y를 {upper.bottom + GAP} 이상으로 내리세요."


def _unordered(wireframe: Wireframe) -> list[Finding]:
    return [
        Finding(
            where=f"{name(first)} → {name(second)}",
            found=Text(
                ko="시안의 순서와 화면에서 읽는 순서가 다릅니다.",
                en="The order of the specification is not the order on screen.",
            ),
            right=Text(
                ko=f"화면에서 먼저 읽는 {second.id}에 더 작은 순서 번호를 주세요.",
                en=f"{second.id} is read first: give it the smaller order number.",
            ),
        )
        for first, second in pairwise(wireframe.elements)
        if is_read_before(second, first)
    ]


def is_read_before(first: Element, second: Element) -> bool:
    """Say whether the first is plainly read before the second: above it, or beside it on the left."""
    if first.bottom <= second.y:
        return True
    same_row = first.y < second.bottom and second.y < first.bottom
    return same_row and first.right <= second.x


def _too_long(wireframe: Wireframe, fonts: FontPair) -> list[Finding]:
    found = []
    for element in wireframe.elements:
        need = text_height(element, fonts)
        widest = max((fonts.at(element.size, bold=element.bold).getlength(line) for line in wrap(element, fonts)), default=0)  # fmt: skip
        room = element.width - (2 * PAD_X if pads(element) else 0)
        if need > element.height or widest > room + 1:
            found.append(
                Finding(
                    where=name(element),
                    found=Text(
                        ko=f"글자에 {need}px 높이가 필요한데 상자는 {element.height}px입니다.",
                        en=f"Its text needs {need} px of height; the box has {element.height}.",
                    ),
                    right=Text(ko="상자를 키우거나 문구를 줄이세요.", en="Make the box larger or the text shorter."),
                )
            )
    return found


def stack(wireframe: Wireframe, fonts: FontPair | None = None) -> Wireframe:
    """Lay the elements out one under another in their order: sections together, margins kept, boxes high enough.

    Widths and heights stay where they suffice. What does not fit the longest possible page stays below its edge.
    """
    fonts = fonts or find_fonts()
    order = {section.id: number for number, section in enumerate(wireframe.sections)}
    elements = sorted(wireframe.elements, key=lambda element: order.get(element.section, len(order)))
    y, section, placed = 0, "", []
    for element in elements:
        y += (SECTION_PAD if section == "" else 2 * SECTION_PAD) if element.section != section else GAP
        section = element.section
        width = min(element.width, wireframe.width - 2 * MARGIN)
        fitting = element.model_copy(update={"x": MARGIN, "y": min(y, 2 * MAX_HEIGHT), "width": width})
        fitting = fitting.model_copy(
            update={"height": min(MAX_ELEMENT_HEIGHT, max(element.height, text_height(fitting, fonts)))}
        )
        placed.append(fitting)
        y = fitting.bottom
    return wireframe.model_copy(update={"elements": tuple(placed), "height": min(MAX_HEIGHT, y + SECTION_PAD)})
