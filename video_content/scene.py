"""The drawn interview: a leather workshop in three shots, with a mouth that follows the sound.

The rule this module keeps: a frame is a function of its time and of the sound's level, nothing else. Heads sway, the
camera pushes in and the seam grows all the time, so that a frame tells which moment of the source it came from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from video_content.script import Key, Shot

#: Drawn at twice the clip's size and scaled down, which smooths the edges.
DRAWN = (1280, 720)
SIZE = (640, 360)
#: A shot begins this long before its line is spoken.
LEAD_SECONDS = 0.4

WALL, WALL_LOW, WOOD, WOOD_DARK, WOOD_LIGHT = "#d9cdbb", "#cbbca6", "#9a6b42", "#7b5232", "#b98a5c"
SKIN, SKIN_SHADE, HAIR, SHIRT, APRON, STRAP = "#e8bd98", "#d6a37c", "#33261f", "#56707f", "#3d4a3f", "#8a5a33"
LEATHER, LEATHER_DARK, THREAD, INK, LIGHT = "#b5713a", "#8f5527", "#f3e7cf", "#2a211c", "#f6efdc"

Draw = ImageDraw.ImageDraw


@dataclass(frozen=True)
class Cut:
    """A shot with its time, its number (each is framed a little differently) and who speaks in it."""

    start: float
    end: float
    shot: Shot
    number: int
    voice: str


def cuts_of(key: Key) -> list[Cut]:
    """Lay the shots out over the clip: one for each line, from a little before it is spoken."""
    starts = [0.0, *(moment.start - LEAD_SECONDS for moment in key.moments[1:])]
    ends = [*starts[1:], key.duration_seconds + 1]
    return [
        Cut(start, end, moment.shot, number, moment.voice)
        for number, (start, end, moment) in enumerate(zip(starts, ends, key.moments, strict=True))
    ]


def draw_frame(cut: Cut, seconds: float, level: float) -> NDArray[np.uint8]:
    """Draw the frame of a shot at a time of the clip; level is the sound's, from 0 to 1."""
    picture = _BACKGROUNDS[cut.shot]().copy()
    draw = ImageDraw.Draw(picture, "RGBA")
    _DRAWERS[cut.shot](draw, cut, seconds, level)
    return np.asarray(picture.resize(SIZE, Image.Resampling.BILINEAR, box=_camera(cut, seconds), reducing_gap=2.0))


def _camera(cut: Cut, seconds: float) -> tuple[float, float, float, float]:
    """Push in by two per cent a second, from a framing of the shot's own, with a hand's slight unrest."""
    within = max(0.0, seconds - cut.start)
    zoom = 0.94 - 0.014 * min(within, 10) - 0.02 * (cut.number % 3)
    width, height = DRAWN[0] * zoom, DRAWN[1] * zoom
    lean_x = 0.5 + 0.38 * math.sin(cut.number * 2.1) + 0.06 * math.sin(seconds * 0.9)
    lean_y = 0.5 + 0.25 * math.cos(cut.number * 1.3) + 0.05 * math.sin(seconds * 1.3)
    left, top = (DRAWN[0] - width) * lean_x, (DRAWN[1] - height) * lean_y
    return left, top, left + width, top + height


@lru_cache(maxsize=1)
def _room() -> Image.Image:
    """The workshop without people: window, tools on the wall, shelf, lamp, bench."""
    picture = Image.new("RGB", DRAWN, WALL)
    draw = ImageDraw.Draw(picture, "RGBA")
    draw.rectangle((0, 430, 1280, 720), fill=WALL_LOW)
    _window(draw)
    _tool_board(draw)
    _shelf(draw)
    draw.polygon([(60, 60), (400, 60), (760, 720), (260, 720)], fill=(255, 246, 214, 34))
    return picture


def _window(draw: Draw) -> None:
    draw.rectangle((70, 60, 390, 380), fill="#6f5a45")
    draw.rectangle((84, 74, 376, 366), fill="#cfe3ea")
    draw.rectangle((84, 250, 376, 366), fill="#b7cdb4")
    for x, top in ((110, 210), (190, 180), (285, 225)):
        draw.ellipse((x, top, x + 90, top + 130), fill="#8fae8a")
    for bar in ((224, 74, 236, 366), (84, 214, 376, 226)):
        draw.rectangle(bar, fill="#6f5a45")
    draw.rectangle((56, 380, 404, 398), fill=WOOD_LIGHT)


def _tool_board(draw: Draw) -> None:
    draw.rounded_rectangle((480, 90, 830, 300), 10, fill="#c3a582")
    for x in range(500, 830, 24):
        for y in range(108, 300, 24):
            draw.ellipse((x, y, x + 4, y + 4), fill="#a98963")
    for number, x in enumerate(range(520, 820, 50)):
        draw.rounded_rectangle((x, 120, x + 14, 190), 5, fill=(STRAP, "#5d4a3a")[number % 2])
        draw.polygon([(x + 2, 190), (x + 12, 190), (x + 7 + 8 * (number % 3 - 1), 250)], fill="#8d8f90")


