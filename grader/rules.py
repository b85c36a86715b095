"""A programme's rules as data; every number is a setting, because programmes differ and rules change every year.

The defaults are those of the programme `ai-transition-2026`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Rules(BaseModel):
    """The attendance and completion rules of a programme."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attendance_percent: int = Field(default=80, ge=0, le=100, description="share of all training days to be credited")
    absent_below_percent: int = Field(
        default=50, ge=0, le=100, description="present for less of a day counts as absent"
    )
    half_day_is: Literal["event", "absent"] = Field(default="event", description="what exactly that share counts as")
    grace_minutes: int = Field(default=10, ge=0, description="late or early by at most this is not an event")
    events_per_absence: int = Field(default=3, ge=1, description="late, early leave, outing: so many are one absence")
    event_counter: Literal["per_unit", "carry_over"] = "per_unit"
