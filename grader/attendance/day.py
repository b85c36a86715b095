"""What one day counts as (rules 1-4, 10): first the end of the enrolment, then the official status, times, excuses.

The rule: nothing that lies ahead is counted, neither a day nor a time of today.
"""

from __future__ import annotations

from datetime import date, datetime

from grader.attendance.data import DayVerdict, Event, Ground, Leaving, Mark, Official, Status, TrainingDay, minute_of
from grader.attendance.excuses import Excuses, said_of
from grader.rules import Rules
from labs.texts import Text

NOTHING = Mark()


def judge_day(
    day: TrainingDay, mark: Mark, rules: Rules, as_of: datetime, *, leaving: Leaving | None = None
) -> DayVerdict:
    """Say what one day counts as, as if it were the whole course: an excuse is held against its own caps only."""
    today = as_of.astimezone(day.starts.tzinfo).date()
    return Judge(rules, as_of, today, Excuses(rules, 1), in_force(leaving, today)).day(day, mark)


def in_force(leaving: Leaving | None, today: date) -> Leaving | None:
    """A leaving whose date has come; one that lies ahead has not happened."""
    return leaving if leaving and leaving.on <= today else None


class Judge:
    """Judges the days of one learner in their order, as known at a moment whose local date is `today`."""

    def __init__(self, rules: Rules, as_of: datetime, today: date, excuses: Excuses, leaving: Leaving | None) -> None:
        self.rules, self.as_of, self.today, self.excuses, self.leaving = rules, as_of, today, excuses, leaving

    def day(self, day: TrainingDay, mark: Mark, unit: int = 0) -> DayVerdict:
        """The verdict on a day of the unit period of that number."""
        if self.leaving and day.date > self.leaving.on:
            on = self.leaving.on.isoformat()
            return _verdict(day, mark, "left", "left", said=Text(ko=on, en=on))
        if day.date > self.today:
            return _verdict(day, mark, "ahead", "ahead")
        if mark.official and self.rules.official_attendance == "wins":
            return self._by_official(day, mark, mark.official, unit)
        status, ground, present, events = self._by_times(day, mark)
        refused = None
        # A day that is attended in full needs no excuse, and uses none up.
        if (mark.excused or mark.excuse_kind) and (status != "attended" or events):
            refused = self.excuses.refusal(mark.excuse_kind, unit)
            if refused is None:
                self.excuses.use(mark.excuse_kind, unit)
                return _verdict(day, mark, "excused", "excused", said=said_of(mark, self.rules))
        return _verdict(day, mark, status, ground, events=events, present=present, refused=refused)

    def _by_official(self, day: TrainingDay, mark: Mark, official: Official, unit: int) -> DayVerdict:
        """The national system has held its own caps against an excuse; here it only uses them up."""
        if official.status == "excused":
            self.excuses.use(official.excuse_kind, unit)
        raw = official.raw or official.status
        return _verdict(day, mark, official.status, "official", events=official.events, said=Text(ko=raw, en=raw))

    def _by_times(self, day: TrainingDay, mark: Mark) -> tuple[Status, Ground, int, tuple[Event, ...]]:
        came, went = mark.check_in, mark.check_out
        today = day.date == self.today
        if today:
            came = None if came and came > self.as_of else came
            went = None if went and went > self.as_of else went
        if came is None:
            if today and self.as_of < day.ends:
                return "ahead", "ahead", 0, ()
            return "absent", "no_check_in", 0, ()
        if went is None and not today:
            # Who went out and did not come back left when they went out.
            went = mark.away_since
        if went is None:
            return ("open", "in_progress", 0, ()) if today else ("absent", "no_check_out", 0, ())
        present, events = presence(day, came, went, mark.outings, self.rules.grace_minutes)
        return ("attended" if self._enough(present, day.minutes) else "absent"), "minutes", present, events

    def _enough(self, present: int, scheduled: int) -> bool:
        """Rule 1 in whole numbers; nobody attends for no minute, and who was there all the time attends."""
        if present in (0, scheduled):
            return present > 0
        share, line = present * 100, scheduled * self.rules.absent_below_percent
        return share > line or (share == line and self.rules.half_day_is == "event")


def presence(
    day: TrainingDay, came: datetime, went: datetime, outings: tuple[tuple[datetime, datetime], ...], grace_minutes: int
) -> tuple[int, tuple[Event, ...]]:
    """Minutes within the scheduled hours, and what happened; lateness and leaving within the grace are made good."""
    first, end = day.first_minute, day.end_minute
    came_at, went_at = minute_of(came), minute_of(went)
    if went_at <= came_at or came_at >= end or went_at <= first:
        return 0, ()
    late, early = came_at > first + grace_minutes, went_at < end - grace_minutes
    first, end = came_at if late else first, went_at if early else end
    away = minutes_away(outings, first, end) if outings else 0
    if not (late or early or away):
        return end - first, ()
    happened: tuple[tuple[Event, bool], ...] = (("late", late), ("early_leave", early), ("outing", away > 0))
    return end - first - away, tuple(event for event, was in happened if was)


def minutes_away(outings: tuple[tuple[datetime, datetime], ...], first: int, end: int) -> int:
    """Minutes of outings between two minutes: what overlaps counts once, what is reversed or outside not at all."""
    away, counted_to = 0, first
    for out, back in sorted((minute_of(out), min(minute_of(back), end)) for out, back in outings):
        start = max(out, counted_to)
        if back > start:
            away, counted_to = away + back - start, back
    return away


def _verdict(
    day: TrainingDay, mark: Mark, status: Status, ground: Ground, *, events: tuple[Event, ...] = (),
    present: int = 0, said: Text | None = None, refused: Text | None = None,
) -> DayVerdict:  # fmt: skip
    if status != "attended":
        events = ()
    return DayVerdict(
        day.date, status, ground, events, present, day.minutes, mark.rests_on, said, refused, mark.official
    )
