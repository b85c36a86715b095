"""Shared steps of the pack's checks: partial credit, and reading the two deliverables together.

The rule this module keeps: a page too empty to judge earns nothing, and each further fault costs a quarter, so that one
slip is not a failed criterion and four are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labs.checks import CheckResult, Finding, failed, share
from labs.texts import Text
from uiux_design.wireframe import Element, Wireframe, read_wireframe

COST = 0.25
MIN_ELEMENTS = 6


def read_page(folder: Path, file: str) -> Wireframe | CheckResult:
    """Read a specification that has enough on it to be judged."""
    wireframe = read_wireframe(folder, file)
    if isinstance(wireframe, CheckResult) or len(wireframe.elements) >= MIN_ELEMENTS:
        return wireframe
    count = len(wireframe.elements)
    return failed(
        Text(ko=f"요소가 {count}개뿐이라 페이지로 볼 수 없습니다.", en=f"With {count} elements it is not a page yet."),
        Text(ko=f"브리프가 요구하는 요소를 {MIN_ELEMENTS}개 이상 배치하세요.", en=f"Place at least {MIN_ELEMENTS} of the elements that the brief asks for."),
        where=file,
    )  # fmt: skip


def by_faults(faults: Sequence[Finding], fine: CheckResult) -> CheckResult:
    """Full points where there is no fault; else each costs a quarter."""
    return share(max(0.0, 1 - COST * len(faults)), 1, faults) if faults else fine


def name(element: Element) -> str:
    """Name an element for a reader: its id and the beginning of its text."""
    start = " ".join(element.text.split())[:18]
    return f"{element.id} \u201c{start}\u201d" if start else element.id
