"""What has happened since the last commit, in files beside the database. The rule: an event is in the operating system's
hands before anybody is told of it, so that killing the gateway loses nothing; the commit guards against losing power.

Events go into numbered files, one JSON line each. A file is left only when it has grown large, and deleted only when all
receipts that it and the files before it speak of are in the database. So whatever step a kill interrupts, the files that
are left hold all that the database lacks; what both hold is known by the receipt's id.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub_config.ai_gateway.ledger.rows import Row
from hub_config.ai_gateway.ledger.terms import LedgerError, new_receipt_id

SEGMENT_BYTES = 4_000_000
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Remains:
    """What an earlier gateway left: its events, and whether they are all that it acknowledged."""

    events: list[Row]
    exact: bool


class Spool:
    """The files that events are written to."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._needed: dict[str, int] = {}  # receipt -> the first file that speaks of it; the oldest stands first
        self._segments: list[int] = []
        self._file, self._size, self._header_size = -1, 0, 0
        self._start((max(_segments(database), default=0)) + 1)

    def append(self, event: Row) -> None:
        """Write an event; LedgerError where it cannot be, and then nothing of it is there."""
        self._write(_line(event))
        self._needed.setdefault(event["id"], self._segments[-1])

    def committed(self, receipts: Iterable[str]) -> None:
        """Forget what is in the database now."""
        for receipt in receipts:
            self._needed.pop(receipt, None)
        with suppress(OSError, LedgerError):  # old events too many do no harm
            self._shrink()
            self._delete_before(next(iter(self._needed.values()), self._segments[-1]))

    def close(self) -> None:
        """Close the file, and delete all that the database holds anyway."""
        os.close(self._file)
        self._file = -1  # so that nobody writes into what gets its number next
        if not self._needed:
            self._delete_before(self._segments[-1] + 1)

    def _shrink(self) -> None:
        if not self._needed and self._size > self._header_size:
            os.ftruncate(self._file, self._header_size)
            self._size = self._header_size
        elif self._size > SEGMENT_BYTES:
            full = self._file
            self._start(self._segments[-1] + 1)
            os.close(full)

    def _start(self, segment: int) -> None:
        path = _path(self._database, segment)
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            header = _line({"spool": 1, "boot": boot_id()})
            _write_at(file, header, 0)
        except BaseException:
            os.close(file)
            path.unlink()
            raise
        self._file, self._size, self._header_size = file, len(header), len(header)
        self._segments.append(segment)

    def _write(self, line: bytes) -> None:
        # At the end as known here: what a write that failed has left there is overwritten by the next one.
        _write_at(self._file, line, self._size)
        self._size += len(line)

    def _delete_before(self, segment: int) -> None:
        while self._segments and self._segments[0] < segment:
            _path(self._database, self._segments[0]).unlink(missing_ok=True)
            del self._segments[0]


def boot_id() -> str:
    """Give what is the same until the machine starts anew; a new one each time where the system does not tell."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return new_receipt_id()


def read(database: Path) -> Remains:
    """Read what an earlier gateway left, up to where it breaks off."""
    events: list[Row] = []
    boots: list[str] = []
    for segment in _segments(database):
        lines = _lines(_path(database, segment).read_bytes())
        if header := next(lines, None):
            boots.append(str(header.get("boot")))
            events += lines
    return Remains(events, exact=boots[-1:] == [boot_id()])


def delete(database: Path) -> None:
    """Delete what an earlier gateway left, once the database holds it; the oldest first."""
    for segment in _segments(database):
        _path(database, segment).unlink()


def _lines(data: bytes) -> Iterator[Row]:
    *whole, _torn = data.split(b"\n")
    for line in whole:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not isinstance(event, dict) or event.keys().isdisjoint({"spool", "id"}):
            return
        yield event


def _line(event: Row) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _write_at(file: int, line: bytes, offset: int) -> None:
    try:
        written = os.pwrite(file, line, offset)
    except OSError as error:
        raise LedgerError(f"the ledger's spool cannot be written: {error.strerror}") from error
    if written < len(line):
        with suppress(OSError):
            os.ftruncate(file, offset)
        raise LedgerError("the ledger's spool cannot be written: the disk is full")


def _segments(database: Path) -> list[int]:
    names = (path.name.rpartition("-")[2] for path in database.parent.glob(f"{database.name}.spool-*"))
    return sorted(int(name) for name in names if name.isdecimal())


def _path(database: Path, segment: int) -> Path:
    return database.with_name(f"{database.name}.spool-{segment}")
