"""Where our own record of a day and the official attendance differ. Pure: no database, no clock.

The rule: our side is judged as if there were no official attendance, whatever the programme says of which one decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from grader.attendance import DayVerdict, Mark, TrainingDay, judge_course
from grader.rules import Rules


def differences(
    days: Sequence[TrainingDay],
    marks: Mapping[date, Mark],
    rules: Rules,
    as_of: datetime,
    period: tuple[date, date] | None = None,
) -> tuple[DayVerdict, ...]:
    """The days of one learner on which the two differ: our verdict, with what is official in its `official`."""
    ours = rules.model_copy(update={"official_attendance": "listed"})
    verdicts = judge_course(days, marks, ours, as_of, period).verdicts
    return tuple(one for one in verdicts if one.differs_from_official and one.status not in ("ahead", "open", "left"))
