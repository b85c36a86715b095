"""The ledger's database. The rule: what a commit has written is on the disk, whole or not at all, and writing the same
again changes nothing; so a commit of which nobody knows how it ended is simply made again.

All access is on one thread, off the event loop. No WAL: this SQLite may have the fault that loses it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

from hub_config.ai_gateway.ledger.chain import COUNTED, GENESIS, digest, opened, wrong_sum
from hub_config.ai_gateway.ledger.leases import Leaf, Written
from hub_config.ai_gateway.ledger.rows import CHAINED, CONTENT, Row, instant
from hub_config.ai_gateway.ledger.terms import Amount, LedgerError, Place

LOG = logging.getLogger(__name__)
VERSION = 3
SCHEMA = """
CREATE TABLE ledger (institution TEXT NOT NULL) STRICT;
CREATE TABLE receipts (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, day TEXT NOT NULL,
  learner TEXT NOT NULL, course TEXT NOT NULL, lab TEXT NOT NULL,
  endpoint TEXT NOT NULL, model TEXT NOT NULL, upstream TEXT NOT NULL, outcome TEXT NOT NULL, refused INTEGER NOT NULL,
  prompt_tokens INTEGER, completion_tokens INTEGER, audio_ms INTEGER, characters INTEGER, images INTEGER,
  reserved_krw INTEGER NOT NULL, reserved_tokens INTEGER NOT NULL,
  cost_krw INTEGER NOT NULL, cost_tokens INTEGER NOT NULL, latency_ms INTEGER, first_byte_ms INTEGER,
  request_sha256 TEXT NOT NULL, prompt_sha256 TEXT NOT NULL, answer_sha256 TEXT, kept_sha256 TEXT, hash TEXT NOT NULL) STRICT;
CREATE INDEX receipts_of_learner ON receipts (learner, course);
CREATE INDEX receipts_of_lab ON receipts (course, lab);
CREATE INDEX receipts_of_course ON receipts (course, at);
CREATE INDEX receipts_at ON receipts (at);
CREATE TABLE contents ( -- apart from the receipts, so that it can be deleted and the chain holds
  number INTEGER PRIMARY KEY, prompt TEXT, answer TEXT, answer_type TEXT, expires_on TEXT NOT NULL) STRICT;
CREATE INDEX contents_expire ON contents (expires_on);
CREATE TABLE leaves (
  learner TEXT NOT NULL, course TEXT NOT NULL, lab TEXT NOT NULL, day TEXT NOT NULL,
  spent_krw INTEGER NOT NULL, spent_tokens INTEGER NOT NULL, leased_krw INTEGER NOT NULL, leased_tokens INTEGER NOT NULL,
  PRIMARY KEY (learner, course, lab, day)) STRICT, WITHOUT ROWID;
CREATE INDEX leaves_leased ON leaves (day) WHERE leased_krw <> spent_krw OR leased_tokens <> spent_tokens;
CREATE TABLE switches (
  course TEXT NOT NULL, lab TEXT NOT NULL, off INTEGER NOT NULL, by TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (course, lab)) STRICT, WITHOUT ROWID;
"""
#: Since version 2: what spending by course and learner is told from, each receipt counted once, as it is written.
SUMS = """
CREATE TABLE sums (
  learner TEXT NOT NULL, course TEXT NOT NULL, calls INTEGER NOT NULL, refused INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost_krw INTEGER NOT NULL,
  first_at TEXT NOT NULL, last_at TEXT NOT NULL, PRIMARY KEY (course, learner)) STRICT, WITHOUT ROWID;
INSERT INTO sums {counted};
CREATE TRIGGER receipts_summed AFTER INSERT ON receipts BEGIN
  INSERT INTO sums VALUES (
    NEW.learner, NEW.course, NEW.refused = 0 AND NEW.endpoint <> '-', NEW.refused, coalesce(NEW.prompt_tokens, 0),
    coalesce(NEW.completion_tokens, 0), NEW.cost_krw, NEW.at, NEW.at)
  ON CONFLICT DO UPDATE SET
    calls = calls + excluded.calls, refused = refused + excluded.refused,
    prompt_tokens = prompt_tokens + excluded.prompt_tokens, completion_tokens = completion_tokens + excluded.completion_tokens,
    cost_krw = cost_krw + excluded.cost_krw, first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
