"""The check of target sizes: what a finger can hit.

The rule this module keeps: a role decides what must be hit, and the brief may ask for more than the standard, never less.
"""

from __future__ import annotations

from pathlib import Path

from labs.checks import CheckResult, Finding, failed, passed
from labs.texts import Text
from uiux_design.scoring import by_faults, name, read_page
from uiux_design.wireframe import FILE, ROLE_TEXTS, TARGETS, Element

#: WCAG 2.2, 2.5.8 (AA).
MINIMUM_PX = 24


def target_size(folder: Path, *, file: str = FILE, primary_px: int = 44, minimum_px: int = MINIMUM_PX) -> CheckResult:
    """Check that buttons and input fields are as large as the brief asks, and links as the standard does.

    Source: WCAG 2.2, success criterion 2.5.8 Target Size (Minimum): 24 x 24 CSS px; its exceptions for spacing and for
    links in a sentence are not used here. 44 px is the brief's, and that of WCAG 2.5.5 (AAA).
    """
    wireframe = read_page(folder, file)
    if isinstance(wireframe, CheckResult):
        return wireframe
    targets = [element for element in wireframe.elements if element.role in TARGETS]
    if not any(element.role == "button" for element in targets):
        return failed(
            Text(ko="버튼이 없어 누를 곳이 없습니다.", en="There is no button to press."),
            Text(
                ko=f"가로세로 {primary_px}px 이상인 버튼을 두세요.", en=f"Place a button of at least {primary_px} px."
            ),
            where=file,
        )
    sizes = [(element, minimum_px if element.role == "link" else primary_px) for element in targets]
    faults = [_fault(element, px) for element, px in sizes if min(element.width, element.height) < px]
    fine = passed(f"누르는 요소 {len(targets)}개의 크기가 충분합니다.", f"All {len(targets)} targets are large enough.")
    return by_faults(faults, fine)


def _fault(element: Element, px: int) -> Finding:
    role, source = ROLE_TEXTS[element.role], "WCAG 2.2 2.5.8" if element.role == "link" else "brief"
    return Finding(
        where=name(element),
        found=Text(
            ko=f"{role.ko} 크기가 {element.width}×{element.height}px입니다.",
            en=f"The {role.en} is {element.width} x {element.height} px.",
        ),
        right=Text(
            ko=f"가로와 세로가 모두 {px}px 이상이어야 합니다({'브리프' if source == 'brief' else source}).",
            en=f"It must be at least {px} px wide and high ({'the brief' if source == 'brief' else source}).",
        ),
    )
