"""The check that the picture is what the specification draws.

The rule this module keeps: the specification is drawn again and the pixels are compared; a picture from another program,
another version or a retouching hand is seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from labs.checks import CheckResult, Finding, failed, passed, share
from labs.texts import Text
from uiux_design.draw import draw
from uiux_design.fonts import HELP, FontMissingError
from uiux_design.pictures import as_base64, crop, read_picture, side_by_side
from uiux_design.scoring import by_faults, name, read_page
from uiux_design.wireframe import FILE, PICTURE, Element

#: A pixel differs when a channel does by more than this: font engines round the edges of letters differently.
STEP = 48
#: So many pixels may differ in an element and in the whole: one changed digit of body text differs in 30 and more.
ELEMENT_PIXELS, WHOLE_PIXELS = 12, 40
AGAIN = Text(
    ko="요소 양식을 저장한 뒤 그리기 칸을 다시 실행하세요. 그림을 다른 도구로 고치지 마세요.",
    en="Save the element form, then run the drawing cell again. Do not retouch the picture with another tool.",
)


def as_specified(folder: Path, *, file: str = FILE, picture: str = PICTURE) -> CheckResult:
    """Check that the picture shows what the specification says, element by element.

    Source: the hand-over rule of the trade that a mock-up and its specification agree.
    """
    wireframe = read_page(folder, file)
    if isinstance(wireframe, CheckResult):
        return wireframe
    image = read_picture(folder, picture)
    if isinstance(image, CheckResult):
        return image
    try:
        meant = draw(wireframe)
    except FontMissingError:
        return failed(HELP)
    if image.size != meant.size:
        seen, said = (f"{a.width}×{a.height}px" for a in (image, meant))
        return failed(Text(ko=f"그림은 {seen}, 시안은 {said}입니다.", en=f"The picture is {seen}, the specification {said}."), AGAIN, where=picture)  # fmt: skip
    faults = [_fault(image, meant, element) for element in wireframe.elements if _differs(image, meant, element)]
    if not faults and _unlike(image, meant) > WHOLE_PIXELS:
        found = Text(
            ko="요소 사이의 바탕이 시안과 다릅니다.",
            en="The ground between the elements is not what the specification says.",
        )
        return share(0.5, 1, [Finding(where=picture, found=found, right=AGAIN)])
    return by_faults(faults, passed("그림이 시안과 같습니다.", "The picture is what the specification draws."))


def _unlike(image: Image.Image, meant: Image.Image) -> int:
    gap = np.abs(np.asarray(image, dtype=np.int16) - np.asarray(meant, dtype=np.int16)).max(axis=2)
    return int((gap > STEP).sum())


def _differs(image: Image.Image, meant: Image.Image, element: Element) -> bool:
    seen, said = crop(image, element), crop(meant, element)
    return seen is not None and said is not None and _unlike(seen, said) > ELEMENT_PIXELS


def _fault(image: Image.Image, meant: Image.Image, element: Element) -> Finding:
    seen, said = crop(image, element), crop(meant, element)
    both = side_by_side(seen, said) if seen and said else None
    return Finding(
        where=name(element),
        found=Text(
            ko="그림이 시안과 다릅니다(왼쪽 제출한 그림, 오른쪽 시안).",
            en="The picture differs (left: as handed in, right: as specified).",
        ),
        right=AGAIN,
        picture=as_base64(both) if both else None,
    )
