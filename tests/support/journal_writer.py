"""Appends events to a journal, each with its client's key, and says so once each is acknowledged: to be killed at any moment.

`python journal_writer.py URL NAME FIRST LAST`: one line of `number id hash` for each event.
"""

from __future__ import annotations

import sys

from grader.records import journal
from grader.records.db import open_database, writing


def main(url: str, name: str, first: int, last: int) -> None:
    """Append events `name-first` to `name-last`, one transaction each."""
    engine = open_database(url)
    for number in range(first, last + 1):
        with writing(engine) as session:
            event = journal.append(
                session, "test", actor=name, course="c", subject=f"s{number % 30}", key=f"{name}-{number}",
                payload={"n": number, "text": "가나다" * (number % 40)},
            )  # fmt: skip
        sys.stdout.write(f"{number} {event.id} {event.hash}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
