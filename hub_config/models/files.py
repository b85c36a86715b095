"""What stands in the folder of weights. The rule: a file counts as there only while its SHA-256 is the catalogue's."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from hub_config.models.catalogue import File, Model
from labs.texts import Text


def is_there(model: Model, folder: Path) -> bool:
    """Say whether all files of a model stand in the folder, and its program on the machine."""
    return (model.program is None or shutil.which(model.program) is not None) and all(
        is_verified(folder / file.file, file) for file in model.files
    )


def is_verified(path: Path, file: File) -> bool:
    """Say whether the file is the right one; a stamp of size and time spares hashing a gigabyte at each start."""
    if not path.is_file():
        return False
    if _stamp_path(path).is_file() and _stamp_path(path).read_text("utf-8") == _stamp(path, file):
        return True
    if sha256_of(path) != file.sha256:
        path.unlink()
        return False
    put_stamp(path, file)
    return True


def put_stamp(path: Path, file: File) -> None:
    """Note beside a file that its SHA-256 was right."""
    _stamp_path(path).write_text(_stamp(path, file), "utf-8")


def sha256_of(path: Path) -> str:
    """Give a file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256-ok")


def _stamp(path: Path, file: File) -> str:
    status = path.stat()
    return f"{file.sha256} {status.st_size} {status.st_mtime_ns}\n"


def no_program(program: str) -> Text:
    """Say that a program of the machine is missing, and how to get it."""
    return Text(
        ko=f"이 장비에 {program}이(가) 없습니다. `apt install {program}`처럼 운영체제의 꾸러미로 설치하세요.",
        en=f"{program} is not on this machine; install the system's package, such as `apt install {program}`.",
    )
