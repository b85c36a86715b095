"""Making a backup. The rule: under its name there is a whole one or none."""

from __future__ import annotations

import fcntl
import gzip
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO

from hub_config.backup import sources
from hub_config.backup.archive import SETTINGS, Contents, Packing
from hub_config.backup.faults import BadBackup, Report, quietly
from hub_config.backup.sealed import Sealing
from hub_config.backup.sources import HEADS, RECORDS, Found
from hub_config.settings import Settings

LEAST_PASSPHRASE = 12


def create(
    settings: Settings, file: Path, *, homes: bool = False, secrets: bool = False, passphrase: str | None = None,
    report: Report = quietly,
) -> Contents:  # fmt: skip
    """Write a backup while Practicum runs; with a passphrase it is sealed, and the secrets are in it too.

    `report` gets the bytes of each file that is in. BadBackup says what is in the way.
    """
    secrets = secrets or passphrase is not None
    _must_be_there(settings)
    left_out: list[str] = []
    try:
        with (
            _whole_or_none(file) as out,
            tempfile.TemporaryDirectory(dir=_scratch(settings)) as scratch,
            _packed(out, passphrase) as packed,
            Packing(packed) as packing,
        ):
            for found in _everything(settings, Path(scratch), homes, secrets, left_out):
                _add(packing, found)
                report(found.size)
            contents = Contents(
                made_at=datetime.now(UTC), version=version("practicum"), homes=homes, secrets=secrets,
                database="postgresql" if settings.database_url else "sqlite",
                left_out=tuple(left_out), files=tuple(packing.entries),
            )  # fmt: skip
            packing.finish(contents)
    except OSError as error:
        raise BadBackup(f"백업을 쓸 수 없습니다: {error}", f"the backup cannot be written: {error}") from None
    return contents


def passphrase_of(file: Path) -> str:
    """Read a passphrase's file: its first line; BadBackup where that is no passphrase."""
    try:
        first = file.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadBackup(
            f"암호 파일을 읽을 수 없습니다: {error}", f"the passphrase's file cannot be read: {error}"
        ) from None
    if len(first) < LEAST_PASSPHRASE:
        raise BadBackup(
            f"{file}: 첫 줄의 암호가 너무 짧습니다. {LEAST_PASSPHRASE}자 이상으로 정하세요.",
            f"{file}: the passphrase in its first line is too short; take {LEAST_PASSPHRASE} characters or more",
        )
    return first


def _everything(settings: Settings, scratch: Path, homes: bool, secrets: bool, left_out: list[str]) -> Iterator[Found]:
    with sources.records_and_heads(settings, scratch) as (records, heads):
        kept = [(name, (settings.records_path.parent / "heads" / name).read_bytes()) for name in heads]
    yield from _file(RECORDS, records)
    for name, content in kept:
        (scratch / "head").write_bytes(content)
        yield from _file(f"{HEADS}/{name}", scratch / "head")
    for folder in sources.folders_of(homes, secrets):
        yield from sources.walk(settings.data, folder, scratch, left_out)
    in_force = settings.data / "run" / "settings.yaml"
    if in_force.is_file():
        yield from _file(SETTINGS, in_force)


def _file(path: str, file: Path) -> Iterator[Found]:
    with file.open("rb") as stream:
        yield Found(path, stream, file.stat().st_size, 0o600, file.stat().st_mtime)


def _add(packing: Packing, found: Found) -> None:
    try:
        packing.add(found.path, found.stream, found.size, found.mode, found.mtime)
    except OSError as error:
        if error.errno is not None:
            raise
        raise BadBackup(
            f"{found.path}: 읽는 동안 파일이 짧아졌습니다. 다시 시도하세요.",
            f"{found.path}: the file became shorter while it was read; try again",
        ) from None


@contextmanager
def _packed(out: BinaryIO, passphrase: str | None) -> Iterator[gzip.GzipFile]:
    """Compression, and sealing behind it where there is a passphrase; ended only where nothing went wrong."""
    sealing = Sealing(out, passphrase) if passphrase else None
    packed = gzip.GzipFile(fileobj=sealing or out, mode="wb", compresslevel=3, mtime=0)
    try:
        yield packed
    finally:
        packed.close()
    if sealing is not None:
        sealing.finish()


@contextmanager
def _whole_or_none(file: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when all of it is on disk; its owner only reads it."""
    if file.exists():
        raise BadBackup(f"{file}: 이미 있습니다. 다른 이름을 쓰세요.", f"{file} is there already; take another name")
    if not file.absolute().parent.is_dir():
        raise BadBackup(f"{file.parent}: 그런 폴더가 없습니다.", f"{file.parent}: no such folder")
    partial = file.with_name(f".{file.name}.partial")
    out = os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b", buffering=1 << 20)
    try:
        fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        out.close()
        raise BadBackup(f"{file}: 다른 백업이 쓰고 있습니다.", f"{file}: another backup is writing it") from None
    try:
        out.truncate()  # what a killed one left
        yield out
        out.flush()
        os.fsync(out.fileno())
        partial.rename(file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        out.close()


def _must_be_there(settings: Settings) -> None:
    if settings.database_url is None and not settings.records_path.is_file():
        raise BadBackup(
            f"기록이 아직 없습니다: {settings.records_path}", f"there are no records yet: {settings.records_path}"
        )


def _scratch(settings: Settings) -> Path:
    """Copies stand on the data's own disk for a while: nothing private leaves it unsealed."""
    folder = settings.data / "run"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
