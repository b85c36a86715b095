"""Finding a font with Korean letters to draw with.

The rule this module keeps: a font is found in a documented place or refused with what to do; text is never drawn in a font
that lacks its letters. Places, in this order:

1. the folder that the environment variable PRACTICUM_FONTS names (Practicum sets it);
2. `pretendard` of npm: node_modules/pretendard, in the current folder or one above it, or above this package;
3. the system's font folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from labs.texts import Text

VARIABLE = "PRACTICUM_FONTS"
#: Fonts that have Korean letters, regular and bold, the best first. The number is the face inside a collection.
KNOWN: tuple[tuple[str, str, int], ...] = (
    ("Pretendard-Regular.otf", "Pretendard-Bold.otf", 0),
    ("NotoSansKR-Regular.otf", "NotoSansKR-Bold.otf", 0),
    ("NotoSansKR-Regular.ttf", "NotoSansKR-Bold.ttf", 0),
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", 1),
    ("NanumGothic.ttf", "NanumGothicBold.ttf", 0),
    ("AppleSDGothicNeo.ttc", "AppleSDGothicNeo.ttc", 0),
    ("malgun.ttf", "malgunbd.ttf", 0),
)
SYSTEM = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts", "/System/Library/Fonts",
          "/Library/Fonts", "~/Library/Fonts", "C:/Windows/Fonts")  # fmt: skip
HELP = Text(
    ko=f"한글 글꼴을 찾지 못했습니다. Pretendard 글꼴(otf)을 내려받아 폴더에 두고 환경 변수 {VARIABLE}에 그 폴더를 적으세요. "
    "교육기관 서버라면 시스템 관리자에게 알리세요.",
    en=f"No font with Korean letters was found. Put the Pretendard fonts (otf) in a folder and name it in the environment "
    f"variable {VARIABLE}. On an institution's server, tell the operator.",
)


class FontMissingError(Exception):
    """There is no Korean font; the message says what to do, in both languages."""

    def __init__(self) -> None:
        super().__init__(f"{HELP.ko} / {HELP.en}")


@dataclass(frozen=True)
class FontPair:
    """A regular and a bold font file, and the face to take of a collection."""

    regular: Path
    bold: Path
    face: int

    def at(self, size_px: int, *, bold: bool) -> ImageFont.FreeTypeFont:
        """Open the font at a size in pixels."""
        return _open(self.bold if bold else self.regular, size_px, self.face)


@lru_cache(maxsize=64)
def _open(path: Path, size_px: int, face: int) -> ImageFont.FreeTypeFont:
    # The basic layout is the same everywhere; Raqm is there or not, and would move letters.
    return ImageFont.truetype(str(path), size_px, index=face, layout_engine=ImageFont.Layout.BASIC)


def find_fonts() -> FontPair:
    """Find the best pair of fonts; FontMissingError says what to do where there is none."""
    return _find(os.environ.get(VARIABLE, ""), str(Path.cwd()))


@lru_cache(maxsize=8)
def _find(named: str, here: str) -> FontPair:
    for folder in _folders(named, Path(here)):
        if pair := _pair_in(folder):
            return pair
    raise FontMissingError


def _folders(named: str, here: Path) -> Iterator[Path]:
    if named:
        yield Path(named)
    for start in (here, Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            yield folder / "node_modules" / "pretendard"
    yield from (Path(place).expanduser() for place in SYSTEM)


def _pair_in(folder: Path) -> FontPair | None:
    if not folder.is_dir():
        return None
    wanted = {name for regular, bold, _ in KNOWN for name in (regular, bold)}
    there = {path.name: path for path in sorted(folder.rglob("*"), reverse=True) if path.name in wanted}
    for regular, bold, face in KNOWN:
        if regular in there and bold in there:
            return FontPair(there[regular], there[bold], face)
    return None
