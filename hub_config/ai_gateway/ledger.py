"""Budgets and receipts in SQLite.

The rule: money is reserved before a call by one conditional update, and a call never costs more than it reserved; so
spent + reserved never passes the limit, whatever races, breaks or lies. All access is on one thread, off the event loop.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from hub_config.ai_gateway.redact import without_personal_data

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
  learner TEXT NOT NULL, course TEXT NOT NULL, lab TEXT NOT NULL, -- lab '' is the whole course
  limit_krw INTEGER, spent_krw INTEGER NOT NULL DEFAULT 0, reserved_krw INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (learner, course, lab)) STRICT;
CREATE TABLE IF NOT EXISTS receipts (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, learner TEXT NOT NULL, course TEXT NOT NULL, lab TEXT NOT NULL,
  at TEXT NOT NULL, endpoint TEXT NOT NULL, model TEXT NOT NULL, upstream TEXT NOT NULL,
  prompt_sha256 TEXT NOT NULL, answer_sha256 TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
  reserved_krw INTEGER NOT NULL, cost_krw INTEGER, latency_ms INTEGER, outcome TEXT NOT NULL,
  prompt TEXT NOT NULL, answer TEXT) STRICT;
CREATE INDEX IF NOT EXISTS receipts_of_course ON receipts (course, learner);
CREATE INDEX IF NOT EXISTS receipts_open ON receipts (outcome) WHERE outcome = 'open';
"""
#: Both accounts of a call, the course's and the lab's, or neither. A limit of NULL never stops it.
RESERVE = """
UPDATE accounts SET reserved_krw = reserved_krw + :won
WHERE learner = :learner AND course = :course AND lab IN ('', :lab) AND NOT EXISTS (
  SELECT 1 FROM accounts AS full WHERE full.learner = :learner AND full.course = :course AND full.lab IN ('', :lab)
  AND full.spent_krw + full.reserved_krw + :won > full.limit_krw)
"""
OPEN, GATEWAY_DIED = "open", "gateway_died"
COLUMNS = (
    "id, learner, course, lab, at, endpoint, model, upstream, prompt_sha256, answer_sha256, prompt_tokens, "
    "completion_tokens, reserved_krw, cost_krw, latency_ms, outcome, prompt, answer"
)

T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """Whose money in which course and lab, and the limits that hold (see GatewayConfig.limits_krw)."""

    learner: str
    course: str
    lab: str
    limits_krw: dict[str, int]


@dataclass(frozen=True)
class Opening:
    """What is known of a call before it is made."""

    receipt: str
    endpoint: str
    model: str
    upstream: str
    prompt_sha256: str
    prompt: str
    reserve_krw: int


@dataclass
class Settlement:
    """How a call ended; a cost of None is the whole reservation."""

    outcome: str
    cost_krw: int | None = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    answer_sha256: str | None = None
    answer: str | None = None
    latency_ms: int = 0
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Balance:
    """An account's state; where the lab has a limit too, `left_krw` is the smaller of both."""

    limit_krw: int
    spent_krw: int
    reserved_krw: int
    left_krw: int


class LedgerError(Exception):
    """The database cannot be used; the message says why."""


def new_receipt_id() -> str:
    """Make a receipt's id."""
    return f"rcpt_{secrets.token_hex(12)}"


