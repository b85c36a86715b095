"""Writers of the journal are killed at any moment and try again: nothing acknowledged is lost, nothing is doubled, the chain holds.

`PRACTICUM_JOURNAL_KILLS=200` makes the long run: so many kills over a hundred events each.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select
from turns import ONE_DATABASE

from grader.records import journal
from grader.records.db import open_database, reading
from grader.records.models import Event

KILLS = int(os.environ.get("PRACTICUM_JOURNAL_KILLS", "12"))
WRITERS, EVENTS = 4, KILLS * 100
WRITER = Path(__file__).parents[1] / "support" / "journal_writer.py"


class Client(threading.Thread):
    """A writer's parent: counts what was acknowledged, kills, and starts again from the first event that was not."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__()
        self.url, self.writer, self.chance = url, name, random.Random(name)
        self.acknowledged: dict[int, tuple[str, str]] = {}
        self.kills = 0

    def run(self) -> None:
        wanted, kills = EVENTS // WRITERS, KILLS // WRITERS
        while len(self.acknowledged) < wanted:
            left = (wanted - len(self.acknowledged)) // (kills - self.kills + 1)
            self._once(wanted, self.chance.randint(1, max(1, 2 * left)) if self.kills < kills else wanted)

    def _once(self, wanted: int, until: int) -> None:
        """Start a writer; kill it after so many events, somewhere within the next one or two."""
        argv = [sys.executable, str(WRITER), self.url, self.writer, str(len(self.acknowledged) + 1), str(wanted)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for seen, line in enumerate(process.stdout, start=1):
                number, *event = line.split()
                if line.endswith("\n") and len(event) == 2:
                    self.acknowledged[int(number)] = (event[0], event[1])
                if seen == until and len(self.acknowledged) < wanted:
                    time.sleep(self.chance.uniform(0, 0.01))
                    process.send_signal(signal.SIGKILL)
                    self.kills += 1


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("database", ONE_DATABASE, indirect=True)
def test_kills_lose_nothing_and_double_nothing(database: str) -> None:
    open_database(database).dispose()
    clients = [Client(database, f"writer{number}") for number in range(WRITERS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert sum(client.kills for client in clients) >= KILLS
    engine = open_database(database)
    with reading(engine) as session:
        assert journal.verify(session) is None
        assert session.scalar(select(func.count()).select_from(Event)) == EVENTS
        stored = {
            key: (event_id, digest)
            for key, event_id, digest in session.execute(select(Event.key, Event.id, Event.hash))
        }
    for client in clients:
        assert {
            f"{client.writer}-{number}": event for number, event in client.acknowledged.items()
        }.items() <= stored.items()
        assert len(client.acknowledged) == EVENTS // WRITERS
    engine.dispose()
