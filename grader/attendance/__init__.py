"""Attendance: from marks to days, units and a course, in whole numbers.

Pure functions over plain data: no database, no clock. Each verdict says why, and names the records it rests on.
Rules 1-10 of the programme (`grader.rules`).
"""

from __future__ import annotations

from grader.attendance.course import CourseAttendance, judge_course
from grader.attendance.data import (
    EVENT_TEXT,
    LEAVING_TEXT,
    STATUS_TEXT,
    DayVerdict,
    Event,
    Leaving,
    LeavingKind,
    Mark,
    Official,
    OfficialStatus,
    Status,
    TrainingDay,
)
from grader.attendance.day import judge_day
from grader.attendance.units import UnitAttendance, unit_periods
from grader.attendance.warnings import DismissalWarning

__all__ = [
    "EVENT_TEXT",
    "LEAVING_TEXT",
    "STATUS_TEXT",
    "CourseAttendance",
    "DayVerdict",
    "DismissalWarning",
    "Event",
    "Leaving",
    "LeavingKind",
    "Mark",
    "Official",
    "OfficialStatus",
    "Status",
    "TrainingDay",
    "UnitAttendance",
    "judge_course",
    "judge_day",
    "unit_periods",
]