def _shelf(draw: Draw) -> None:
    draw.rectangle((890, 210, 1240, 226), fill=WOOD)
    for x, colour in ((905, LEATHER), (975, "#7a3f25"), (1045, "#c58a4d"), (1115, "#53392a")):
        draw.ellipse((x, 150, x + 62, 210), fill=colour)
        draw.ellipse((x + 20, 169, x + 42, 191), fill="#e7d4b8")
    draw.rectangle((890, 370, 1240, 386), fill=WOOD)
    for x, colour in ((910, "#8f5527"), (1030, "#5b6b57"), (1140, "#a8643a")):
        draw.rounded_rectangle((x, 292, x + 88, 370), 12, fill=colour)
        draw.arc((x + 20, 262, x + 68, 322), 180, 360, fill=colour, width=8)


@lru_cache(maxsize=1)
def _wide_background() -> Image.Image:
    picture = _room().copy()
    draw = ImageDraw.Draw(picture)
    draw.line((640, 0, 640, 40), fill=INK, width=4)
    draw.polygon([(600, 84), (680, 84), (660, 40), (620, 40)], fill="#c9803f")
    return picture


@lru_cache(maxsize=1)
def _close_background() -> Image.Image:
    """The same room out of focus: what a long lens leaves of it."""
    part = _room().crop((400, 60, 1040, 420)).resize(DRAWN, Image.Resampling.BICUBIC)
    return part.filter(ImageFilter.GaussianBlur(14))


@lru_cache(maxsize=1)
def _detail_background() -> Image.Image:
    picture = Image.new("RGB", DRAWN, WOOD)
    draw = ImageDraw.Draw(picture, "RGBA")
    for number, y in enumerate(range(-20, 740, 36)):
        draw.line(
            [(x, y + 10 * math.sin(x / 170 + number * 1.7)) for x in range(0, 1300, 40)],
            fill=WOOD_DARK if number % 3 else WOOD_LIGHT,
            width=3,
        )
    draw.rounded_rectangle((1010, 60, 1060, 330), 14, fill="#5d4a3a")
    draw.polygon([(1014, 330), (1056, 330), (1036, 440)], fill="#a7abad")
    draw.ellipse((70, 60, 250, 240), fill="#efe0c2")
    draw.ellipse((125, 115, 195, 185), fill=WOOD_DARK)
    draw.polygon([(210, 300), (1060, 260), (1110, 640), (250, 680)], fill=(40, 24, 12, 90))
    draw.polygon([(200, 280), (1050, 240), (1100, 620), (240, 660)], fill=LEATHER)
    draw.polygon([(200, 280), (1050, 240), (1056, 290), (206, 330)], fill="#c5854c")
    return picture


def _wide(draw: Draw, cut: Cut, seconds: float, level: float) -> None:
    maker, asking = cut.voice == "maker", cut.voice != "maker"
    x, y = 800 + 10 * math.sin(seconds * 0.8), 300 + 5 * math.sin(seconds * 1.7)
    _bust(draw, x, y, 0.52, seconds, level if maker else 0.0)
    draw.rectangle((430, 520, 1280, 560), fill=WOOD_LIGHT)
    draw.rectangle((430, 560, 1280, 720), fill=WOOD)
    draw.polygon([(640, 505), (880, 500), (900, 524), (630, 526)], fill=LEATHER)
    reach = 40 * math.sin(seconds * 1.1)
    draw.line((690, 470, 720 + reach, 505), fill=SHIRT, width=42)
    draw.ellipse((700 + reach, 484, 744 + reach, 524), fill=SKIN)
    _from_behind(draw, 250 + 8 * math.sin(seconds * 0.7), 330 + (26 * level if asking else 3 * math.sin(seconds)))


def _from_behind(draw: Draw, x: float, y: float) -> None:
    """The interviewer, seen from behind: a head of hair and a jacket."""
    draw.rounded_rectangle((x - 170, y + 120, x + 170, y + 520), 90, fill="#6b4c58")
    draw.rectangle((x - 34, y + 70, x + 34, y + 140), fill=SKIN_SHADE)
    draw.ellipse((x - 92, y - 110, x + 92, y + 100), fill="#46332b")
    draw.ellipse((x - 34, y - 150, x + 34, y - 84), fill="#46332b")


def _close(draw: Draw, cut: Cut, seconds: float, level: float) -> None:
    side = 1 if cut.number % 2 else -1
    x = 640 + side * 90 + 22 * math.sin(seconds * 0.83) + 9 * math.sin(seconds * 2.1)
    _bust(draw, x, 330 + 10 * math.sin(seconds * 1.37) - 12 * level, 1.25, seconds, level)


