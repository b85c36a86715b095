"""Excuses against their caps (rule 3). The rule: the earliest days of a kind use its cap up, later ones count nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from grader.attendance.data import Mark
from grader.rules import ExcuseKind, Rules
from labs.texts import Text


@dataclass
class Excuses:
    """One learner's excuses, asked in the order of their days; `days` are all training days of the course."""

    rules: Rules
    days: int
    _in_course: Counter[str] = field(default_factory=Counter)
    _in_unit: Counter[tuple[str, int]] = field(default_factory=Counter)

    def use(self, kind: str | None, unit: int) -> None:
        """Count a credited day."""
        if kind:
            self._in_course[kind] += 1
            self._in_unit[kind, unit] += 1

    def refusal(self, kind: str | None, unit: int) -> Text | None:
        """Why one more day of a kind is not credited in a unit, or None where it is; without a kind it always is."""
        if not kind:
            return None
        known = self.rules.excuse(kind)
        if known is None:
            return Text(
                ko=f"이 훈련 프로그램에 없는 공가·휴가 종류({kind})라서 인정하지 않습니다.",
                en=f"this programme has no excuse of the kind {kind!r}",
            )
        for used, cap, of_ko, of_en in self._caps(known, unit):
            if cap is not None and used >= cap:
                return Text(
                    ko=f"'{known.title.ko}' 인정 한도({of_ko} {cap}일)를 넘어 인정하지 않습니다.",
                    en=f"'{known.title.en}' is credited for at most {cap} day{'s' * (cap != 1)} in {of_en}",
                )
        return None

    def _caps(self, kind: ExcuseKind, unit: int) -> tuple[tuple[int, int | None, str, str], ...]:
        percent = kind.max_percent_of_days
        share = None if percent is None else self.days * percent // 100
        in_course, in_unit = self._in_course[kind.id], self._in_unit[kind.id, unit]
        return (
            (in_course, kind.max_days, "과정 전체", "the course"),
            (in_course, share, f"전체 훈련일의 {percent}%,", f"the course ({percent}% of its days)"),
            (in_unit, kind.max_days_per_unit, "단위기간마다", "a unit period"),
        )


def said_of(mark: Mark, rules: Rules) -> Text:
    """An excuse in words: the kind's title and the reason."""
    kind = rules.excuse(mark.excuse_kind) if mark.excuse_kind else None
    titles = Text(ko=mark.excuse_kind or "-", en=mark.excuse_kind or "-") if kind is None else kind.title
    if not mark.excused:
        return titles
    if not mark.excuse_kind:
        return Text(ko=mark.excused, en=mark.excused)
    return Text(ko=f"{titles.ko}, {mark.excused}", en=f"{titles.en}, {mark.excused}")
