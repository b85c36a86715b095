"""The chain of receipts. The rule: each hash covers its receipt and the hash before it, so that a receipt that was
edited, taken out, moved or cut off is found and named. Sums are derived from it: what they should be is told here too."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from hub_config.ai_gateway.ledger.rows import CHAINED, CONTENT, content_sha256
from labs.texts import Text

GENESIS = "0" * 64
_AT_ONCE = 2_000  # a running gateway cannot write while a part is read
#: What the receipts of each learner in each course add up to, in the order of the table `sums`.
COUNTED = (
    "SELECT learner, course, sum(refused = 0 AND endpoint <> '-'), sum(refused), coalesce(sum(prompt_tokens), 0), "
    "coalesce(sum(completion_tokens), 0), sum(cost_krw), min(at), max(at) FROM receipts GROUP BY course, learner"
)


def opened(path: Path) -> closing[sqlite3.Connection]:
    """Open a ledger that is there, to read it; not read-only: what a gateway that was killed had begun to write is taken back first."""
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True))


def digest(row: Mapping[str, Any], number: int, previous: str) -> str:
    """Give the hash that a receipt must carry."""
    fields = {name: row[name] for name in CHAINED} | {"number": number, "previous": previous}
    canonical = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify(path: Path, anchors: Iterable[tuple[int, str]] = ()) -> Text | None:
    """Walk the whole chain; give None when it holds, else a sentence that names the first bad receipt."""
    anchored = dict(anchors)
    number, previous = 0, GENESIS
    with opened(path) as db:
        db.row_factory = sqlite3.Row
        seen = -(2**63)
        while part := _part(db, seen):
            for row in part:
                if fault := _fault(row, number, previous, anchored):
                    return fault
                number, previous = row["number"], row["hash"]
            seen = number
    if cut := [anchor for anchor in anchored if anchor > number]:
        return Text(
            ko=f"AI 영수증이 {number}번에서 끝나지만 원장에는 {max(cut)}번이 기록되어 있습니다. 마지막 영수증들이 잘려 나갔습니다.",
            en=f"the receipts end at number {number}, but number {max(cut)} was anchored: the last ones were cut off",
        )
    return None


def verify_sums(path: Path) -> Text | None:
    """Tell of the first learner whose kept sums are not what the receipts add up to; an older ledger keeps none."""
    with opened(path) as db:
        found = wrong_sum(db) if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sums'").fetchone() else None
    if found is None:
        return None
    course, learner = found
    return Text(
        ko=f"{course} 과정 {learner} 훈련생의 AI 사용량 합계가 영수증과 다릅니다. 영수증은 온전하며, AI 게이트웨이를 다시 시작하면 합계를 새로 계산합니다.",
        en=f"the kept sums of AI use of {learner} in {course} are not those of the receipts; the receipts hold, and the AI gateway "
        "counts anew when it is started again",
    )


def wrong_sum(db: sqlite3.Connection) -> tuple[str, str] | None:
    """Give the first course and learner whose kept sums differ; some tenths of a second for a hundred thousand receipts."""
    found: tuple[str, str] | None = db.execute(
        f"WITH counted AS ({COUNTED}) SELECT course, learner FROM ("  # noqa: S608 -- a constant
        "SELECT * FROM (SELECT * FROM counted EXCEPT SELECT * FROM sums) UNION ALL "
        "SELECT * FROM (SELECT * FROM sums EXCEPT SELECT * FROM counted)) ORDER BY 1, 2 LIMIT 1"
    ).fetchone()
    return found


def _part(db: sqlite3.Connection, seen: int) -> list[sqlite3.Row]:
    return db.execute(
        "SELECT receipts.*, contents.number AS kept, prompt, answer, answer_type FROM receipts "
        "LEFT JOIN contents USING (number) WHERE receipts.number > ? ORDER BY receipts.number LIMIT ?",
        (seen, _AT_ONCE),
    ).fetchall()


def _fault(row: sqlite3.Row, number: int, previous: str, anchored: Mapping[int, str]) -> Text | None:
    ko, en = (f"{name} {row['number']} ({row['id']}, {row['at']})" for name in ("AI 영수증", "receipt"))
    if row["number"] != number + 1:
        return Text(
            ko=f"AI 영수증 {number + 1}번이 없습니다. {number}번 다음이 {row['number']}번입니다.",
            en=f"receipt {number + 1} is missing: the chain goes from {number} to {row['number']}",
        )
    if row["hash"] != digest(dict(row), row["number"], previous):
        return Text(
            ko=f"{ko}: 기록된 뒤에 바뀌었거나, 그 자리에 다른 영수증이 있었습니다.",
            en=f"{en} was changed after it was written, or another one stood in its place",
        )
    if row["kept"] is not None and row["kept_sha256"] != content_sha256([row[column] for column in CONTENT]):
        return Text(
            ko=f"{ko}: 보관한 질문이나 답변이 기록된 뒤에 바뀌었습니다.",
            en=f"the prompt or the answer of {en} was changed after it was written",
        )
    if anchored.get(row["number"], row["hash"]) != row["hash"]:
        return Text(
            ko=f"{ko}: 원장에 기록된 것과 다릅니다. 이 영수증까지의 사슬을 새로 만들었습니다.",
            en=f"{en} is not the one that was anchored: the receipts up to it were written anew",
        )
    return None
