"""Restoring and verifying a backup. The rule: what a folder gets was unpacked whole, is as the list says, and its records hold;
else it gets nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from grader.records.copying import copy_records
from grader.records.db import open_database
from hub_config.backup.archive import CHUNK, LIST, MOST_LIST_BYTES, Contents, contents_of, faults_named, top_of, unpack
from hub_config.backup.examine import Held, examine
from hub_config.backup.faults import BadBackup, DoesNotHold, Report, quietly
from hub_config.backup.sealed import MAGIC, Opening
from hub_config.backup.sources import RECORDS
from hub_config.settings import Settings

#: A disk is never filled up by what is unpacked.
LEAST_FREE_BYTES = 500_000_000
_CHECKED = ("records/records.db", "records/heads/", "ai/", "hub/", "courses/")


@dataclass(frozen=True)
class _Part:
    size: int
    sha256: str


def restore(
    file: Path, folder: Path, passphrase: str | None = None, report: Report = quietly, *, anyway: bool = False
) -> tuple[Contents, Held]:
    """Unpack a backup into an empty folder and verify it; BadBackup says what is wrong, and the folder stays as it was.

    `anyway`: keep records that do not hold too, where the backup itself is whole: something is better than nothing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadBackup(
            f"{folder}: 비어 있지 않습니다. 없는 폴더나 빈 폴더를 정하세요.",
            f"{folder} is not empty; take a new or an empty folder",
        )
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = folder / ".restoring"
    try:
        staging.mkdir(mode=0o700)
        contents = _unpacked(file, staging, passphrase, report, keep=_everything)
        held = _examined(staging, contents, anyway)
        for part in sorted(staging.iterdir()):
            part.rename(folder / part.name)
        staging.rmdir()
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    folder.chmod(0o700)
    return contents, held


def load_records(folder: Path, target: Settings) -> int:
    """Put a restored folder's records into the empty database of some settings; the number of rows."""
    source, wanted = open_database(f"sqlite:///{folder / RECORDS}"), open_database(target.records_database)
    try:
        return copy_records(source, wanted)
    finally:
        source.dispose()
        wanted.dispose()


def verify(file: Path, passphrase: str | None = None, report: Report = quietly) -> tuple[Contents, Held]:
    """Do with a backup all that a restore does but keep it; BadBackup says what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        contents = _unpacked(file, Path(folder), passphrase, report, keep=lambda name: name.startswith(_CHECKED))
        return contents, examine(Path(folder), contents)


def _everything(_name: str) -> bool:
    return True


def _unpacked(
    file: Path, folder: Path, passphrase: str | None, report: Report, keep: Callable[[str], bool]
) -> Contents:
    parts: dict[str, _Part] = {}
    listed = b""
    with _opened(file, passphrase, report) as stream, faults_named():
        for name, content in unpack(stream):
            if name == LIST:
                listed = content.read(MOST_LIST_BYTES)
            else:
                parts[name] = _take(content, folder / name if keep(name) else None)
    contents = contents_of(listed)
    _must_be_as_listed(contents, parts)
    for entry in contents.files:
        if keep(entry.path):
            secret = top_of(entry.path) == "secrets"
            (folder / entry.path).chmod(0o600 if secret else (entry.mode & 0o755) | 0o600)
    return contents


def _examined(folder: Path, contents: Contents, anyway: bool) -> Held:
    try:
        return examine(folder, contents)
    except DoesNotHold as finding:
        if not anyway:
            raise
        return Held(0, 0, 0, finding.text)


def _take(content: IO[bytes], target: Path | None) -> _Part:
    """Read a file to its end, and write it where it is to be kept; never through a link, never over another."""
    digest, size, out = hashlib.sha256(), 0, None
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        out = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
    try:
        while part := content.read(CHUNK):
            digest.update(part)
            size += len(part)
            if out is not None and target is not None:
                _must_have_room(target.parent)
                out.write(part)
        if out is not None:
            out.flush()
            os.fsync(out.fileno())
    finally:
        if out is not None:
            out.close()
    return _Part(size, digest.hexdigest())


def _must_have_room(folder: Path) -> None:
    if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
        raise BadBackup(
            f"디스크가 모자랍니다. 푸는 동안 {LEAST_FREE_BYTES // 1_000_000}MB보다 적게 남았습니다.",
            f"there is not enough room: less than {LEAST_FREE_BYTES // 1_000_000} MB were left while it was unpacked",
        )


def _must_be_as_listed(contents: Contents, parts: dict[str, _Part]) -> None:
    listed = {entry.path: _Part(entry.size, entry.sha256) for entry in contents.files}
    if len(listed) != len(contents.files):
        raise BadBackup("백업의 목록에 같은 파일이 두 번 있습니다.", "the list of the backup names a file twice")
    for path in sorted(listed.keys() | parts.keys()):
        if listed.get(path) != parts.get(path):
            raise BadBackup(
                f"{path}: 목록에 적힌 것과 다릅니다. 백업이 손상되었거나 바뀌었습니다.",
                f"{path} is not what the list says: the backup is damaged or was changed",
            )


@contextmanager
def _opened(file: Path, passphrase: str | None, report: Report) -> Iterator[gzip.GzipFile]:
    """The tar inside a backup, opened with its passphrase where it is sealed."""
    try:
        raw = file.open("rb")
    except OSError as error:
        raise BadBackup(f"백업 파일을 열 수 없습니다: {error}", f"the backup cannot be opened: {error}") from None
    with raw:
        sealed = raw.read(len(MAGIC)) == MAGIC
        raw.seek(0)
        if sealed and passphrase is None:
            raise BadBackup(
                "암호가 걸린 백업입니다. --passphrase-file로 암호 파일을 알려 주세요.",
                "this backup is encrypted: name the file of its passphrase with --passphrase-file",
            )
        source: Any = _Counted(raw, report)
        if sealed and passphrase is not None:
            source = io.BufferedReader(Opening(source, passphrase), CHUNK)
        with gzip.GzipFile(fileobj=source, mode="rb") as stream:
            yield stream


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, raw: BinaryIO, report: Report) -> None:
        self._raw, self._report = raw, report

    def read(self, size: int = -1) -> bytes:
        part = self._raw.read(size)
        self._report(len(part))
        return part
