"""Who of a class needs an instructor, with the reason in words.

The rule: a need is a hint to a person. Nothing is decided by it, no grade and no attendance reads it, and it is computed
from what is handed in here: no database, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

from grader.attendance import Mark, TrainingDay
from labs.texts import Text

if TYPE_CHECKING:
    from grader.records.state import LabState, LearnerState

#: The most pressing first.
Kind = Literal["dismissal", "out_of_reach", "budget_gone", "checks_failing", "no_activity", "overdue", "absent"]
RANK: dict[Kind, int] = {kind: place for place, kind in enumerate(get_args(Kind))}
#: So long after the check-in a trace of work is expected: introductions and talks take less.
IDLE_AFTER = timedelta(minutes=45)
#: So many self-checks of a criterion in a row that did not pass are more than trying.
FAILED_IN_A_ROW = 3


@dataclass(frozen=True)
class Need:
    """What a learner needs an instructor for, and the reason."""

    kind: Kind
    text: Text


@dataclass(frozen=True)
class Failing:
    """A self-check that does not pass, as the learner's own process says: how often in a row, and when last."""

    lab: str
    criterion: Text
    times: int
    at: datetime


@dataclass(frozen=True)
class Today:
    """What is known of a learner's day. Times are aware and local; `worked` is None where nobody can say."""

    now: datetime
    day: TrainingDay | None
    grace: timedelta = timedelta()
    mark: Mark = Mark()  # noqa: RUF009 -- frozen
    worked: bool | None = None
    #: When AI refused the newest call for its budget.
    budget_refused_at: datetime | None = None
    failing: tuple[Failing, ...] = ()
    #: The learner's own process says that self-checks ran today: it proves nothing, so it is told along.
    says_it_checked: bool = False


def needs_of(learner: LearnerState, today: Today) -> tuple[Need, ...]:
    """What a learner needs, the most pressing first; nothing of one who has left."""
    if learner.left is not None:
        return ()
    found = (
        *(Need("dismissal", _without_its_name(warning.text)) for warning in learner.attendance.warnings),
        *_out_of_reach(learner),
        *_budget(today),
        *_failing(learner, today),
        *_idle(learner, today),
        *_overdue(learner, today),
        *_absent(today),
    )
    return tuple(sorted(found, key=lambda need: RANK[need.kind]))


def pressing(needs: tuple[Need, ...]) -> tuple[int, int]:
    """What rosters are sorted by: the most pressing need, then how many there are."""
    return (RANK[needs[0].kind] if needs else len(RANK), -len(needs))


def _without_its_name(warning: Text) -> Text:
    """A warning beside a badge that names it already."""
    return Text(ko=warning.ko.removeprefix("제적 경고: "), en=warning.en.removeprefix("dismissal warning: "))


def _out_of_reach(learner: LearnerState) -> Iterator[Need]:
    if learner.outcome == "out_of_reach":
        yield Need("out_of_reach", learner.attendance.outlook)


def _budget(today: Today) -> Iterator[Need]:
    if at := today.budget_refused_at:
        said = f"{at:%H:%M}"
        yield Need("budget_gone", Text(ko=f"{said}의 AI 호출이 예산이 모자라 거절되었습니다.",
                                       en=f"AI refused the call at {said}: the budget is spent."))  # fmt: skip


def _failing(learner: LearnerState, today: Today) -> Iterator[Need]:
    """Of labs that are still to be handed in: what was handed in is graded by files, not by what a process says."""
    open_labs = {lab.lab.lab_id: lab.title for lab in learner.labs if lab.step == "open"}
    for one in today.failing:
        if one.lab in open_labs and one.times >= FAILED_IN_A_ROW:
            lab = open_labs[one.lab]
            yield Need("checks_failing", Text(
                ko=f"{lab.ko}: 자가 점검 '{one.criterion.ko}'을(를) {one.times}번 잇달아 통과하지 못했습니다({one.at:%H:%M}, 훈련생 서버가 알린 내용).",
                en=f"{lab.en}: self-check \"{one.criterion.en}\" failed {one.times} times in a row ({one.at:%H:%M}, as the learner's server says).",
            ))  # fmt: skip


def _idle(learner: LearnerState, today: Today) -> Iterator[Need]:
    mark, day = today.mark, today.day
    is_here = mark.check_in is not None and mark.check_out is None and mark.away_since is None
    if today.worked is not False or day is None or not is_here or mark.check_in is None or today.now >= day.ends:
        return
    since = max(mark.check_in, day.starts)
    if today.now - since < IDLE_AFTER or not any(map(_is_to_do, learner.labs)):
        return
    minutes = int((today.now - since).total_seconds()) // 60
    claims_ko = " 자가 점검을 했다는 말만 훈련생 서버에서 왔습니다." if today.says_it_checked else ""
    claims_en = " Only the learner's own server says that self-checks ran." if today.says_it_checked else ""
    yield Need("no_activity", Text(
        ko=f"입실 뒤 {minutes}분 동안 실습을 열거나 AI를 쓰거나 제출한 기록이 없습니다.{claims_ko}",
        en=f"For {minutes} minutes since check-in no lab was opened, no AI was called and nothing was handed in.{claims_en}",
    ))  # fmt: skip


def _is_to_do(lab: LabState) -> bool:
    return lab.step == "open"


def _overdue(learner: LearnerState, today: Today) -> Iterator[Need]:
    late = [lab for lab in learner.labs if lab.step == "open" and lab.deadline.judge(today.now).days_late]
    if late:
        ko, en = ", ".join(lab.title.ko for lab in late), ", ".join(lab.title.en for lab in late)
        yield Need("overdue", Text(ko=f"마감이 지났는데 제출하지 않았습니다: {ko}", en=f"Due and not handed in: {en}"))


def _absent(today: Today) -> Iterator[Need]:
    mark, day = today.mark, today.day
    if day is None or mark.check_in or mark.excused or mark.excuse_kind or today.now < day.starts + today.grace:
        return
    if today.now < day.ends:
        yield Need("absent", Text(ko="아직 입실하지 않았습니다.", en="Not checked in yet."))
    else:
        yield Need("absent", Text(ko="오늘 입실 기록이 없습니다.", en="No check-in today."))