END;
""".replace("{counted}", COUNTED)
#: Since version 3: an index of moments that holds all that spending day by day asks for, of some courses or of all.
BY_DAY = """
DROP INDEX receipts_at;
CREATE INDEX receipts_at ON receipts (at, day, course, refused, endpoint, prompt_tokens, completion_tokens, cost_krw);
"""
#: What each version after the first adds to the one before.
ADDED = (SUMS, BY_DAY)
_RECEIPT = ("number", *CHAINED, "hash")
_INSERT = f"INSERT INTO receipts ({', '.join(_RECEIPT)}) VALUES ({', '.join('?' * len(_RECEIPT))})"  # noqa: S608 -- constants
_LEAF = "learner, course, lab, day, spent_krw, spent_tokens, leased_krw, leased_tokens"


class Store:
    """The database; used from one thread."""

    def __init__(self, path: Path, institution: str) -> None:
        self._lock = _private_file(path)
        try:
            self.db = _connect(path, institution)
        except BaseException:
            os.close(self._lock)
            raise

    def write(self, rows: Sequence[Row], leaves: Sequence[Written]) -> None:
        """Add closed receipts at the end of the chain, and set what was spent and leased."""
        with self._transaction():
            number, previous = self.head()
            for row in rows:
                if not self.has(row["id"]):
                    number += 1
                    previous = self._add(row, number, previous)
            self.db.executemany(
                f"INSERT OR REPLACE INTO leaves ({_LEAF}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 -- a constant
                (_leaf_values(written) for written in leaves),
            )

    def has(self, receipt: str) -> bool:
        """Tell whether a receipt is in the database."""
        return self.db.execute("SELECT 1 FROM receipts WHERE id = ?", (receipt,)).fetchone() is not None

    def head(self) -> tuple[int, str]:
        """Give the newest receipt's number and hash."""
        last = self.db.execute("SELECT number, hash FROM receipts ORDER BY number DESC LIMIT 1").fetchone()
        return last or (0, GENESIS)

    def leased(self) -> list[Leaf]:
        """Give the leaves whose lease nobody has given back."""
        return self._leaves("(leased_krw <> spent_krw OR leased_tokens <> spent_tokens)")

    def leaf(self, place: Place, day: date) -> Leaf:
        """Give a learner's day in a lab."""
        values = (place.learner, place.course, place.lab, day.isoformat())
        found = self._leaves("learner = ? AND course = ? AND lab = ? AND day = ?", *values)
        return found[0] if found else Leaf(place, day)

    def leaves_since(self, day: date) -> list[Leaf]:
        """Give the leaves of a day and of those after it."""
        return self._leaves("day >= ?", day.isoformat())

    def totals(self) -> list[tuple[Place, Amount]]:
        """Give what each learner has spent in each lab, in all."""
        found = self.db.execute(
            "SELECT learner, course, lab, sum(spent_krw), sum(spent_tokens) FROM leaves GROUP BY learner, course, lab"
        )
        return [(Place(*row[:3]), Amount(*row[3:])) for row in found]

    def switches(self) -> dict[tuple[str, str], Row]:
        """Give which courses and labs somebody has switched off or on."""
        found = self.db.execute("SELECT course, lab, off, by, at FROM switches")
        return {(course, lab): {"off": bool(off), "by": by, "at": at} for course, lab, off, by, at in found}

    def set_switch(self, course: str, lab: str, off: bool, by: str, at: datetime) -> None:
        """Switch AI off or on in a lab, or with `-` in a whole course."""
        with self._transaction():
            self.db.execute(
                "INSERT OR REPLACE INTO switches VALUES (?, ?, ?, ?, ?)", (course, lab, off, by, instant(at))
            )

    def expire(self, today: date) -> int:
        """Delete the prompts and answers whose days are over."""
        with self._transaction():
            return self.db.execute("DELETE FROM contents WHERE expires_on < ?", (today.isoformat(),)).rowcount

    def close(self) -> None:
        """Close the database and let another gateway have it."""
        self.db.close()
        os.close(self._lock)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise

    def _add(self, row: Row, number: int, previous: str) -> str:
        link = digest(row, number, previous)
        self.db.execute(_INSERT, (number, *(row[name] for name in CHAINED), link))
        if row["kept_sha256"] is not None:
            values = (number, *(row[name] for name in CONTENT), row["expires_on"])
            self.db.execute("INSERT INTO contents VALUES (?, ?, ?, ?, ?)", values)
        return link

    def _leaves(self, condition: str, *values: str) -> list[Leaf]:
        found = self.db.execute(f"SELECT {_LEAF} FROM leaves WHERE {condition}", values)  # noqa: S608 -- a constant
        return [
            Leaf(Place(*row[:3]), date.fromisoformat(row[3]), spent=Amount(*row[4:6]), leased=Amount(*row[6:8]))
            for row in found
        ]


def owner_of(path: Path) -> str | None:
    """Give the institution whose ledger this is; None where it is not there yet, or cannot be read: then the gateway says why."""
    if not path.is_file():
        return None
    try:
        with opened(path) as db:
            (owner,) = db.execute("SELECT institution FROM ledger").fetchone() or (None,)
    except sqlite3.Error:
        return None
    return owner


def _leaf_values(written: Written) -> tuple[str | int, ...]:
    place, spent, leased = written.leaf.place, written.spent, written.leased
    names = (place.learner, place.course, place.lab, written.leaf.day.isoformat())
    return (*names, spent.krw, spent.tokens, leased.krw, leased.tokens)


def _private_file(path: Path) -> int:
    """Make sure that only this user can read the database, and that one gateway uses it; gives the lock."""
    folder = path.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        raise LedgerError(f"{folder} can be read by others: keep the database in a folder of its own with mode 0700")
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
    path.chmod(0o600)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise LedgerError(f"another gateway is running on {path}: stop it first") from error
    return lock


def _connect(path: Path, institution: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA secure_delete=ON")  # what retention deletes is overwritten
        _prepare(db, path, institution)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path, institution: str) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise LedgerError(f"{path} was written by a newer gateway (version {version}, this one knows {VERSION})")
    if version == 0:
        if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'receipts'").fetchone():
            raise LedgerError(f"{path} was written by an older gateway: move it away, the gateway makes a new one")
        db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} {''.join(ADDED)} PRAGMA user_version = {VERSION};")
        db.execute("INSERT INTO ledger VALUES (?)", (institution,))
        db.execute("COMMIT")
    elif version < VERSION:
        added = "".join(ADDED[version - 1 :])
        db.executescript(f"BEGIN IMMEDIATE; {added} PRAGMA user_version = {VERSION}; COMMIT;")
    elif wrong_sum(db):
        LOG.warning("the kept sums of %s were not those of its receipts, and are counted anew", path)
        db.executescript(f"BEGIN IMMEDIATE; DELETE FROM sums; INSERT INTO sums {COUNTED}; COMMIT;")  # noqa: S608 -- a constant
    (owner,) = db.execute("SELECT institution FROM ledger").fetchone()
    if owner != institution:
        raise LedgerError(f"{path} is the ledger of {owner}, and not of {institution}")
