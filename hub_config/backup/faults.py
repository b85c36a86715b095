"""What can be wrong with a backup. The rule: one sentence that says what, and nothing is left half-done."""

from __future__ import annotations

from collections.abc import Callable

from labs.texts import UserError

#: Gets the bytes that were gone through, for a progress bar.
Report = Callable[[int], None]


def quietly(_size: int) -> None:
    """No progress bar."""


class BadBackup(UserError):
    """A backup that cannot be made, read or trusted."""


class DoesNotHold(BadBackup):
    """A backup that is whole, of records that do not hold."""


def cut_off() -> BadBackup:
    """A file that ends before its end."""
    return BadBackup(
        "백업 파일이 중간에 끝납니다. 다 복사되었는지 확인하거나 다른 백업을 쓰세요.",
        "the backup ends before its end; see whether it was copied whole, or use another one",
    )
