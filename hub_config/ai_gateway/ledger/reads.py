"""Questions to the database. The rule: each is answered by an index, and none says more than it was asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hub_config.ai_gateway.ledger.rows import CHAINED, CONTENT, Row, instant
from hub_config.ai_gateway.ledger.terms import OK, Content, Group, Page, ReceiptQuery

#: What a column has to be; one of several where they are given.
Asked = str | tuple[str, ...] | datetime | None
_RECEIPT = ", ".join(("number", *CHAINED, "hash"))
_WITH_CONTENT = f"{_RECEIPT}, {', '.join(CONTENT)} FROM receipts LEFT JOIN contents USING (number)"
_COLUMNS: dict[Content, str] = {
    "none": f"{_RECEIPT}, {', '.join(f'NULL AS {name}' for name in CONTENT)} FROM receipts",
    "asked": f"{_RECEIPT}, prompt, NULL AS answer, NULL AS answer_type FROM receipts LEFT JOIN contents USING (number)",
    "all": _WITH_CONTENT,
}
_SUMS = (
    "sum(refused = 0 AND endpoint <> '-') AS calls, sum(refused) AS refused, coalesce(sum(prompt_tokens), 0) AS prompt_tokens, "
    "coalesce(sum(completion_tokens), 0) AS completion_tokens, sum(cost_krw) AS cost_krw, min(at) AS first_at, max(at) AS last_at "
    "FROM receipts"
)
_KEPT_SUMS = (
    "sum(calls) AS calls, sum(refused) AS refused, sum(prompt_tokens) AS prompt_tokens, "
    "sum(completion_tokens) AS completion_tokens, sum(cost_krw) AS cost_krw, min(first_at) AS first_at, max(last_at) AS last_at "
    "FROM sums"
)
_CONDITIONS = {
    "course": "course IN ({})",
    "one_of": "+course IN ({})",  # +: SQLite would go by several courses, and sort what it finds
    "lab": "lab = ?",
    "learner": "learner = ?",
    "since": "at >= ?",
    "until": "at < ?",
    "before": "number < (SELECT number FROM receipts WHERE id = ?)",
    "id": "id = ?",
}


#: A page of receipts ends with the one whose words pass this: a thousand of the longest would be half a gigabyte.
MOST_LETTERS = 4_000_000


def receipts(db: sqlite3.Connection, query: ReceiptQuery) -> Page:
    """Give a page of receipts, newest first."""
    condition, values = _where(
        **_of(query.courses),
        lab=query.lab,
        learner=query.learner,
        since=query.since,
        until=query.until,
        before=query.before,
    )
    sql = f"SELECT {_COLUMNS[query.content]}{condition} ORDER BY number DESC LIMIT ?"
    found: list[Row] = []
    letters = 0
    for row in _rows(db, sql, [*values, query.limit + 1]):
        if len(found) == query.limit or letters > MOST_LETTERS:
            return Page(found, has_more=True)
        letters += len(row["prompt"] or "") + len(row["answer"] or "")
        found.append(row)
    return Page(found, has_more=False)


def receipt(db: sqlite3.Connection, receipt_id: str) -> Row | None:
    """Give one receipt, with its content."""
    condition, values = _where(id=receipt_id)
    return next(_rows(db, f"SELECT {_WITH_CONTENT}{condition}", values), None)


def answered(db: sqlite3.Connection, course: str, lab: str, learner: str) -> list[Row]:
    """Give the calls that went well and whose answers are kept, oldest first."""
    condition, values = _where(course=course, lab=lab, learner=learner)
    sql = f"SELECT {_WITH_CONTENT}{condition} AND outcome = ? AND answer IS NOT NULL ORDER BY number"
    return list(_rows(db, sql, [*values, OK]))


def spend(
    db: sqlite3.Connection, group: Group, courses: tuple[str, ...], by: Group | None, limit: int | None, **asked: Asked
) -> list[Row]:  # fmt: skip
    """Give the sums of calls, tokens and won; a call that was not let through counts as refused only.

    With a limit the dearest come first, and no more of them.
    """
    groups = [group, by] if by else [group]
    kept = {*groups, *(name for name, value in asked.items() if value is not None)} <= {"course", "learner"}
    condition, values = _where(**({"course": courses or None} if kept else _of(courses)), **asked)
    order = "cost_krw DESC, calls DESC, 1 LIMIT ?" if limit is not None else "1"
    sql = (
        f"SELECT {', '.join(groups)}, {_KEPT_SUMS if kept else _SUMS}{condition} "
        f"GROUP BY {', '.join(one if kept else f'+{one}' for one in groups)} ORDER BY {order}"  # +: by the condition's index
    )
    return list(_rows(db, sql, values if limit is None else [*values, limit]))


def _of(courses: tuple[str, ...]) -> dict[str, Asked]:
    """What receipts of the courses have to be: one course is looked for by its index, several along the order that is asked for."""
    return {"one_of": courses} if len(courses) > 1 else {"course": courses or None}


def _where(**asked: Asked) -> tuple[str, list[Any]]:
    """Only what is asked for becomes a condition: SQLite finds the index for it then."""
    conditions: list[str] = []
    values: list[Any] = []
    for name, value in asked.items():
        if value is not None:
            any_of = value if isinstance(value, tuple) else (instant(value) if isinstance(value, datetime) else value,)
            conditions.append(_CONDITIONS[name].format(", ".join("?" * len(any_of))))
            values += any_of
    return f" WHERE {' AND '.join(conditions)}" if conditions else "", values


def _rows(db: sqlite3.Connection, sql: str, values: list[Any]) -> Iterator[Row]:
    cursor = db.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)
