"""One run of a lab at a time on this machine; a lock ends with its process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labs.texts import UserError


class AlreadyGrading(UserError):
    """Somebody else's run on the same lab is not done yet."""


@contextmanager
def only_run(root: Path, lab: str) -> Iterator[None]:
    """Hold a lab's grading, so that two instructors who press the button at once do not mix."""
    already = AlreadyGrading(
        f"실습 {lab}의 채점이 이미 진행 중입니다. 끝난 뒤 다시 시도하세요.",
        f"lab {lab} is being graded already; try again when that is done",
    )
    with held(root / f".grading-{lab}.lock", already):
        yield


@contextmanager
def held(file: Path, otherwise: UserError) -> Iterator[None]:
    """Hold a lock's file; the error where somebody holds it."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise otherwise from None
        yield
