"""A programme's sums, of all of it or of a slice. The rule: counts of people only, no name, and what `cube.py` hides stays hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from grader.effect import NO_CONTROL, PAIRED_SIZE
from grader.reports.counts import PHASES, Phase
from grader.reports.cube import Cube, Figures, Slice
from grader.reports.gain import ONLY_BOTH, gain_table
from grader.reports.suppress import SMALLEST
from grader.reports.table import HIDDEN, Cell, Report, Table, columns
from labs.texts import Text

By = Literal["region", "occupation", "phase", "institution"]
_COLUMNS = columns(
    ("구분", "Group", "text", 24), ("기관", "Institutions", "count", 8), ("과정", "Course runs", "count", 8),
    ("등록", "Enrolled", "count", 8), ("출석률", "Attendance", "percent", 8),
    ("끝난 과정\n인원", "Learners of\nruns over", "count", 9), ("끝난 과정\n수료", "Completed\nof these", "count", 9),
    ("끝난 과정\n수료율", "Completion", "percent", 9),
    ("훈련 중", "Attending", "count", 8), ("수료", "Completed", "count", 8), ("미수료", "Not completed", "count", 8),
    ("중도 종료", "Left", "count", 8),
)  # fmt: skip
TOTAL = Text(ko="합계", en="Total")
UNNAMED = Text(ko="기타", en="Other")
PHASE_TEXT: dict[Phase, Text] = {
    "before": Text(ko="시작 전", en="Not begun"), "running": Text(ko="진행 중", en="Running"), "over": Text(ko="끝남", en="Over"),
}  # fmt: skip
FIELDS: dict[By, Text] = {
    "region": Text(ko="지역", en="Region"), "occupation": Text(ko="직종", en="Occupation"),
    "phase": Text(ko="진행", en="Phase"), "institution": Text(ko="기관", en="Institution"),
}  # fmt: skip
_HEADS: dict[By, Text] = {
    "region": Text(ko="지역별", en="By region"), "occupation": Text(ko="직종별", en="By occupation"),
    "phase": Text(ko="진행별", en="By phase"), "institution": Text(ko="기관별", en="By institution"),
}  # fmt: skip
NOTES = (
    Text(ko=f"{SMALLEST}명 미만인 집단과, 더하고 빼서 그 수를 알 수 있게 하는 칸은 비공개입니다. 조건을 바꾸어도 같은 기준으로 가립니다.",
         en=f"Groups under {SMALLEST} are hidden, and so are cells from which they could be worked out; every filter hides the same."),
    Text(ko="수료율은 끝난 과정의 훈련생 가운데 수료한 사람의 비율입니다. 출석률은 지금까지 판정된 훈련일 가운데 인정된 날의 비율이고, 지각·조퇴·외출을 환산한 것입니다. 둘 다 올림하지 않습니다.",
         en="Completion is the share of those whose course run is over. Attendance is the share of judged training days that are credited, "
            "with late arrivals, early leaves and outings counted as the rules say. Neither is rounded up."),
    Text(ko="훈련 중: 과정이 끝나지 않았고 중도에 나가지 않은 사람. 조기취업으로 수료한 사람은 수료에 듭니다.",
         en="Attending: whose course is not over and who has not left. Completion by early employment counts as completed."),
)  # fmt: skip


@dataclass(frozen=True)
class Names:
    """What regions, occupations and institutions are called, by their ids."""

    regions: Mapping[str, Text]
    occupations: Mapping[str, Text]
    institutions: Mapping[str, Text]

    def of(self, by: By, value: str) -> Text:
        """The name of a value of a field."""
        if by == "phase":
            return next((text for phase, text in PHASE_TEXT.items() if phase == value), UNNAMED)
        known = {"region": self.regions, "occupation": self.occupations, "institution": self.institutions}[by]
        return known.get(value, UNNAMED)


def programme_report(
    title: Text, cube: Cube, asked: Slice, names: Names, as_of: datetime | None, zone: ZoneInfo
) -> Report:
    """The report of a slice; `as_of` is the moment of its oldest part."""
    known = f"{as_of.astimezone(zone):%Y-%m-%d %H:%M}" if as_of else None
    chosen = tuple((FIELDS[by], names.of(by, value)) for by in FIELDS if (value := getattr(asked, by)) is not None)
    counted = tuple(_table(cube, asked, names, by) for by in _shown(asked))
    gained = tuple(_gained(cube, asked, names, by) for by in ("region", "occupation") if getattr(asked, by) is None)
    return Report(
        title=Text(ko=f"{title.ko} 현황", en=f"{title.en}: where it stands"),
        facts=((Text(ko="사업", en="Programme"), title), *chosen,
               (Text(ko="기준 시각(가장 오래된 집계)", en="As of (the oldest count)"), known)),
        tables=(*counted, *(gained or (_gained(cube, asked, names, "region"),))),
        notes=(*NOTES, ONLY_BOTH, NO_CONTROL, PAIRED_SIZE), name="programme", landscape=True,
    )  # fmt: skip


def parts_of(cube: Cube, asked: Slice, names: Names, by: By) -> list[tuple[str, Text, Slice]]:
    """The parts of a slice by a field, with a course run in each: the value, its name, and the slice."""
    order = {phase: at for at, phase in enumerate(PHASES)}
    runs = [m for m in cube.members if asked.holds(m) and asked.phase in (None, m.counts.phase)]
    values = {m.counts.phase or "before" if by == "phase" else getattr(m, by) for m in runs}
    named = [(value, names.of(by, value)) for value in values]
    named.sort(key=lambda pair: (order.get(pair[0], 0), pair[1].ko, pair[0]))
    return [(value, text, replace(asked, **{by: value})) for value, text in named]


def cells_of(found: Figures) -> tuple[Cell, ...]:
    """The figures in the columns' order; what is hidden says so."""
    hidden = HIDDEN if found.enrolled is None else None
    counts = (found.over, found.over_completed)
    return (
        found.institutions, found.runs, _told(found.enrolled), hidden or found.attendance_percent, *map(_told, counts),
        HIDDEN if found.over is None else found.completion_percent,
        *map(_told, (found.attending, found.completed, found.not_completed, found.left)),
    )  # fmt: skip


def _told(value: int | None) -> Cell:
    return HIDDEN if value is None else value


def _shown(asked: Slice) -> Sequence[By]:
    """The tables of a slice: one for each field left open; institutions only where they are few."""
    few = asked.region is not None or asked.institution is not None
    wanted: tuple[By, ...] = ("region", "occupation", "phase", *(("institution",) if few else ()))
    return [by for by in wanted if getattr(asked, by) is None] or ["region"]


def _table(cube: Cube, asked: Slice, names: Names, by: By) -> Table:
    rows = [(text, *cells_of(cube.figures(part))) for _, text, part in parts_of(cube, asked, names, by)]
    return Table(_COLUMNS, tuple(rows), (TOTAL, *cells_of(cube.figures(asked))), _HEADS[by])


def _gained(cube: Cube, asked: Slice, names: Names, by: By) -> Table:
    groups = [(text, cube.figures(part).scores) for _, text, part in parts_of(cube, asked, names, by)]
    head = _HEADS[by]
    title = Text(ko=f"{head.ko} 사전·사후 비교", en=f"Before and after, {head.en[0].lower()}{head.en[1:]}")
    return gain_table(title, [*groups, (TOTAL, cube.figures(asked).scores)])
