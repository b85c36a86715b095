"""The archive: a tar that other tools can read too, with a list of everything at its end.

The rule: of a tar that somebody else may have made, only plain files with plain names inside known folders are taken, and
nothing counts before the list at the end named it with its SHA-256.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub_config.backup.faults import BadBackup, cut_off

MARK, LIST = "practicum-backup", "manifest.json"
FORMAT = b"1\n"
#: What a backup may hold, in the data folder.
FOLDERS = ("records", "courses", "homes", "ai", "hub", "secrets")
SETTINGS = "settings-of-the-backup.yaml"
MOST_FILES, MOST_LIST_BYTES, MOST_HEADER_BYTES, CHUNK = 5_000_000, 256_000_000, 65_536, 1 << 20
_PAX = {"path", "size", "mtime", "linkpath", "uid", "gid", "uname", "gname"}


class Entry(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    mode: int = Field(ge=0, le=0o777)


class Contents(BaseModel):
    """The list at the end: what the backup is of, and every file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    made_at: datetime
    version: str
    database: str = Field(description="where the records came from: sqlite or postgresql")
    homes: bool
    secrets: bool
    left_out: tuple[str, ...] = Field(
        description="links and other things that are no files, and what went away meanwhile"
    )
    files: tuple[Entry, ...]


class Packing:
    """Writes an archive; use it as a context, which ends the tar."""

    def __init__(self, out: IO[bytes] | gzip.GzipFile) -> None:
        self.entries: list[Entry] = []
        self._tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK)  # noqa: SIM115

    def __enter__(self) -> Packing:
        self._tar.__enter__()
        self._add(MARK, io.BytesIO(FORMAT), len(FORMAT), 0o600)
        return self

    def __exit__(self, *failed: Any) -> None:
        self._tar.__exit__(*failed)

    def add(self, path: str, source: BinaryIO, size: int, mode: int, mtime: float) -> None:
        """Add a file of a known size; OSError where it is shorter."""
        self.entries.append(self._add(path, source, size, mode, mtime))

    def finish(self, contents: Contents) -> None:
        """Write the list, behind all files."""
        listed = contents.model_dump_json().encode()
        self._add(LIST, io.BytesIO(listed), len(listed), 0o600)

    def _add(self, path: str, source: BinaryIO, size: int, mode: int, mtime: float = 0) -> Entry:
        member = tarfile.TarInfo(path)
        member.size, member.mode, member.mtime = size, mode & 0o777, int(mtime)
        hashing = _Hashing(source)
        self._tar.addfile(member, hashing)
        return Entry(path=path, size=size, sha256=hashing.digest.hexdigest(), mode=mode & 0o777)


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        part = self._source.read(size)
        self.digest.update(part)
        return part


class _Plain(tarfile.TarInfo):
    """A member of a tar that is a plain file, or the longer name of one; every other kind is refused before it is read."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        long_name = self.type == tarfile.XHDTYPE and self.size <= MOST_HEADER_BYTES
        if self.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) and not long_name:
            raise BadBackup(
                f"백업에 파일이 아닌 것이 들어 있습니다(종류 {self.type!r}: {self.name[:80]!r}). 이 파일은 쓸 수 없습니다.",
                f"the backup holds something that is no plain file (type {self.type!r}: {self.name[:80]!r}); it is refused",
            )
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


def unpack(source: IO[bytes] | gzip.GzipFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Every file in its order, as its name and a stream to read to its end at once; the list comes last.

    BadBackup for what is no backup, is cut off, or holds what a backup never holds. Use it within `faults_named`.
    """
    tar = _begun(source)
    seen, folders = {MARK}, set[str]()
    while (member := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]
        name, stream = member.name, tar.extractfile(member)
        above = {str(folder) for folder in PurePosixPath(name).parents}
        folders |= above
        if stream is None or set(member.pax_headers) - _PAX or (name == LIST and member.size > MOST_LIST_BYTES):
            raise _not_a_backup()
        if name in seen or name in folders or above & seen or LIST in seen or len(seen) > MOST_FILES:
            raise BadBackup(
                f"백업에서 {name[:80]!r}의 자리가 잘못되었습니다(두 번 있거나, 목록 뒤에 있거나, 폴더와 이름이 같음).",
                f"{name[:80]!r} stands in the wrong place: twice, behind the list, or where a folder is",
            )
        seen.add(name)
        if name != LIST:
            must_be_plain(name)
        yield name, stream
    while source.read(CHUNK):
        pass  # to the end: the checksum of the compression stands there
    if LIST not in seen:
        raise cut_off()


@contextmanager
def faults_named() -> Iterator[None]:
    """Whatever breaks while an archive is read is one sentence."""
    try:
        yield
    except EOFError:
        raise cut_off() from None
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile) as error:
        raise BadBackup(f"백업 파일이 손상되었습니다: {error}", f"the backup is damaged: {error}") from None


def _begun(source: IO[bytes] | gzip.GzipFile) -> tarfile.TarFile:
    """Open a tar whose first file says that it is a backup of ours."""
    try:
        tar = tarfile.open(fileobj=source, mode="r|", tarinfo=_Plain, bufsize=CHUNK)  # noqa: SIM115
        first = tar.next()
        stream = tar.extractfile(first) if first is not None and first.name == MARK else None
        if stream is not None and stream.read(len(FORMAT) + 1) == FORMAT:
            return tar
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile):
        pass
    raise _not_a_backup()


def must_be_plain(name: str) -> None:
    """Refuse a name that leads out of the folder, or into a part of it that a backup does not have."""
    parts = name.split("/")
    plain = (
        all(part not in ("", ".", "..") for part in parts)
        and "\0" not in name
        and len(name.encode("utf-8", "replace")) < 4096
    )
    if not plain or (parts[0] not in FOLDERS and name != SETTINGS) or (len(parts) == 1 and name != SETTINGS):
        raise BadBackup(
            f"백업에 쓸 수 없는 파일 이름이 있습니다: {name[:80]!r}. 이 파일은 쓸 수 없습니다.",
            f"the backup holds a file name that is refused: {name[:80]!r}",
        )


def contents_of(listed: bytes) -> Contents:
    """Read the list."""
    try:
        found = Contents.model_validate_json(listed)
    except ValidationError:
        raise BadBackup("백업의 목록을 읽을 수 없습니다.", "the list of the backup cannot be read") from None
    for entry in found.files:
        must_be_plain(entry.path)
    return found


def top_of(name: str) -> str:
    """The folder that a file belongs to."""
    return PurePosixPath(name).parts[0]


def _not_a_backup() -> BadBackup:
    return BadBackup("Practicum의 백업 파일이 아닙니다.", "this is no backup of Practicum")
