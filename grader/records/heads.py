"""Signed heads: the journal's last number and hash, kept outside the database, so that a chain cut off or made anew is found.

The rule: a head is a line that is only added, signed with Ed25519 and chained to the line before; the journal in turn has an
event of each, so neither of the two can lose its end alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from grader.records import journal
from grader.records.chain import GENESIS
from grader.records.db import reading, writing
from grader.records.head_keys import HeadKeys
from grader.records.models import Event, Institution
from labs.texts import UserError

EXPORTED, ACTOR = "journal.head", "practicum"


class HeadsError(UserError):
    """The file of heads cannot be gone on with."""


class Head(BaseModel):
    """One line of the file: what the journal's end was, who says so, and the line before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1)
    seq: int = Field(ge=1)
    hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    at: datetime
    institution: str
    key: str = Field(pattern=r"^[0-9a-f]{16}$", description="which key signed: the start of its SHA-256")
    previous: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the line before, without its end of line")
    signature: str = Field(default="", description="Ed25519 over the line without this field, in hexadecimal")

    @property
    def signed(self) -> bytes:
        """What is signed: canonical JSON, as the journal's."""
        return _canonical(self.model_dump(mode="json", exclude={"signature"}))

    @property
    def line(self) -> bytes:
        return _canonical(self.model_dump(mode="json"))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.line).hexdigest()


@dataclass(frozen=True)
class Heads:
    """The folder of exported heads, `heads.jsonl`, with the public keys in `keys/`; and the private key's file."""

    folder: Path
    key_file: Path

    @property
    def file(self) -> Path:
        return self.folder / "heads.jsonl"

    @property
    def keys(self) -> HeadKeys:
        return HeadKeys(self.folder / "keys", self.key_file)

    def read(self) -> list[Head]:
        """Every whole line; HeadsError where one is no head. A last line without its end was never written to its end."""
        found = []
        for number, line in enumerate(self._lines(), start=1):
            try:
                found.append(Head.model_validate_json(line))
            except ValidationError:
                raise HeadsError(
                    f"{self.file}: {number}번째 줄을 읽을 수 없습니다.", f"{self.file}: line {number} cannot be read"
                ) from None
            if found[-1].line != line:
                raise HeadsError(
                    f"{self.file}: {number}번째 줄이 바뀌었습니다.", f"{self.file}: line {number} was changed"
                )
        return found

    def _lines(self) -> list[bytes]:
        return self.file.read_bytes().split(b"\n")[:-1] if self.file.is_file() else []

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the file against another process that exports."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def add(self, head: Head) -> None:
        """Write a line at the end, on disk before this returns; what an interrupted one left behind is overwritten."""
        whole = sum(len(line) + 1 for line in self._lines())
        handle = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, whole)
            os.pwrite(handle, head.line + b"\n", whole)
            os.fsync(handle)
        finally:
            os.close(handle)


def export(engine: Engine, heads: Heads, now: datetime, *, before: date | None = None) -> Head | None:
    """Write a head where the journal has events that none covers, and the journal's event of it; else give None.

    `before`: only where one of those events is of an earlier day than this, in the institution's time zone: a day that is
    over gets its head once, however often and in how many processes this is asked.
    """
    with heads.alone():
        standing = heads.read()
        with reading(engine) as session:
            _note_missing(engine, session, standing)
            head = _next(session, heads, standing, now, before)
        if head is None:
            return None
        heads.add(head)
        _note(engine, head)
        return head


def zone_of(session: Session) -> tuple[str, ZoneInfo]:
    """The institution that the heads name, and its time zone."""
    found = session.scalars(select(Institution).order_by(Institution.id).limit(1)).first()
    return (found.id, ZoneInfo(found.time_zone)) if found else ("", ZoneInfo("Asia/Seoul"))


def _next(session: Session, heads: Heads, standing: list[Head], now: datetime, before: date | None) -> Head | None:
    """The head that is due, signed."""
    last = standing[-1] if standing else None
    new = select(Event.at).where(Event.seq > (last.seq if last else 0), Event.kind != EXPORTED).order_by(Event.seq)
    oldest = session.scalar(new.limit(1))
    end = session.execute(select(Event.seq, Event.hash).order_by(Event.seq.desc()).limit(1)).first()
    if oldest is None or end is None:
        return None
    institution, zone = zone_of(session)
    if before is not None and oldest.astimezone(zone).date() >= before:
        return None
    head = Head(
        number=last.number + 1 if last else 1, seq=end.seq, hash=end.hash, at=now.astimezone(UTC), institution=institution,
        key=heads.keys.current(), previous=last.sha256 if last else GENESIS,
    )  # fmt: skip
    return head.model_copy(update={"signature": heads.keys.sign(head.signed)})


def _note(engine: Engine, head: Head) -> None:
    with writing(engine) as session:
        payload = {"number": head.number, "seq": head.seq, "sha256": head.sha256}
        journal.append(session, EXPORTED, actor=ACTOR, course="", payload=payload, key=f"{EXPORTED}-{head.number}")


def _note_missing(engine: Engine, session: Session, standing: list[Head]) -> None:
    """A kill between the line and its event: the event is made up for."""
    if standing and session.scalar(select(Event.seq).where(Event.key == f"{EXPORTED}-{standing[-1].number}")) is None:
        session.rollback()
        _note(engine, standing[-1])


def _canonical(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
