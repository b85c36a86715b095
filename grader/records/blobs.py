"""Files by their content: a blob's name is its SHA-256, so what is stored cannot be changed unseen.

A folder handed in is a manifest: paths, sizes and hashes. The manifest's own hash names the submission's content.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import unicodedata
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from labs.texts import UserError

MAX_FILES = 500
CHUNK = 1 << 20


class BadUpload(UserError):
    """A file or a folder that cannot be taken; the text names it and what would be right."""


class FileEntry(BaseModel):
    """One file of a manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1, max_length=200)
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """The files of a folder, in the order of their paths."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    files: tuple[FileEntry, ...]

    @property
    def sha256(self) -> str:
        listed = [[f.path, f.size, f.sha256] for f in sorted(self.files, key=lambda f: f.path)]
        return hashlib.sha256(json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def entry(self, sha256: str) -> FileEntry | None:
        return next((file for file in self.files if file.sha256 == sha256), None)


def checked_path(name: str) -> str:
    """Give an uploaded file's path in its normal form; BadUpload for one that leads out of the folder or hides."""
    path = unicodedata.normalize("NFC", name)
    parts = PurePosixPath(path).parts
    printable = all(ch.isprintable() for ch in path)
    if not parts or path.startswith("/") or "\\" in path or not printable or len(path) > 200:
        raise BadUpload(
            f"파일 이름 {name[:80]!r}은(는) 쓸 수 없습니다. 실습 폴더 안의 이름으로 바꾸세요.",
            f"file name {name[:80]!r} is not allowed: use a plain name inside the lab's folder",
        )
    if any(part in ("..", ".") for part in path.split("/")) or any(part.startswith("-") for part in parts):
        raise BadUpload(
            f"파일 이름 {name[:80]!r}은(는) 쓸 수 없습니다. '..'이 들어가거나 '-'로 시작하지 않게 바꾸세요.",
            f"file name {name[:80]!r} is not allowed: no '..' and no leading '-' in a name",
        )
    return str(PurePosixPath(*parts))


class BlobStore:
    """A folder of blobs, written once and never changed; deleted only when their time is over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def put(self, stream: BinaryIO, path: str) -> FileEntry:
        """Store a stream under its hash, on disk before this returns."""
        handle, temporary = tempfile.mkstemp(dir=self.folder)
        digest, size = hashlib.sha256(), 0
        try:
            with os.fdopen(handle, "wb") as out:
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            target = self._file(digest.hexdigest())
            target.parent.mkdir(exist_ok=True, mode=0o700)
            Path(temporary).replace(target)
            _sync_folder(target.parent)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return FileEntry(path=path, size=size, sha256=digest.hexdigest())

    def path(self, sha256: str) -> Path:
        """The file of a blob; FileNotFoundError where there is none."""
        file = self._file(sha256)
        if not file.is_file():
            raise FileNotFoundError(f"no blob {sha256}")
        return file

    def forget(self, sha256: str) -> None:
        """Delete a blob whose time is over; nothing where there is none."""
        self._file(sha256).unlink(missing_ok=True)

    def _file(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


def hash_file(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def manifest_of(entries: list[FileEntry]) -> Manifest:
    """Make a manifest; BadUpload where a name stands twice, or there are too many files."""
    names = [entry.path for entry in entries]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise BadUpload(f"파일 {doubled[0]!r}이(가) 두 번 들어 있습니다.", f"the file {doubled[0]!r} is there twice")
    if len(entries) > MAX_FILES:
        raise BadUpload(
            f"파일이 {len(entries)}개입니다. {MAX_FILES}개까지 제출할 수 있습니다.",
            f"{len(entries)} files; at most {MAX_FILES} can be handed in",
        )
    return Manifest(files=tuple(sorted(entries, key=lambda entry: entry.path)))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
