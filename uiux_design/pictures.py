"""Reading a submitted picture, and measuring it.

The rule this module keeps: a picture is hostile until its header is read; nothing larger than a wireframe is ever decoded.
"""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from labs.checks import CheckResult, failed, missing_file, safe_path
from labs.texts import Text
from uiux_design.color import luminance
from uiux_design.wireframe import MAX_HEIGHT, MAX_WIDTH, Element

MAX_BYTES = 5_000_000
#: A pixel belongs to the letters when a channel differs by more than this from the ground.
INK = 24
MIN_INK_PIXELS = 8
#: A box larger than this is measured by an even sample of its pixels.
MOST_PIXELS = 200_000
#: The edges of letters are mixed with the ground; this share of the inked pixels, counted up, is full colour.
FULL_COLOUR = 95
#: Corners and outlines of a box are no text.
EDGE_PX = 4
MAX_CROP = (390, 160)


def read_picture(folder: Path, file: str) -> Image.Image | CheckResult:
    """Open a submitted PNG as RGB, or give the result that says what is wrong with it."""
    path = safe_path(folder, file)
    if path is None:
        return missing_file(file)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("too many bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(path, formats=["PNG"]) as image:
                if image.width > MAX_WIDTH or image.height > MAX_HEIGHT:
                    raise ValueError("too many pixels")
                return image.convert("RGB")
    except Exception:  # a decoder meets hostile bytes: whatever it says, the picture cannot be used
        return failed(
            Text(ko=f"{file}을 PNG 그림으로 열 수 없습니다.", en=f"{file} cannot be opened as a PNG picture."),
            Text(
                ko=f"노트북의 그리기 칸을 다시 실행하세요. 가로 {MAX_WIDTH}px, 세로 {MAX_HEIGHT}px, 5MB 이하의 PNG여야 합니다.",
                en=f"Run the notebook's drawing cell again. It must be a PNG within {MAX_WIDTH} x {MAX_HEIGHT} px and 5 MB.",
            ),
            where=file,
        )


def crop(image: Image.Image, element: Element) -> Image.Image | None:
    """Cut an element's box out of a picture; None where nothing of it is inside."""
    box = (max(0, element.x), max(0, element.y), min(image.width, element.right), min(image.height, element.bottom))
    return image.crop(box) if box[0] < box[2] and box[1] < box[3] else None


def measured_contrast(image: Image.Image, element: Element) -> float | None:
    """Measure the contrast of the letters in an element's box; None where no letters are seen.

    The ground is the commonest colour; the letters are what differs from it.
    """
    part = crop(image, element)
    if part is None:
        return None
    pixels = np.asarray(part)
    if element.background or element.role in ("input", "button"):
        pixels = pixels[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX]
    flat = pixels.reshape(-1, 3)
    if len(flat) < MIN_INK_PIXELS:
        return None
    flat = flat[:: len(flat) // MOST_PIXELS + 1]
    ground = _commonest(flat)
    inked = np.abs(flat.astype(np.int16) - ground.astype(np.int16)).max(axis=1) > INK
    if inked.sum() < MIN_INK_PIXELS:
        return None
    return _high_contrast(flat[inked], ground)


def _commonest(flat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    codes = flat.astype(np.uint32) @ np.array([65536, 256, 1], dtype=np.uint32)
    values, counts = np.unique(codes, return_counts=True)
    code = int(values[counts.argmax()])
    return np.array([code >> 16, code >> 8 & 255, code & 255], dtype=np.uint8)


def _high_contrast(ink: NDArray[np.uint8], ground: NDArray[np.uint8]) -> float:
    light, behind = luminance(ink) + 0.05, float(luminance(ground)) + 0.05
    return float(np.percentile(np.maximum(light / behind, behind / light), FULL_COLOUR))


def as_base64(image: Image.Image) -> str:
    """Give a small PNG for a finding."""
    small = image.copy()
    small.thumbnail(MAX_CROP)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    """Put two pictures next to each other, with a gap."""
    both = Image.new("RGB", (left.width + right.width + 8, max(left.height, right.height)), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 8, 0))
    return both
