"""How late a submission is, and what that costs. Pure: no clock, no database, no file of the submission.

The rule: what comes until the due time and its grace is in time; after that each 24 hours that have begun since the due
time are one day late. Hours that passed are counted, not dates of a calendar, so a day is as long for everybody whatever
hour the due time has and whatever a zone does with its clocks. The grace only forgives: it moves no later day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_DOWN, Decimal

from labs.manifest import LatePolicy, Terms
from labs.texts import Text, UserError

DAY = timedelta(days=1)
#: What was handed out before terms were recorded promised no penalty, so none is taken.
NO_PENALTY = Terms(grace_minutes=0, late=LatePolicy(policy="none"))


class NotTaken(UserError):
    """A submission that the lab's terms do not take any more."""


@dataclass(frozen=True)
class Lateness:
    """How late, what share of the points that takes off, and whether it is refused; judged by `due_at`."""

    due_at: datetime | None = None
    days_late: int = 0
    percent: int = 0
    refused: bool = False

    @property
    def text(self) -> Text:
        """The verdict in a few words."""
        days = self.days_late
        if not days:
            return Text(ko="기한 안", en="in time")
        ko, en = f"{days}일 늦음", f"{days} {'day' if days == 1 else 'days'} late"
        if self.refused:
            return Text(ko=f"{ko}, 제출할 수 없음", en=f"{en}, not taken")
        if not self.percent:
            return Text(ko=f"{ko}, 감점 없음", en=f"{en}, nothing taken off")
        return Text(ko=f"{ko}, {self.percent}% 감점", en=f"{en}, {self.percent}% taken off")


def judge(received_at: datetime, due_at: datetime | None, terms: Terms) -> Lateness:
    """Judge a moment by a due time; without one nothing is late."""
    if due_at is None:
        return Lateness()
    # Times of one zone are subtracted by the clock on the wall, which may jump: UTC's does not.
    over = received_at.astimezone(UTC) - due_at.astimezone(UTC)
    if over <= timedelta(minutes=terms.grace_minutes):
        return Lateness(due_at)
    # Whole numbers: a timedelta's division rounds down, so that of the negative rounds up.
    days = max(1, -(-over // DAY))
    late = terms.late
    percent = min(100, min(days, late.at_most_days) * late.percent_per_day) if late.policy == "percent" else 0
    return Lateness(due_at, days, percent, late.policy == "refuse")


def milder(one: Lateness, other: Lateness) -> Lateness:
    """The verdict that is better for the learner; of two alike, the first."""
    return min(one, other, key=lambda found: (found.refused, found.percent, found.days_late))


def taken_off(score: float, percent: int) -> float:
    """The points that a share of a score is: to a tenth, the middle in the learner's favour, never more than the score."""
    exact = Decimal(str(score)) * percent / 100
    return min(score, float(exact.quantize(Decimal("0.1"), ROUND_HALF_DOWN)))


def must_take(lateness: Lateness, terms: Terms, attempts: int) -> None:
    """Refuse what comes too late or once too often; NotTaken says which, and what to do."""
    if lateness.refused and lateness.due_at is not None:
        due = lateness.due_at
        raise NotTaken(
            f"마감({due.month}월 {due.day}일 {due:%H:%M})이 지나 제출할 수 없습니다. "
            "사정이 있으면 강사에게 마감 연장을 요청하세요.",
            f"it was due at {due:%Y-%m-%d %H:%M} and nothing is taken later: ask your instructor for an extension",
        )
    if terms.attempts and attempts >= terms.attempts:
        raise NotTaken(
            f"{terms.attempts}번까지 제출할 수 있는데 모두 사용했습니다. 마지막 제출물로 채점합니다. "
            "바꿔야 하면 강사에게 말하세요.",
            f"no attempt is left ({attempts} of {terms.attempts} used) and the last one counts: "
            "ask your instructor if it has to change",
        )


def explained(terms: Terms, *, is_due: bool = True) -> list[Text]:
    """The terms in sentences; without a due time only those that still say something."""
    sentences = [_late(terms), *([_grace(terms)] if terms.grace_minutes else [])] if is_due else []
    if terms.attempts == 1:
        return [*sentences, Text(ko="한 번만 제출할 수 있습니다.", en="One submission is taken.")]
    if terms.attempts:
        ko, en = f"{terms.attempts}번까지 제출할 수 있습니다.", f"Up to {terms.attempts} submissions are taken."
        return [*sentences, Text(ko=ko, en=en)]
    return sentences


def _late(terms: Terms) -> Text:
    late = terms.late
    if late.policy == "refuse":
        return Text(ko="마감이 지나면 제출할 수 없습니다.", en="Nothing is taken after the due time.")
    most = min(100, late.at_most_days * late.percent_per_day)
    if late.policy == "none" or not most:
        return Text(ko="늦게 제출해도 감점하지 않습니다.", en="Being late takes nothing off.")
    return Text(
        ko=f"하루 늦을 때마다 점수의 {late.percent_per_day}%씩, 최대 {most}%까지 감점합니다.",
        en=f"Each day late takes off {late.percent_per_day}% of the points, at most {most}%.",
    )


def _grace(terms: Terms) -> Text:
    return Text(
        ko=f"마감 후 {terms.grace_minutes}분까지는 제때 제출한 것으로 봅니다.",
        en=f"Up to {terms.grace_minutes} minutes after the due time is still in time.",
    )
