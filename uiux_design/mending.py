"""The check of a mended page: of the faults planted in a draft, which are gone, and whether what was sound still is.

The rule: mending counts only as far as nothing sound was broken or thrown away with it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import Field

from labs.checks import CheckResult, Finding, share
from labs.manifest import load
from labs.texts import Text
from uiux_design.brief import says
from uiux_design.color import contrast, needed_contrast
from uiux_design.layout import is_read_before
from uiux_design.scoring import name
from uiux_design.wireframe import FILE, TARGETS, Element, Strict, Wireframe, read_wireframe

BUTTON_PX, LINK_PX = 44, 24
Kind = Literal["contrast", "target", "outside", "order", "fact", "claim"]


class Fault(Strict):
    """A fault planted in one element. `right` and `wrong`: words by language, for faults of the words."""

    element: str
    kind: Kind
    because: Text
    right: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    wrong: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Key(Strict):
    """The institution's key of one draft."""

    faults: tuple[Fault, ...] = Field(min_length=1)


def mended(folder: Path, *, key: Path, draft: Path, kinds: list[str], lang: str, file: str = FILE) -> CheckResult:
    """Check the planted faults of some kinds: the share mended, less the share of sound elements broken.

    Sources: WCAG 2.2, 1.4.3 (contrast), 1.3.2 (order), 2.5.8 and the brief (targets); the brief's facts and words.
    """
    page = read_wireframe(folder, file)
    if isinstance(page, CheckResult):
        return page
    start, faults = Wireframe.model_validate_json(draft.read_text("utf-8")), load(key, Key).faults
    faulty = {fault.element for fault in faults}
    sound = [element for element in start.elements if element.id not in faulty]
    repairs = [_repair(page, fault, lang) for fault in faults if fault.kind in kinds]
    broken = [finding for element in sound if (finding := _broken(page, element))]
    score = sum(repair.ok for repair in repairs) / len(repairs) - len(broken) / len(sound)
    return share(score, 1, [*sorted(repairs, key=lambda finding: finding.ok), *broken])


def _repair(page: Wireframe, fault: Fault, lang: str) -> Finding:
    element = _named(page, fault.element)
    ok = fault.kind == "claim" if element is None else MENDED[fault.kind](page, element, fault, lang)
    if ok:
        told = Text(ko=f"고쳤습니다. {fault.because.ko}", en=f"Mended. {fault.because.en}")
    elif element is None:
        told = Text(ko="고치지 않고 없앴습니다.", en="It was taken out and not mended.")
    else:
        told = Text(ko="문제가 남아 있습니다.", en="The fault is still there.")
    return Finding(ok=ok, where=fault.element, found=told, right=fault.because)


def _has_contrast(page: Wireframe, element: Element) -> bool:
    return contrast(element.color, page.ground(element)) >= needed_contrast(element.size, bold=element.bold)


def _is_large(element: Element) -> bool:
    least = LINK_PX if element.role == "link" else BUTTON_PX if element.role in TARGETS else 0
    return min(element.width, element.height) >= least


def _is_placed(page: Wireframe, element: Element) -> bool:
    inside = element.x >= 0 and element.y >= 0 and element.right <= page.width and element.bottom <= page.height
    return inside and not any(element.overlaps(other) for other in page.elements if other.id != element.id)


def _is_in_order(page: Wireframe, element: Element) -> bool:
    at = [other.id for other in page.elements].index(element.id)
    return not (
        any(is_read_before(element, earlier) for earlier in page.elements[:at])
        or any(is_read_before(later, element) for later in page.elements[at + 1 :])
    )


def _says_right(element: Element, fault: Fault, lang: str) -> bool:
    right, wrong = fault.right.get(lang, ()), fault.wrong.get(lang, ())
    return (not right or any(says(element.text, word) for word in right)) and not any(
        says(element.text, word) for word in wrong
    )


MENDED: dict[Kind, Callable[[Wireframe, Element, Fault, str], bool]] = {
    "contrast": lambda page, element, _fault, _lang: _has_contrast(page, element),
    "target": lambda _page, element, _fault, _lang: _is_large(element),
    "outside": lambda page, element, _fault, _lang: _is_placed(page, element),
    "order": lambda page, element, _fault, _lang: _is_in_order(page, element),
    "fact": lambda _page, element, fault, lang: _says_right(element, fault, lang),
    "claim": lambda _page, element, fault, lang: _says_right(element, fault, lang),
}


def _broken(page: Wireframe, sound: Element) -> Finding | None:
    element = _named(page, sound.id)
    if element is None or element.text != sound.text or element.role != sound.role:
        told = Text(ko="문제가 없던 요소를 바꾸거나 없앴습니다.", en="A sound element was changed or taken out.")
    elif not (_has_contrast(page, element) and _is_large(element) and _is_placed(page, element)):
        told = Text(ko="문제가 없던 요소에 새 문제가 생겼습니다.", en="A sound element has a new fault.")
    else:
        return None
    right = Text(ko="그대로 두면 됩니다.", en="It could stay as it was.")
    return Finding(where=name(sound), found=told, right=right)


def _named(page: Wireframe, element_id: str) -> Element | None:
    return next((element for element in page.elements if element.id == element_id), None)
