"""The journal: what was written cannot be changed unseen, and nothing acknowledged is doubled."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event, select, text

from grader.records import journal
from grader.records.db import reading, writing
from grader.records.models import Event


def add(engine: Engine, number: int, key: str | None = None) -> str:
    with writing(engine) as session:
        return journal.append(session, "test", actor="a", course="c", payload={"n": number}, key=key).id


def bad(engine: Engine) -> journal.Finding | None:
    with reading(engine) as session:
        return journal.verify(session)


def test_a_whole_chain_holds(engine: Engine) -> None:
    for number in range(5):
        add(engine, number)
    assert bad(engine) is None


@pytest.mark.parametrize(
    ("attack", "fault", "seq"),
    [
        ("UPDATE event SET payload = '{\"n\": 9}' WHERE seq = 3", "changed", 3),
        ("UPDATE event SET actor = 'b' WHERE seq = 2", "changed", 2),
        ("UPDATE event SET at = '2020-01-01 00:00:00' WHERE seq = 4", "changed", 4),
        ("DELETE FROM event WHERE seq = 3", "missing", 3),
        ("DELETE FROM event WHERE seq = 1", "missing", 1),
        ("UPDATE event SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 END WHERE seq IN (2, 3)", "missing", 1),
        ("UPDATE event SET previous = hash WHERE seq = 4", "order", 4),
    ],
)
def test_any_edit_is_found_and_named(engine: Engine, attack: str, fault: str, seq: int) -> None:
    for number in range(5):
        add(engine, number)
    with engine.begin() as connection:
        connection.execute(text(attack))
    found = bad(engine)
    assert found is not None
    assert (found.fault, found.seq) == (fault, seq)
    assert f"{seq}번 기록" in found.text.ko
    assert f"event {seq} " in found.text.en


def test_an_event_beside_the_chain_is_found(engine: Engine) -> None:
    add(engine, 1)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO event SELECT -1, 'x', at, actor, kind, course_id, subject, payload, NULL, previous, hash FROM event"
            )
        )
    found = bad(engine)
    assert found is not None
    assert (found.fault, found.seq) == ("missing", 1)


def test_a_forged_hash_breaks_the_next_link(engine: Engine) -> None:
    """Somebody who edits an event and computes its hash anew is found at the event behind it."""
    for number in range(3):
        add(engine, number)
    with writing(engine) as session:
        event = session.scalars(select(Event).where(Event.seq == 2)).one()
        event.payload = {"n": 99}
        event.hash = journal.digest(event)
    found = bad(engine)
    assert found is not None
    assert (found.fault, found.seq) == ("order", 3)


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


@pytest.mark.parametrize(
    "payload",
    [
        {"점수": [7.0, 0.1, 1e22, -0.0, 5e-324, 10**30], "b": {"z": 1, "a": None}, "a": True},
        {"text": '가나다 \U0001f600 \u2028 \\u0000 "é" e\u0301'},
        {1: "a number as a key", "tuple": (1, 2)},
        {},
    ],
)
def test_what_is_written_reads_back_with_the_same_hash(engine: Engine, payload: dict[str, Any]) -> None:
    at = datetime(2026, 7, 6, 1, 2, 3, 120, UTC)
    with writing(engine) as session:
        kept = journal.append(session, "test", actor="a", course="c", payload=payload, at=at)
    with reading(engine) as session:
        row = session.scalars(select(Event)).one()
        assert row.hash == kept.hash
        for read in (row, *journal.events(session, "c")):
            assert (read.payload, read.at) == (kept.payload, at)
        assert journal.verify(session) is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"payload": {"a": {"b": "x\0"}}}, "payload"),
        ({"payload": {"\ud83d": 1}}, "payload"),
        ({"payload": {"a": float("nan")}}, "payload"),
        ({"payload": {"a": object()}}, "payload"),
        ({"actor": "a\0b"}, "actor"),
        ({"subject": "s" * 61}, "subject"),
        ({"key": "\udc00"}, "key"),
        ({"course": "c" * 61}, "course_id"),
        ({"key": "k" * 121}, "key"),
    ],
)
def test_what_a_database_could_not_keep_is_refused_and_nothing_is_written(
    engine: Engine, wrong: dict[str, Any], named: str
) -> None:
    event = {"actor": "a", "course": "c", **wrong}
    with pytest.raises(journal.BadEvent, match=named), writing(engine) as session:
        journal.append(session, "test", **event)
    assert add(engine, 1)
    assert bad(engine) is None


def test_a_key_that_would_be_too_long_is_still_one_key() -> None:
    short, long = journal.key_of("in", "course", "kim"), journal.key_of("attendance.checked_out", "c" * 60, "k" * 60)
    assert short == "in:course:kim"
    assert len(long) <= journal.LONGEST_KEY == journal.LENGTHS["key"]
    assert long != journal.key_of("attendance.checked_out", "c" * 60, "k" * 59 + "x")


def test_events_of_a_kind_are_found_by_their_index_and_come_in_their_order(engine: Engine) -> None:
    """Asked for in their order, SQLite would go through all of a course's events, thousands for a dozen."""
    for number in range(5):
        add(engine, number)
    if engine.dialect.name == "sqlite":
        plans = []

        @event.listens_for(engine, "before_cursor_execute")
        def explain(connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
            if statement.startswith("SELECT event."):
                raw = connection.connection.cursor()
                plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    with reading(engine) as session:
        assert [found.payload["n"] for found in journal.events(session, "c", kind="test")] == [0, 1, 2, 3, 4]
    if engine.dialect.name == "sqlite":
        assert plans == ["SEARCH event USING INDEX ix_event_course_kind_at (course_id=? AND kind=?)"]
