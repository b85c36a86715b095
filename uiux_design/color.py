"""Colours and their contrast, as WCAG 2.2 defines it.

The rule this module keeps: a colour is six hexadecimal digits after '#', and a contrast is a number from 1 to 21.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rgb = tuple[int, int, int]

#: WCAG 2.2, 1.4.3: text 4.5:1, large text 3:1.
TEXT_RATIO, LARGE_TEXT_RATIO = 4.5, 3.0
#: WCAG 2.2, "large scale": 18 pt, or 14 pt in bold; 1 pt = 4/3 CSS px.
LARGE_PX, LARGE_BOLD_PX = 24.0, 14 * 4 / 3


def rgb(colour: str) -> Rgb:
    """Read '#RRGGBB'; ValueError for anything else."""
    if len(colour) != 7 or colour[0] != "#":
        raise ValueError(f"not a colour: {colour!r}")
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def luminance(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give the relative luminance, 0 to 1, of pixels in the last axis (WCAG 2.2, 'relative luminance')."""
    share = pixels[..., :3].astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(first: str, second: str) -> float:
    """Give the contrast ratio of two colours, 1 to 21 (WCAG 2.2, 'contrast ratio')."""
    light = luminance(np.array([rgb(first), rgb(second)], dtype=np.uint8))
    return float((light.max() + 0.05) / (light.min() + 0.05))


def needed_contrast(size_px: float, *, bold: bool) -> float:
    """Give the smallest contrast that text of a size may have (WCAG 2.2, 1.4.3)."""
    large = size_px >= LARGE_PX or (bold and size_px >= LARGE_BOLD_PX)
    return LARGE_TEXT_RATIO if large else TEXT_RATIO
