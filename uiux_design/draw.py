"""Drawing a wireframe with Pillow.

The rule this module keeps: the same specification and the same fonts give the same pixels, and nothing is drawn that the
specification does not say. Text that does not fit its box runs over, as it would in a browser.
"""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from uiux_design.color import rgb
from uiux_design.fonts import FontPair, find_fonts
from uiux_design.wireframe import Element, Wireframe

LINE_HEIGHT = 1.4
RADIUS, PAD_X, FINE = 10, 12, 4
PLACEHOLDER, CROSS, EDGE = "#E3E7E4", "#C6CEC9", "#7C8781"


def draw(wireframe: Wireframe, fonts: FontPair | None = None) -> Image.Image:
    """Draw a wireframe, one image pixel for one CSS pixel; FontMissingError where no Korean font is found."""
    fonts = fonts or find_fonts()
    image = Image.new("RGB", (wireframe.width, wireframe.height), rgb(wireframe.background))
    pen = ImageDraw.Draw(image)
    for top, bottom, colour in wireframe.bands():
        pen.rectangle((0, top, wireframe.width, bottom - 1), fill=rgb(colour))
    for element in wireframe.elements:
        _draw_box(image, element)
        _draw_text(pen, element, fonts)
    return image


def _draw_box(image: Image.Image, element: Element) -> None:
    if element.role == "image":
        _draw_placeholder(image, element)
    elif element.role == "input":
        _rounded(image, element, EDGE)
        _rounded(image, element, element.background or "#FFFFFF", inset=1)
    elif element.role == "button" and not element.background:
        ImageDraw.Draw(image).rounded_rectangle(
            (element.x, element.y, element.right - 1, element.bottom - 1), RADIUS, outline=rgb(element.color)
        )
    elif element.background:
        _rounded(image, element, element.background, square=element.role in ("heading", "body", "link"))


def _draw_placeholder(image: Image.Image, element: Element) -> None:
    """Draw the crossed box that stands for a picture."""
    _rounded(image, element, element.background or PLACEHOLDER)
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = element.x, element.y, element.right - 1, element.bottom - 1
    inset = 3
    for start, end in (((left, top), (right, bottom)), ((left, bottom), (right, top))):
        dy = inset if start[1] < end[1] else -inset
        pen.line((start[0] + inset, start[1] + dy, end[0] - inset, end[1] - dy), fill=rgb(CROSS), width=1)


def _rounded(image: Image.Image, element: Element, colour: str, *, inset: int = 0, square: bool = False) -> None:
    """Paint a box with smooth corners; Pillow's own are stepped, so the mask is drawn larger."""
    width, height = element.width - 2 * inset, element.height - 2 * inset
    if width < 1 or height < 1:
        return
    radius = 0 if square else max(0, min(RADIUS - inset, width // 2, height // 2))
    corner = Image.new("L", (width, height), 255)
    if radius:
        small = Image.new("L", (2 * radius * FINE, 2 * radius * FINE), 0)
        ImageDraw.Draw(small).ellipse((0, 0, 2 * radius * FINE - 1, 2 * radius * FINE - 1), fill=255)
        disc = small.resize((2 * radius, 2 * radius), Image.Resampling.BOX)
        for right in (0, 1):
            for low in (0, 1):
                part = disc.crop((right * radius, low * radius, (right + 1) * radius, (low + 1) * radius))
                corner.paste(part, (right * (width - radius), low * (height - radius)))
    image.paste(Image.new("RGB", (width, height), rgb(colour)), (element.x + inset, element.y + inset), corner)


def _draw_text(pen: ImageDraw.ImageDraw, element: Element, fonts: FontPair) -> None:
    font = fonts.at(element.size, bold=element.bold)
    lines = wrap(element, fonts)
    step = round(element.size * LINE_HEIGHT)
    centred = element.role in ("button", "image")
    boxed = centred or element.role in ("input", "link") or element.background is not None
    y = element.y + ((element.height - step * len(lines)) // 2 if boxed else 0)
    pad = PAD_X if pads(element) else 0
    ascent, descent = font.getmetrics()
    for line in lines:
        width = font.getlength(line)
        x = element.x + (element.width - width) / 2 if centred else element.x + pad
        baseline = y + (step - ascent - descent) // 2 + ascent
        if element.role == "image":
            _label_ground(pen, element, round(x), y, round(width), step)
        pen.text((round(x), baseline), line, font=font, fill=rgb(element.color), anchor="ls")
        if element.role == "link":
            pen.line((round(x), baseline + 3, round(x + width), baseline + 3), fill=rgb(element.color), width=1)
        y += step


def _label_ground(pen: ImageDraw.ImageDraw, element: Element, x: int, y: int, width: int, step: int) -> None:
    """Keep the cross away from the words that say what picture goes here."""
    pen.rectangle((x - 8, y, x + width + 8, y + step), fill=rgb(element.background or PLACEHOLDER))


def pads(element: Element) -> bool:
    """Say whether an element keeps its text away from its own edge."""
    return element.role in ("button", "input", "image") or element.background is not None


def wrap(element: Element, fonts: FontPair) -> list[str]:
    """Break an element's text into lines: between words, and inside a word only where it is wider than the box."""
    font = fonts.at(element.size, bold=element.bold)
    room = max(1, element.width - (2 * PAD_X if pads(element) else 0))
    lines: list[str] = []
    for paragraph in element.text.split("\n"):
        line = ""
        for word in paragraph.split():
            whole = f"{line} {word}" if line else word
            if font.getlength(whole) <= room:
                line = whole
                continue
            if line:
                lines.append(line)
            *full, line = _split_word(word, font, room)
            lines.extend(full)
        if line:
            lines.append(line)
    return lines


def _split_word(word: str, font: ImageFont.FreeTypeFont, room: int) -> list[str]:
    parts, part = [], ""
    for letter in word:
        if part and font.getlength(part + letter) > room:
            parts.append(part)
            part = letter
        else:
            part += letter
    return [*parts, part]


def text_height(element: Element, fonts: FontPair) -> int:
    """Give the height in px that an element's text needs."""
    return round(element.size * LINE_HEIGHT) * len(wrap(element, fonts))
