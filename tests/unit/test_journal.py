"""The journal: what was written cannot be changed unseen, and nothing acknowledged is doubled."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, text

from grader.records import journal
from grader.records.db import reading, writing


def add(engine: Engine, number: int, key: str | None = None) -> str:
    with writing(engine) as session:
        return journal.append(session, "test", actor="a", course="c", payload={"n": number}, key=key).id


def bad(engine: Engine) -> str | None:
    with reading(engine) as session:
        return journal.verify(session)


def test_a_whole_chain_holds(engine: Engine) -> None:
    for number in range(5):
        add(engine, number)
    assert bad(engine) is None


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("UPDATE event SET payload = '{\"n\": 9}' WHERE seq = 3", "event 3"),
        ("UPDATE event SET actor = 'b' WHERE seq = 2", "event 2"),
        ("UPDATE event SET at = '2020-01-01 00:00:00' WHERE seq = 4", "event 4"),
        ("DELETE FROM event WHERE seq = 3", "event 3"),
        ("DELETE FROM event WHERE seq = 1", "event 1"),
        ("UPDATE event SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE seq IN (2, 3)", "event 1"),
    ],
)
def test_any_edit_is_found_and_named(engine: Engine, attack: str, named: str) -> None:
    for number in range(5):
        add(engine, number)
    with engine.begin() as connection:
        connection.execute(text(attack))
        connection.commit()
    found = bad(engine)
    assert found is not None
    assert found.startswith(named)


def test_a_forged_hash_breaks_the_next_link(engine: Engine) -> None:
    """Somebody who edits an event and computes its hash anew is found at the event behind it."""
    for number in range(3):
        add(engine, number)
    with writing(engine) as session:
        event = journal.events(session, "c")[1]
        event.payload = {"n": 99}
        event.hash = journal.digest(event)
    assert "event 3" in str(bad(engine))


def test_the_same_key_again_gives_the_event_that_stands(engine: Engine) -> None:
    assert add(engine, 1, key="k") == add(engine, 2, key="k")
    with reading(engine) as session:
        assert [event.payload for event in journal.events(session, "c")] == [{"n": 1}]


def test_many_writers_at_once_make_one_chain(engine: Engine) -> None:
    def write() -> None:
        for number in range(10):
            add(engine, number)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bad(engine) is None
    with reading(engine) as session:
        assert len(journal.events(session, "c")) == 60


def test_a_transaction_that_fails_leaves_nothing(engine: Engine) -> None:
    def fail() -> Any:
        with writing(engine) as session:
            journal.append(session, "test", actor="a", course="c")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    with reading(engine) as session:
        assert journal.events(session, "c") == []


def test_a_time_without_a_zone_is_refused(engine: Engine) -> None:
    with pytest.raises(Exception, match="without a time zone"), writing(engine) as session:
        journal.append(session, "test", actor="a", course="c", at=datetime(2026, 1, 1))  # noqa: DTZ001
