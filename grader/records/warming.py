"""States of course runs folded before somebody asks, so that no page waits for the first fold of thousands of events.

The rule: it only asks as a page would; what is kept, and for how long, is decided by `remembered.py` alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine, select

from grader.records.db import reading
from grader.records.models import CourseRun
from grader.records.remembered import MOST_STATES, memory_of
from grader.records.state import course_state

#: Decisions are frozen and papers issued in the weeks after a run.
AFTERWARDS = timedelta(days=31)


def warm(engine: Engine, now: Callable[[], datetime], stopping: threading.Event) -> int:
    """Fold the current runs whose kept state is missing or has turned, and say how many; it rests as long as it works.

    More runs than are kept are not warmed at all beyond that number: each would push out another.
    """
    due = _due(engine, now())
    for done, course in enumerate(due):
        if stopping.is_set():
            return done
        began = time.monotonic()
        with reading(engine) as session:
            course_state(session, course, now())
        stopping.wait(time.monotonic() - began)
    return len(due)


def _due(engine: Engine, now: datetime) -> list[str]:
    """The runs under way or just over, newest first, that have no kept state which lasts beyond now."""
    today = now.date()
    runs = select(CourseRun.id).where(
        CourseRun.starts_on <= today + timedelta(days=1), CourseRun.ends_on >= today - AFTERWARDS
    )
    with reading(engine) as session:
        memory = memory_of(session)
        current = session.scalars(runs.order_by(CourseRun.starts_on.desc(), CourseRun.id).limit(MOST_STATES)).all()
    return [course for course in current if memory is not None and not memory.lasts(course, now)]
