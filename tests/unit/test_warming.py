"""Runs are folded before somebody asks: after the start, and again when a state has turned by itself; never more than needed."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from small_course import COURSE, DAYS, MONDAY_TEN
from sqlalchemy import Engine, event
from turns import ONE_DATABASE

from grader.records.db import reading, writing
from grader.records.models import CourseRun
from grader.records.state import course_state
from grader.records.warming import AFTERWARDS, warm
from grader.records.watch import Watch
from hub_config.portal.keeper import Keeper

GOING_ON = threading.Event()


@pytest.fixture
def folded(engine: Engine) -> Iterator[list[str]]:
    """Every statement that reads what events say."""
    read: list[str] = []

    def note(_c: object, _u: object, sql: str, *_: object) -> None:
        if "payload" in sql:
            read.append(sql)

    event.listen(engine, "before_cursor_execute", note)
    yield read
    event.remove(engine, "before_cursor_execute", note)


def asked(engine: Engine, moment: datetime) -> None:
    with reading(engine) as session:
        course_state(session, COURSE, moment)


def test_who_asks_first_waits_for_no_fold(engine: Engine, folded: list[str]) -> None:
    assert warm(engine, lambda: MONDAY_TEN, GOING_ON) == 1
    folded.clear()
    asked(engine, MONDAY_TEN + timedelta(minutes=1))
    assert folded == []


def test_without_it_who_asks_first_does(engine: Engine, folded: list[str]) -> None:
    asked(engine, MONDAY_TEN)
    assert folded != []


def test_what_is_kept_is_folded_again_only_once_it_has_turned(engine: Engine) -> None:
    midnight = MONDAY_TEN + timedelta(hours=14)
    asks = (MONDAY_TEN, MONDAY_TEN + timedelta(minutes=5), midnight, midnight + timedelta(minutes=5))
    assert [warm(engine, lambda moment=moment: moment, GOING_ON) for moment in asks] == [1, 0, 1, 0]  # type: ignore[misc]


def test_a_run_that_is_long_over_is_left_alone(engine: Engine) -> None:
    with reading(engine) as session:
        run = session.get(CourseRun, COURSE)
        assert run is not None
        ends = run.ends_on
    after = MONDAY_TEN + (ends - DAYS[0]) + AFTERWARDS
    assert warm(engine, lambda: after, GOING_ON) == 1
    assert warm(engine, lambda: after + timedelta(days=1), GOING_ON) == 0


def test_it_ends_when_the_portal_does(engine: Engine) -> None:
    with writing(engine) as session:
        run = session.get(CourseRun, COURSE)
        assert run is not None
        for number in range(3):
            columns = {column.key: getattr(run, column.key) for column in CourseRun.__table__.columns}
            session.add(CourseRun(**{**columns, "id": f"run-{number}"}))
    stopping = threading.Event()
    stopping.set()
    assert warm(engine, lambda: MONDAY_TEN, stopping) == 0
    assert warm(engine, lambda: MONDAY_TEN, GOING_ON) == 4


class Ring:
    """Only the collector can let go of it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("database", ONE_DATABASE, indirect=True)
def test_the_collector_walks_nothing_of_what_was_folded_and_what_was_replaced_goes(engine: Engine) -> None:
    """Else all pages stand still for seconds, again and again, at the size of a programme."""
    moments = [MONDAY_TEN]
    before, keeper = (
        gc.get_freeze_count(),
        Keeper(Watch(engine, lambda: moments[-1]), engine, None, lambda: moments[-1]),
    )
    try:
        keeper.tick()
        frozen = gc.get_freeze_count()
        assert frozen > before
        keeper.tick()
        assert gc.get_freeze_count() <= frozen, "nothing new was folded"
        ring = Ring()
        gone = weakref.ref(ring)
        gc.freeze()
        del ring
        moments.append(MONDAY_TEN + timedelta(hours=14))  # at midnight the kept state turns
        keeper.tick()
        assert gone() is None
    finally:
        gc.unfreeze()
