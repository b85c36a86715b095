"""What the portal's processes tell each other: each sees what the others do, and one that is gone holds nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from grader.idle import Patience
from hub_config.portal.idle_servers import IdleServers
from hub_config.portal.lately import WINDOW, Lately
from hub_config.portal.limits import AddressLimiter
from hub_config.portal.listeners import MOST_EACH, Listeners
from hub_config.portal.runs import LOST, RunBoard
from hub_config.portal.shared import Shared

NOW = datetime(2026, 7, 8, 1, tzinfo=UTC)
#: Writes two rows that belong together, again and again.
WRITES = """
import sys
from pathlib import Path
from hub_config.portal.shared import Shared
shared = Shared(Path(sys.argv[1]), 2)
with shared.writing() as do:
    do("CREATE TABLE IF NOT EXISTS pairs (name TEXT PRIMARY KEY, value INTEGER NOT NULL, more TEXT)")
print("up", flush=True)
for value in range(10**9):
    with shared.writing() as do:
        for name in ("one", "other"):
            do("REPLACE INTO pairs VALUES (?, ?, ?)", name, value, "x" * 9000)
"""

Process = Callable[[int], Shared]


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return lambda number: Shared(tmp_path / "portal.db", number)


def prints(line: str, then: str = "") -> tuple[str, ...]:
    return (sys.executable, "-c", f"import time; print({line!r}, flush=True); {then}")


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_that_one_started_is_seen_by_all_and_started_by_none_again(process: Process) -> None:
    one, other = RunBoard(process(1)), RunBoard(process(2))
    command = prints('{"done": 1, "total": 2, "learner": "mina"}', "time.sleep(60)")
    assert one.start("grade", command, "course", "lab", NOW)
    until(lambda: (run := other.latest("course", "lab")) is not None and run.progress.done == 1)
    assert not other.start("feedback", command, "course", "lab", NOW)
    assert other.start("grade", prints('{"finished": true}'), "course", "other-lab", NOW)
    until(lambda: (run := one.latest("course", "other-lab")) is not None and run.state == "finished")
    one.stop()
    until(lambda: (run := other.latest("course", "lab")) is not None and run.state == "broken")
    assert other.latest("course", "no-lab") is None


def test_one_look_at_a_time_uses_the_machine(process: Process) -> None:
    one, other = RunBoard(process(1)), RunBoard(process(2))
    assert one.look(prints("{}", "time.sleep(60)"), "pack", "lab", NOW)
    assert not other.look(prints("{}"), "pack", "other-lab", NOW)
    assert other.start("grade", prints("{}"), "course", "lab", NOW)
    one.stop()


def test_a_run_whose_process_is_gone_is_broken_and_may_begin_again(process: Process) -> None:
    one, gone = RunBoard(process(1)), RunBoard(process(2))
    for board, lab in ((one, "mine"), (gone, "its")):
        board.start("grade", prints('{"done": 1, "total": 2}', "time.sleep(60)"), "course", lab, NOW)
    until(lambda: all((run := one.latest("course", lab)) and run.progress.done for lab in ("mine", "its")))
    again = RunBoard(process(2))
    its, mine = again.latest("course", "its"), again.latest("course", "mine")
    assert its is not None
    assert mine is not None
    assert (its.state, its.exit_code, its.progress.done) == ("broken", LOST, 1)
    assert mine.state == "running"
    assert again.start("grade", prints('{"finished": true}'), "course", "its", NOW)
    one.stop()
    gone.stop()


def test_a_persons_seats_are_counted_over_all_and_those_of_one_that_is_gone_are_free(process: Process) -> None:
    one, other = Listeners(process(1)), Listeners(process(2))
    held = [listeners.seat("ann") for listeners in (one, other, one, other)]
    assert len(held) == MOST_EACH
    assert all(seat.__enter__() for seat in held)
    for listeners in (one, other):
        assert not listeners.has_room("ann")
        with listeners.seat("ann") as more:
            assert not more
    assert other.count == MOST_EACH
    assert Listeners(process(2)).count == MOST_EACH - 2
    assert one.has_room("ann")
    one.close()
    assert not one.has_room("bob")
    assert other.has_room("bob")


def test_a_look_is_new_once_a_minute_whichever_process_is_asked(process: Process) -> None:
    one, other = Lately(process(1)), Lately(process(2))
    thing = ("teacher", "127.0.0.1", "class/{course}", "ko")
    assert one.is_new(thing, NOW)
    assert not other.is_new(thing, NOW + WINDOW / 2)
    assert other.is_new((*thing, "mina"), NOW)
    assert one.is_new(thing, NOW + WINDOW)
    assert not other.is_new(thing, NOW + WINDOW)
    assert other.is_new(thing, NOW - timedelta(hours=1)), "a clock that was set back hides nothing"


def test_what_was_seen_is_forgotten(process: Process) -> None:
    shared = process(1)
    lately = Lately(shared)
    for minute in range(5):
        for number in range(20):
            assert lately.is_new((str(minute), str(number)), NOW + minute * WINDOW)
    assert shared.read("SELECT count(*) FROM seen") == [(20,)]


def test_an_address_is_counted_over_all(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [600.0]
    monkeypatch.setattr("hub_config.portal.limits.time.monotonic", lambda: clock[0])
    limiters = AddressLimiter(process(1), 3), AddressLimiter(process(2), 3)
    assert [limiters[number % 2].allows("192.0.2.1") for number in range(5)] == [True, True, True, False, False]
    assert limiters[0].allows("192.0.2.2")
    clock[0] += 60
    assert limiters[1].allows("192.0.2.1")


def test_a_warning_that_one_gave_is_shown_and_taken_back_by_another(process: Process) -> None:
    one, other = IdleServers(process(1)), IdleServers(process(2))
    patience = Patience(timedelta(minutes=90), timedelta(minutes=10))
    warned_at = NOW + timedelta(minutes=80)
    assert one.judge("mina", NOW, warned_at, (), patience).warned is not None
    assert other.ends_at("mina", warned_at) == NOW + timedelta(minutes=90)
    # The same warning goes on, whoever is asked.
    assert other.judge("mina", NOW, NOW + timedelta(minutes=90), (), patience).is_over
    one.judge("jun", NOW, warned_at, (), patience)
    other.keep("jun", warned_at)
    assert one.ends_at("jun", warned_at) is None
    assert one.judge("jun", NOW, NOW + timedelta(minutes=90), (), patience).warned is None


def test_a_process_killed_while_it_writes_leaves_all_or_nothing(tmp_path: Path) -> None:
    path, luck = tmp_path / "portal.db", Random(3)
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITES, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"up\n"
            time.sleep(luck.uniform(0.001, 0.05))
            writer.kill()
        shared = Shared(path)
        found = shared.read("SELECT DISTINCT value FROM pairs")
        assert len(found) <= 1
        assert shared.read("PRAGMA integrity_check") == [("ok",)]


def test_what_fails_halfway_is_taken_back(process: Process) -> None:
    shared = process(1)
    limiter = AddressLimiter(shared, 1)

    def two_things() -> None:
        with shared.writing() as do:
            do("INSERT INTO asked VALUES ('192.0.2.1', 0, 9)")
            do("no statement")

    with pytest.raises(sqlite3.OperationalError):
        two_things()
    assert shared.read("SELECT * FROM asked") == []
    assert limiter.allows("192.0.2.1")
