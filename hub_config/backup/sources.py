"""What goes into a backup, while everything runs. The rule: first the records together with their heads, then the files that they
name; so whatever the records speak of is in the backup."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from grader.records.copying import copy_records
from grader.records.db import open_database
from hub_config.heads import head_export
from hub_config.settings import Settings

RECORDS, HEADS, BLOBS = "records/records.db", "records/heads", "records/blobs"
#: Files of a running program, which a database's own copy stands for.
_BESIDE = ("-journal", "-wal", "-shm")
_IN_MEMORY, LOCKED_SECONDS = 16_000_000, 60
#: A blob is written under another name first.
_BLOB = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Found:
    """A file to put in: its path in the backup, and its content as it is at one moment."""

    path: str
    stream: BinaryIO
    size: int
    mode: int
    mtime: float


def folders_of(homes: bool, secrets: bool) -> list[str]:
    """The folders of the data folder that are kept, in their order."""
    chosen = [BLOBS, "courses", "hub", "ai"]
    return chosen + ["homes"] * homes + ["secrets"] * secrets


@contextmanager
def records_and_heads(settings: Settings, scratch: Path) -> Iterator[tuple[Path, list[str]]]:
    """A copy of the records as SQLite, whichever database they are in, and of the heads at that very moment."""
    heads = head_export(settings).heads
    copied = scratch / "records.db"
    with heads.alone():  # no head is exported between the two
        if settings.database_url is None:
            copy_sqlite(settings.records_path, copied)
        else:
            source, target = open_database(settings.records_database), open_database(f"sqlite:///{copied}")
            copy_records(source, target)
            source.dispose()
            target.dispose()
        yield copied, sorted(str(path.relative_to(heads.folder)) for path in heads.folder.rglob("*") if _is_head(path))


def _is_head(path: Path) -> bool:
    return path.suffix in (".jsonl", ".pem") or path.name == "sent"


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a database that is in use, whole, with SQLite's own backup; TimeoutError where it stays locked."""
    until = time.monotonic() + LOCKED_SECONDS

    def wait(_status: int, remaining: int, _total: int) -> None:
        if remaining and time.monotonic() > until:
            raise TimeoutError(errno.ETIMEDOUT, "the database stays locked", f"{source}")

    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as reading:
        target.unlink(missing_ok=True)
        with closing(sqlite3.connect(target)) as writing:
            reading.backup(writing, progress=wait)
            writing.execute("PRAGMA journal_mode=DELETE")


def walk(data: Path, folder: str, scratch: Path, left_out: list[str]) -> Iterator[Found]:
    """Every file below a folder; links and what is no file are named in `left_out`, and never followed.

    The folder itself may be a link: whoever runs Practicum may keep it on another disk.
    """
    if not (data / folder).is_dir():
        return
    top = (data / folder).resolve()
    for place, folders, names, handle in os.fwalk(top, follow_symlinks=False):
        folders.sort()
        below = folder / Path(place).relative_to(top)
        left_out += [f"{below / name}" for name in folders if _is_link(name, handle)]
        # A gateway's spool first: what moves from it into the database meanwhile is known there by its id.
        for name in sorted(names, key=lambda name: (name.endswith((".db", ".sqlite")), name)):
            path = f"{below / name}"
            if name.endswith(_BESIDE) or (folder == BLOBS and not _BLOB.fullmatch(name)):
                continue
            try:
                yield from _one(path, name, handle, Path(place) / name, scratch)
            except OSError as error:
                left_out.append(f"{path}: {error.strerror}")
            except sqlite3.DatabaseError as error:
                left_out.append(f"{path}: {error}")


def _one(path: str, name: str, handle: int, file: Path, scratch: Path) -> Iterator[Found]:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
    with os.fdopen(descriptor, "rb") as stream:
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode):
            raise OSError(errno.EINVAL, "no plain file", path)
        if _is_database(stream) and not path.startswith("homes/"):  # a learner's own file is not opened as a database
            copied = scratch / "copy.db"
            copy_sqlite(file, copied)
            with copied.open("rb") as database:
                yield Found(path, database, copied.stat().st_size, there.st_mode, there.st_mtime)
            return
        if path.startswith(f"{BLOBS}/"):  # never changed once it is there
            yield Found(path, stream, there.st_size, there.st_mode, there.st_mtime)
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(scratch)) as kept:
            size = 0
            while size < there.st_size and (part := stream.read(min(1 << 20, there.st_size - size))):
                size += kept.write(part)
            kept.seek(0)
            yield Found(path, kept, size, there.st_mode, there.st_mtime)  # type: ignore[arg-type]


def _is_database(stream: BinaryIO) -> bool:
    begins = stream.read(16)
    stream.seek(0)
    return begins == b"SQLite format 3\0"


def _is_link(name: str, handle: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)


def size_of(data: Path, folders: list[str]) -> int:
    """About how many bytes there are, for the progress bar."""
    total = 0
    for folder in folders:
        for place, _, names in os.walk(data / folder):
            for name in names:
                try:
                    total += (Path(place) / name).lstat().st_size
                except OSError:
                    continue
    return total
