"""The chain of receipts. The rule: each hash covers its receipt and the hash before it, so that a receipt that was
edited, taken out, moved or cut off is found and named."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from hub_config.ai_gateway.ledger.rows import CHAINED, CONTENT, content_sha256

GENESIS = "0" * 64
_AT_ONCE = 2_000  # a running gateway cannot write while a part is read


def digest(row: Mapping[str, Any], number: int, previous: str) -> str:
    """Give the hash that a receipt must carry."""
    fields = {name: row[name] for name in CHAINED} | {"number": number, "previous": previous}
    canonical = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify(path: Path, anchors: Iterable[tuple[int, str]] = ()) -> str | None:
    """Walk the whole chain; give None when it holds, else a sentence that names the first bad receipt."""
    anchored = dict(anchors)
    number, previous = 0, GENESIS
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        seen = -(2**63)
        while part := _part(db, seen):
            for row in part:
                if fault := _fault(row, number, previous, anchored):
                    return fault
                number, previous = row["number"], row["hash"]
            seen = number
    if cut := [anchor for anchor in anchored if anchor > number]:
        return f"the receipts end at number {number}, but number {max(cut)} was anchored: the last ones were cut off"
    return None


def _part(db: sqlite3.Connection, seen: int) -> list[sqlite3.Row]:
    return db.execute(
        "SELECT receipts.*, contents.number AS kept, prompt, answer, answer_type FROM receipts "
        "LEFT JOIN contents USING (number) WHERE receipts.number > ? ORDER BY receipts.number LIMIT ?",
        (seen, _AT_ONCE),
    ).fetchall()


def _fault(row: sqlite3.Row, number: int, previous: str, anchored: Mapping[int, str]) -> str | None:
    name = f"receipt {row['number']} ({row['id']}, {row['at']})"
    if row["number"] != number + 1:
        return f"receipt {number + 1} is missing: the chain goes from {number} to {row['number']}"
    if row["hash"] != digest(dict(row), row["number"], previous):
        return f"{name} was changed after it was written, or another one stood in its place"
    if row["kept"] is not None and row["kept_sha256"] != content_sha256([row[column] for column in CONTENT]):
        return f"the prompt or the answer of {name} was changed after it was written"
    if anchored.get(row["number"], row["hash"]) != row["hash"]:
        return f"{name} is not the one that was anchored: the receipts up to it were written anew"
    return None
