"""The check of text contrast.

The rule this module keeps: the specification says what is meant, the picture says what is seen, and the worse of the two
counts.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from labs.checks import CheckResult, Finding, failed, passed
from labs.texts import Text
from uiux_design.color import contrast as ratio
from uiux_design.color import needed_contrast
from uiux_design.draw import draw
from uiux_design.fonts import HELP, FontMissingError
from uiux_design.pictures import as_base64, crop, measured_contrast, read_picture
from uiux_design.scoring import by_faults, name, read_page
from uiux_design.wireframe import FILE, PICTURE, Element, Wireframe

#: Small letters are all soft edge. What our own drawing of the element loses to it is given back, up to this factor: 12 px
#: letters were measured at 0.74 of their colour's contrast, 16 px letters at 0.98.
MOST_GIVEN_BACK = 1.35
#: A measured ratio may be this much under the needed one.
TOLERANCE = 0.95


def text_contrast(folder: Path, *, file: str = FILE, picture: str = PICTURE) -> CheckResult:
    """Check that every text can be read on its ground, in the specification and in the picture.

    Source: WCAG 2.2, success criterion 1.4.3 (AA): 4.5:1; large text (24 px, or 18.66 px in bold) 3:1.
    """
    wireframe = read_page(folder, file)
    if isinstance(wireframe, CheckResult):
        return wireframe
    image = read_picture(folder, picture)
    if isinstance(image, CheckResult):
        return image
    texts = wireframe.texts()
    if not texts:
        return failed(
            Text(ko="글자가 있는 요소가 없습니다.", en="No element has text."),
            Text(ko="제목, 본문, 버튼에 문구를 넣으세요.", en="Put words into headings, body text and buttons."),
            where=file,
        )
    try:
        meant = draw(wireframe)
    except FontMissingError:
        return failed(HELP)
    faults = [fault for element in texts if (fault := _fault(wireframe, image, meant, element))]
    fine = passed(
        f"글자 요소 {len(texts)}개 모두 WCAG 2.2의 대비를 지킵니다(시안과 그림 모두).",
        f"All {len(texts)} texts keep WCAG 2.2 contrast, in the specification and in the picture.",
    )
    return by_faults(faults, fine)


def _seen(image: Image.Image, meant: Image.Image, element: Element, said: float) -> float | None:
    """Give the contrast in the picture, with what soft edges take given back; None where no letters are seen."""
    measured, own = measured_contrast(image, element), measured_contrast(meant, element)
    if measured is None or own is None:
        return measured
    return measured * min(max(1.0, said / own), MOST_GIVEN_BACK)


def _fault(wireframe: Wireframe, image: Image.Image, meant: Image.Image, element: Element) -> Finding | None:
    needed = needed_contrast(element.size, bold=element.bold)
    said = ratio(element.color, wireframe.ground(element))
    seen = _seen(image, meant, element, said)
    if said >= needed and seen is not None and seen >= needed * TOLERANCE:
        return None
    part = crop(image, element)
    return Finding(
        where=name(element),
        found=_found(said, seen),
        right=Text(
            ko=f"{needed:g}:1 이상이어야 합니다(WCAG 2.2 1.4.3). 글자색을 더 진하게 하거나 배경색을 바꾸세요.",
            en=f"It must be at least {needed:g}:1 (WCAG 2.2, 1.4.3). Make the text darker or change its background.",
        ),
        picture=as_base64(part) if part else None,
    )


def _found(said: float, seen: float | None) -> Text:
    if seen is None:
        return Text(
            ko=f"시안의 대비는 {said:.1f}:1인데 그림에서는 글자가 보이지 않습니다.",
            en=f"The specification says {said:.1f}:1, but no letters are seen in the picture.",
        )
    return Text(
        ko=f"글자 대비가 시안에서 {said:.1f}:1, 그림에서 {seen:.1f}:1입니다.",
        en=f"Its contrast is {said:.1f}:1 in the specification and {seen:.1f}:1 in the picture.",
    )