def _bust(draw: Draw, x: float, y: float, size: float, seconds: float, mouth: float) -> None:
    """The maker from the chest up, the face's middle at (x, y)."""

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return x + left * size, y + top * size, x + right * size, y + bottom * size

    draw.rounded_rectangle(box(-210, 165, 210, 700), 90 * size, fill=SHIRT)
    draw.polygon(
        [
            (x - 105 * size, y + 700 * size),
            (x - 80 * size, y + 230 * size),
            (x + 80 * size, y + 230 * size),
            (x + 105 * size, y + 700 * size),
        ],
        fill=APRON,
    )
    for strap in (-78, 58):
        draw.rectangle(box(strap, 165, strap + 20, 240), fill=STRAP)
    draw.rounded_rectangle(box(-42, 80, 42, 190), 30 * size, fill=SKIN_SHADE)
    draw.ellipse(box(-128, -165, 128, 90), fill=HAIR)
    draw.ellipse(box(-108, -120, 108, 135), fill=SKIN)
    draw.pieslice(box(-120, -160, 120, 60), 180, 360, fill=HAIR)
    draw.polygon(
        [(x - 118 * size, y - 56 * size), (x + 118 * size, y - 56 * size), (x + 60 * size, y - 36 * size)], fill=HAIR
    )
    for ear in (-122, 92):
        draw.ellipse(box(ear, -20, ear + 30, 40), fill=SKIN_SHADE)
    _face(draw, box, size, seconds, mouth)


def _face(draw: Draw, box: Any, size: float, seconds: float, mouth: float) -> None:
    blinking = seconds % 3.7 < 0.14
    look = 5 * math.sin(seconds * 0.6)
    for eye in (-46, 46):
        if blinking:
            draw.line(box(eye - 15, 0, eye + 15, 2), fill=INK, width=max(1, round(5 * size)))
        else:
            draw.ellipse(box(eye - 17, -12, eye + 17, 14), fill="#fffaf2")
            draw.ellipse(box(eye - 9 + look, -10, eye + 9 + look, 12), fill=INK)
        draw.arc(
            box(eye - 26, -40 - 8 * mouth, eye + 26, 4 - 8 * mouth), 205, 335, fill=HAIR, width=max(1, round(7 * size))
        )
    draw.arc(box(-14, 8, 14, 44), 20, 160, fill=SKIN_SHADE, width=max(1, round(6 * size)))
    if mouth < 0.06:
        draw.arc(box(-34, 44, 34, 84), 25, 155, fill="#9d4f43", width=max(1, round(6 * size)))
        return
    open_by = 8 + 34 * mouth
    draw.ellipse(box(-32, 72 - open_by / 2, 32, 74 + open_by), fill="#5b2020")
    draw.ellipse(box(-20, 70 + open_by * 0.5, 20, 73 + open_by), fill="#c8695f")
    draw.rectangle(box(-20, 74 - open_by / 2, 20, 80 - open_by / 2), fill="#fffaf2")


def _detail(draw: Draw, cut: Cut, seconds: float, level: float) -> None:
    """Hands at work: the seam grows, the needle swings, the sewing hand moves with the voice."""
    done = seconds * 0.012 + 0.08
    spots = [(250 + 780 * step / 60, 308 - 36 * step / 60) for step in range(60)]
    for x, y in spots:
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=LEATHER_DARK)
    sewn = [spot for number, spot in enumerate(spots) if number / 60 <= done]
    for x, y in sewn:
        draw.line((x - 8, y + 2, x + 7, y - 2), fill=THREAD, width=7)
    x, y = sewn[-1]
    swing = math.sin(seconds * 2.4 + cut.number)
    hand_x, hand_y = x + 150 + 60 * swing, y + 110 - 120 * max(0.0, swing)
    draw.line([(x, y), (x + 40, y + 60 - 90 * swing), (hand_x - 70, hand_y - 20)], fill=THREAD, width=5, joint="curve")
    draw.line((hand_x - 95, hand_y - 40, hand_x - 20, hand_y + 6), fill="#d9dcdd", width=6)
    _hand(draw, hand_x, hand_y - 6 * level, 1)
    _hand(draw, x - 190 + 14 * math.sin(seconds * 0.9), y + 230, -1)


def _hand(draw: Draw, x: float, y: float, side: int) -> None:
    draw.line((x + 60 * side, y + 70, x + 330 * side, y + 420), fill=SHIRT, width=150)
    draw.line((x + 50 * side, y + 60, x + 120 * side, y + 150), fill=SKIN, width=104)
    draw.ellipse((x - 62, y - 20, x + 92, y + 128), fill=SKIN)
    for number in range(4):
        tip_x, tip_y = x - 66 * side - 6 * number * side, y - 34 + 34 * number
        draw.line((x, y + 20 + 22 * number, tip_x, tip_y), fill=SKIN, width=36)
        draw.ellipse((tip_x - 18, tip_y - 18, tip_x + 18, tip_y + 18), fill=SKIN)
        draw.ellipse((tip_x - 11, tip_y - 9, tip_x + 7, tip_y + 6), fill="#f3d5bb")
        if number:
            draw.line((x - 10 * side, y + 8 + 22 * number, tip_x, tip_y - 17), fill=SKIN_SHADE, width=4)


_BACKGROUNDS = {"wide": _wide_background, "close": _close_background, "detail": _detail_background}
_DRAWERS = {"wide": _wide, "close": _close, "detail": _detail}
