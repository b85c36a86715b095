"""A thousand random attacks on what is stored, by somebody who can write the database and the file of heads: all are found.

What is attacked is covered by an exported head; behind the last one a journal can be cut off unseen, as its document says.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from grader.records import chain, head_check, heads, journal
from grader.records.chain import GENESIS, Finding
from grader.records.db import open_database, reading, writing
from grader.records.heads import Heads
from grader.records.models import Event

ATTACKS, COVERED = 1000, 17
COLUMNS = [column.name for column in Event.__table__.columns]
Row = dict[str, Any]


@dataclass
class Journal:
    """A small journal in memory with three heads, made once and copied for each attack."""

    stored: bytes
    lines: list[bytes]
    heads: Heads

    def copy(self) -> tuple[sqlite3.Connection, Engine]:
        connection = sqlite3.connect(":memory:")
        connection.deserialize(self.stored)
        connection.row_factory = None
        return connection, create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    folder = tmp_path_factory.mktemp("attacked")
    engine = open_database(f"sqlite:///{folder / 'records.db'}")
    exported, at = Heads(folder / "heads", folder / "key"), datetime(2026, 7, 6, tzinfo=UTC)
    for number in range(15):
        with writing(engine) as session:
            journal.append(session, f"kind-{number % 3}", actor=f"a{number % 4}", course="c", subject=f"s{number % 5}",
                           payload={"n": number, "text": "가나다", "list": [1, 2.5, None]}, key=f"k{number}" if number % 2 else None,
                           at=at + timedelta(hours=number))  # fmt: skip
        if number % 5 == 4:
            heads.export(engine, exported, at)
    engine.dispose()
    connection = sqlite3.connect(folder / "records.db")
    made = Journal(connection.serialize(), exported.file.read_bytes().splitlines(keepends=True), exported)
    connection.close()
    assert exported.read()[-1].seq == COVERED
    return made


# --- attacks on the rows: each gives the rows as they are left ------------------------------------------------------


def another(chance: random.Random, column: str, value: Any) -> Any:
    """Another value for a column."""
    if column == "at":
        return datetime.fromisoformat(value).replace(microsecond=chance.randrange(1, 999999)).isoformat(" ")
    if column == "payload":
        return chance.choice(
            [value.replace("{", '{"more": 0, ', 1), value.replace("1", "1.0", 1) if "1" in value else "{}"]
        )
    if column == "key":
        return None if value and chance.random() < 0.5 else f"another-{chance.random()}"
    return f"{value}{chance.choice('xyz')}"[-64:]


def edit(chance: random.Random, rows: list[Row]) -> list[Row]:
    row, column = chance.choice(rows[:COVERED]), chance.choice([name for name in COLUMNS if name != "seq"])
    row[column] = another(chance, column, row[column])
    return rows


def edit_and_hash(chance: random.Random, rows: list[Row]) -> list[Row]:
    row, column = (
        chance.choice(rows[:COVERED]),
        chance.choice(["actor", "payload", "subject", "at", "course_id", "kind"]),
    )
    row[column] = another(chance, column, row[column])
    row["hash"] = hash_of(row)
    return rows


def delete(chance: random.Random, rows: list[Row]) -> list[Row]:
    first = chance.randrange(COVERED)
    del rows[first : first + chance.randint(1, 4)]
    return rows


def cut_off(chance: random.Random, rows: list[Row]) -> list[Row]:
    return rows[: chance.randrange(COVERED)]


def move(chance: random.Random, rows: list[Row]) -> list[Row]:
    first, second = chance.sample(range(COVERED), 2)
    rows[first]["seq"], rows[second]["seq"] = rows[second]["seq"], rows[first]["seq"]
    return rows


def add(chance: random.Random, rows: list[Row]) -> list[Row]:
    place = chance.randrange(COVERED)
    rows.insert(place, {**chance.choice(rows), "id": f"{chance.getrandbits(128):032x}", "key": None})
    return renumbered(rows)


def make_anew(chance: random.Random, rows: list[Row]) -> list[Row]:
    """Any of the above, and the whole chain computed again so that it holds by itself."""
    changed = chance.choice([edit, delete, cut_off, move, add])(chance, rows)
    changed.sort(key=lambda row: row["seq"])
    return rechained(renumbered(changed))


def renumbered(rows: list[Row]) -> list[Row]:
    for number, row in enumerate(rows, start=1):
        row["seq"] = number
    return rows


def rechained(rows: list[Row]) -> list[Row]:
    previous = GENESIS
    for row in rows:
        row["previous"] = previous
        previous = row["hash"] = hash_of(row)
    return rows


def hash_of(row: Row) -> str:
    fields = {**row, "at": datetime.fromisoformat(row["at"]).replace(tzinfo=UTC), "payload": json.loads(row["payload"])}
    return chain.digest(Event(**fields))


ON_ROWS: list[Callable[[random.Random, list[Row]], list[Row]]] = [
    edit,
    edit_and_hash,
    delete,
    cut_off,
    move,
    add,
    make_anew,
]


# --- attacks on the lines of heads ----------------------------------------------------------------------------------


def change_a_byte(chance: random.Random, lines: list[bytes]) -> bytes:
    whole = bytearray(b"".join(lines))
    place = chance.randrange(len(whole))
    whole[place] = chance.choice([byte for byte in range(256) if byte != whole[place]])
    return bytes(whole)


def take_lines(chance: random.Random, lines: list[bytes]) -> bytes:
    gone = chance.sample(range(3), chance.randint(1, 3))
    return b"".join(line for number, line in enumerate(lines) if number not in gone)


def reorder_lines(chance: random.Random, lines: list[bytes]) -> bytes:
    return b"".join(chance.sample(lines, 3))


def double_a_line(chance: random.Random, lines: list[bytes]) -> bytes:
    place = chance.randrange(3)
    return b"".join([*lines[: place + 1], *lines[place:]])


def cut_the_file(chance: random.Random, lines: list[bytes]) -> bytes:
    whole = b"".join(lines)
    return whole[: chance.randrange(len(whole))]


ON_LINES = [change_a_byte, take_lines, reorder_lines, double_a_line, cut_the_file]


def attacked(made: Journal, chance: random.Random) -> tuple[str, Finding | None, list[Row], list[Row]]:
    """One attack: its name, what verifying says, and the rows before and after."""
    connection, engine = made.copy()
    attack = chance.choice([*ON_ROWS, *ON_LINES])
    before = [
        dict(zip(COLUMNS, row, strict=True))
        for row in connection.execute(f"SELECT {', '.join(COLUMNS)} FROM event ORDER BY seq")
    ]
    after = [dict(row) for row in before]
    lines = b"".join(made.lines)
    if attack in ON_LINES:
        while lines == b"".join(made.lines):
            lines = attack(chance, made.lines)  # type: ignore[operator]
    else:
        after = attack(chance, after)  # type: ignore[operator]
        connection.execute("DELETE FROM event")
        marks = ", ".join("?" * len(COLUMNS))
        connection.executemany(
            f"INSERT INTO event ({', '.join(COLUMNS)}) VALUES ({marks})", [[row[c] for c in COLUMNS] for row in after]
        )
        connection.commit()
    made.heads.file.write_bytes(lines)
    with reading(engine) as session:
        found = head_check.verify(session, made.heads).finding
    engine.dispose()
    connection.close()
    assert attack in ON_LINES or after != before, "an attack that changes nothing proves nothing"
    return attack.__name__, found, before, sorted(after, key=lambda row: row["seq"])


def first_difference(before: list[Row], after: list[Row]) -> int:
    """The number of the first event that is not what it was."""
    same = [b == a for b, a in zip(before, after, strict=False)]
    return (same.index(False) if False in same else len(same)) + 1


def test_the_journal_holds_before_it_is_attacked(whole: Journal) -> None:
    connection, engine = whole.copy()
    with reading(engine) as session:
        assert head_check.verify(session, whole.heads).finding is None
    engine.dispose()
    connection.close()


def test_a_thousand_random_attacks_are_found_and_the_first_bad_event_is_named(whole: Journal) -> None:
    tried, named = Counter[str](), {attack.__name__ for attack in ON_ROWS} - {"make_anew"}
    for seed in range(ATTACKS):
        name, found, before, after = attacked(whole, random.Random(seed))
        tried[name] += 1
        assert found is not None, f"{name}, seed {seed}"
        assert str(found.seq) in found.text.en
        assert str(found.seq) in found.text.ko
        if name in named:
            first = first_difference(before, after)
            # A hash that was computed anew, too, shows at the event behind it.
            assert found.seq in ((first, first + 1) if name == "edit_and_hash" else (first,)), (
                f"{name}, seed {seed}: {found}"
            )
        if name == "make_anew":
            assert first_difference(before, after) <= found.seq <= COVERED
    assert set(tried) == {attack.__name__ for attack in (*ON_ROWS, *ON_LINES)}
    assert sum(tried.values()) == ATTACKS
