"""Korea's regions as tiles in the rough shape of the country. The rule: a tile shows what the table behind it says, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grader.reports.cube import Cube, Figures, Slice
from grader.reports.programme import Names, parts_of
from labs.texts import Text

#: The grid that stands in portal.css: four columns, read from left to right and from north to south.
PLACES = (
    ("incheon", "seoul", "gyeonggi", "gangwon"),
    ("chungnam", "sejong", "chungbuk", "gyeongbuk"),
    ("jeonbuk", "daejeon", "daegu", "ulsan"),
    ("gwangju", "jeonnam", "gyeongnam", "busan"),
    ("jeju",),
)
ORDER = tuple(name for row in PLACES for name in row)
SHORT = {
    "seoul": Text(ko="서울", en="Seoul"), "busan": Text(ko="부산", en="Busan"), "daegu": Text(ko="대구", en="Daegu"),
    "incheon": Text(ko="인천", en="Incheon"), "gwangju": Text(ko="광주", en="Gwangju"), "daejeon": Text(ko="대전", en="Daejeon"),
    "ulsan": Text(ko="울산", en="Ulsan"), "sejong": Text(ko="세종", en="Sejong"), "gyeonggi": Text(ko="경기", en="Gyeonggi"),
    "gangwon": Text(ko="강원", en="Gangwon"), "chungbuk": Text(ko="충북", en="N. Chung\u00adcheong"),
    "chungnam": Text(ko="충남", en="S. Chung\u00adcheong"), "jeonbuk": Text(ko="전북", en="N. Jeolla"),
    "jeonnam": Text(ko="전남", en="S. Jeolla"), "gyeongbuk": Text(ko="경북", en="N. Gyeong\u00adsang"),
    "gyeongnam": Text(ko="경남", en="S. Gyeong\u00adsang"), "jeju": Text(ko="제주", en="Jeju"),
}  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """A region: its place in the grid (a class of the style sheet), its name, its figures if it has course runs."""

    place: str
    name: Text
    long_name: Text
    figures: Figures | None
    url: str
    chosen: bool

    @property
    def bar(self) -> int:
        """The width of the bar, in percent."""
        return (self.figures.completion_percent or 0) if self.figures else 0


def tiles(cube: Cube, asked: Slice, names: Names, region: str | None, url: Callable[[str | None], str]) -> list[Tile]:
    """A tile for each region that the records know; `asked` leaves the region open, `region` is the one that is chosen."""
    found = {value: cube.figures(part) for value, _, part in parts_of(cube, asked, names, "region")}
    return [
        Tile(
            f"at-{name}" if name in SHORT else "", SHORT.get(name, names.of("region", name)), names.of("region", name),
            found.get(name), url(None if name == region else name), name == region,
        )
        for name in _ordered({*names.regions, *found})
    ]  # fmt: skip


def _ordered(regions: Iterable[str]) -> list[str]:
    return sorted(regions, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
