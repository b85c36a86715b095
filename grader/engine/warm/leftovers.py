"""What a process leaves in the kernel when it ends: shared memory, semaphores, message queues, keys.

The rule: standard library only, and nothing that a submission left is there for the next one.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

TABLES = {"shm": "shmctl", "sem": "semctl", "msg": "msgctl"}
REMOVE = 0
#: keyctl(2) on x86-64 and arm64: its number, and the keyrings that outlive a process.
KEYCTL = {"x86_64": 250, "aarch64": 219}
CLEAR_KEYRING = 7
KEYRINGS = (-3, -4, -5)


def remove_leftovers(machine: str) -> bool:
    """Remove them; False where something stays."""
    libc = ctypes.CDLL(None, use_errno=True)
    if machine in KEYCTL:
        for keyring in KEYRINGS:
            # Where there are no keyrings, or none may be touched, nothing was left in them either.
            libc.syscall(KEYCTL[machine], CLEAR_KEYRING, keyring)
    for table, control in TABLES.items():
        for number in _numbers(table):
            arguments = (number, 0, REMOVE, None) if table == "sem" else (number, REMOVE, None)
            getattr(libc, control)(*arguments)
    return not any(map(_numbers, TABLES))


def _numbers(table: str) -> list[int]:
    try:
        rows = Path(f"/proc/sysvipc/{table}").read_text("ascii").splitlines()[1:]
    except FileNotFoundError:  # a kernel without them
        return []
    return [int(row.split()[1]) for row in rows]
