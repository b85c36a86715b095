"""Whether what was unpacked holds: the records with their heads, the files that they name, and every database.

The rule: a finding is an error with one sentence; a backup is good only as a whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from grader.records import head_check
from grader.records.anchors import Anchor, anchors
from grader.records.heads import Heads
from grader.records.models import Event
from grader.records.retention import ANONYMISED
from hub_config.ai_gateway.ledger import verify
from hub_config.backup.archive import Contents
from hub_config.backup.faults import DoesNotHold
from hub_config.backup.sources import BLOBS, HEADS, RECORDS
from labs.texts import Text


@dataclass(frozen=True)
class Held:
    """What was found to hold: how many events, exported heads and files of the records."""

    events: int
    heads: int
    blobs: int
    wrong: Text | None = None


def examine(folder: Path, contents: Contents) -> Held:
    """Look at everything; DoesNotHold names the first thing that does not hold."""
    paths = {entry.path for entry in contents.files}
    if RECORDS not in paths:
        raise DoesNotHold("백업에 기록이 들어 있지 않습니다.", "the backup holds no records")
    for path in sorted(paths):
        if (folder / path).is_file() and not path.startswith("homes/"):
            _must_be_whole(folder / path, path)
    for entry in contents.files:
        if entry.path.startswith(f"{BLOBS}/") and entry.path.rpartition("/")[2] != entry.sha256:
            raise DoesNotHold(
                f"{entry.path}: 내용이 이름과 다릅니다.", f"{entry.path} holds something else than its name says"
            )
    return _records(folder, {entry.sha256 for entry in contents.files if entry.path.startswith(f"{BLOBS}/")})


def _records(folder: Path, blobs: set[str]) -> Held:
    heads = Heads(folder / HEADS, folder / "secrets" / "journal-key")
    engine = create_engine(f"sqlite:///{folder / RECORDS}")
    try:
        with Session(engine) as session:
            walked = head_check.verify(session, heads)
            if walked.finding is not None:
                raise DoesNotHold(walked.finding.text.ko, walked.finding.text.en)
            for seq, sha256 in _named(session):
                if sha256 not in blobs:
                    raise DoesNotHold(
                        f"{seq}번 기록이 말하는 파일이 백업에 없습니다: {sha256}",
                        f"the file that event {seq} names is not in the backup: {sha256}",
                    )
            _receipts(folder / "ai" / "gateway.db", anchors(session))
    finally:
        engine.dispose()
    return Held(walked.at.seq, len(heads.read()), len(blobs))


def _receipts(file: Path, anchored: list[Anchor]) -> None:
    """The AI receipts, as far as the journal knows them."""
    wrong = verify(file, [(anchor.number, anchor.hash) for anchor in anchored]) if file.is_file() else None
    if anchored and not file.is_file():
        wrong = Text(
            ko="원장에 기록된 AI 영수증이 백업에 없습니다.",
            en="the AI receipts that the journal anchors are not in the backup",
        )
    if wrong is not None:
        raise DoesNotHold(wrong.ko, wrong.en)


def _named(session: Session) -> Iterator[tuple[int, str]]:
    """Every blob that an event names: the files of a manifest, and feedback; but not of people whose files had to go."""
    gone = set(session.scalars(select(Event.subject).where(Event.kind == ANONYMISED)))
    query = select(Event.seq, Event.kind, Event.subject, Event.payload).execution_options(yield_per=500)
    for seq, kind, subject, payload in session.execute(query):
        if subject in gone:
            continue
        manifest: dict[str, Any] = payload.get("manifest") or {}
        for file in manifest.get("files", ()):
            yield seq, file["sha256"]
        if kind == "feedback.released":
            yield seq, payload["html"]
            yield seq, payload["results"]


def _must_be_whole(file: Path, path: str) -> None:
    with file.open("rb") as stream:
        if stream.read(16) != b"SQLite format 3\0":
            return
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        try:
            found = database.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise DoesNotHold(
            f"{path}: 데이터베이스가 손상되었습니다: {found}", f"{path}: the database is damaged: {found}"
        )