class Ledger:
    """The gateway's database."""

    def __init__(self, path: Path) -> None:
        self._lock = _private_file(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._db = self._thread.submit(_connect, path).result()

    async def reserve(self, account: Account, opening: Opening) -> bool:
        """Reserve a call's most, and open its receipt; False where too little is left."""
        return await self._run(lambda: self._reserve(account, opening))

    async def settle(self, receipt: str, end: Settlement) -> None:
        """Close an open receipt and turn its reservation into its cost; a closed or unknown one stays as it is."""
        await self._run(lambda: self._settle(receipt, end))

    async def balance(self, account: Account) -> Balance:
        """Give the state of an account."""
        return await self._run(lambda: self._balance(account))

    async def receipts(
        self, course: str | None, learner: str | None, limit: int, before: str | None
    ) -> list[dict[str, Any]]:
        """Give receipts, newest first, of a course and a learner; `before` is the id of the last one already seen."""
        return await self._run(lambda: self._receipts(course, learner, limit, before))

    def close(self) -> None:
        """Finish what was asked and close the database."""
        self._thread.submit(self._db.close).result()
        self._thread.shutdown()
        os.close(self._lock)

    async def _run(self, work: Callable[[], T]) -> T:
        # Shielded: a caller who leaves does not undo work that the thread has begun, and the thread keeps the order.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _reserve(self, account: Account, opening: Opening) -> bool:
        values = {"learner": account.learner, "course": account.course, "lab": account.lab, "won": opening.reserve_krw}
        with self._transaction() as db:
            _write_limits(db, account)
            if db.execute(RESERVE, values).rowcount == 0:
                return False
            _open_receipt(db, account, opening)
        return True

    def _settle(self, receipt: str, end: Settlement) -> None:
        with self._transaction() as db:
            row = db.execute(
                "SELECT learner, course, lab, reserved_krw FROM receipts WHERE id = ? AND outcome = ?", (receipt, OPEN)
            ).fetchone()
            if row is not None:
                _close_receipt(db, receipt, end, row)

    def _balance(self, account: Account) -> Balance:
        spent = {
            lab: (spent_krw, reserved_krw)
            for lab, spent_krw, reserved_krw in self._db.execute(
                "SELECT lab, spent_krw, reserved_krw FROM accounts WHERE learner = ? AND course = ? AND lab IN ('', ?)",
                (account.learner, account.course, account.lab),
            )
        }
        left = min(limit - sum(spent.get(lab, (0, 0))) for lab, limit in account.limits_krw.items())
        spent_krw, reserved_krw = spent.get("", (0, 0))
        return Balance(account.limits_krw[""], spent_krw, reserved_krw, max(0, left))

    def _receipts(
        self, course: str | None, learner: str | None, limit: int, before: str | None
    ) -> list[dict[str, Any]]:
        cursor = self._db.execute(
            f"SELECT {COLUMNS} FROM receipts WHERE (:course IS NULL OR course = :course) "  # noqa: S608 -- a constant
            "AND (:learner IS NULL OR learner = :learner) "
            "AND (:before IS NULL OR number < (SELECT number FROM receipts WHERE id = :before)) "
            "ORDER BY number DESC LIMIT :limit",
            {"course": course, "learner": learner, "before": before, "limit": limit},
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


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


def _connect(path: Path) -> sqlite3.Connection:
    """Open the database; reservations of a gateway that died are settled in full, because the calls may have been paid."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=DELETE")
    db.execute("PRAGMA synchronous=FULL")
    db.executescript(SCHEMA)
    db.execute("BEGIN IMMEDIATE")
    for receipt, *row in db.execute(
        "SELECT id, learner, course, lab, reserved_krw FROM receipts WHERE outcome = ?", (OPEN,)
    ).fetchall():
        _close_receipt(db, receipt, Settlement(GATEWAY_DIED, cost_krw=None), tuple(row))
    db.execute("COMMIT")
    return db


def _write_limits(db: sqlite3.Connection, account: Account) -> None:
    for lab in {"", account.lab}:
        db.execute(
            "INSERT INTO accounts (learner, course, lab, limit_krw) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET limit_krw = excluded.limit_krw",
            (account.learner, account.course, lab, account.limits_krw.get(lab)),
        )


def _open_receipt(db: sqlite3.Connection, account: Account, opening: Opening) -> None:
    db.execute(
        "INSERT INTO receipts (id, learner, course, lab, at, endpoint, model, upstream, prompt_sha256, reserved_krw, "
        "outcome, prompt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            opening.receipt,
            account.learner,
            account.course,
            account.lab,
            datetime.now(UTC).isoformat(),
            opening.endpoint,
            opening.model,
            opening.upstream,
            opening.prompt_sha256,
            opening.reserve_krw,
            OPEN,
            without_personal_data(opening.prompt),
        ),
    )


def _close_receipt(db: sqlite3.Connection, receipt: str, end: Settlement, row: tuple[Any, ...]) -> None:
    learner, course, lab, reserved = row
    cost = reserved if end.cost_krw is None else max(0, min(end.cost_krw, reserved))
    db.execute(
        "UPDATE accounts SET reserved_krw = reserved_krw - ?, spent_krw = spent_krw + ? "
        "WHERE learner = ? AND course = ? AND lab IN ('', ?)",
        (reserved, cost, learner, course, lab),
    )
    db.execute(
        "UPDATE receipts SET outcome = ?, cost_krw = ?, prompt_tokens = ?, completion_tokens = ?, answer_sha256 = ?, "
        "answer = ?, latency_ms = ? WHERE id = ?",
        (
            end.outcome,
            cost,
            end.prompt_tokens,
            end.completion_tokens,
            end.answer_sha256,
            None if end.answer is None else without_personal_data(end.answer),
            end.latency_ms,
            receipt,
        ),
    )
