"""The Linux calls that Python 3.11 has no name for; an error is an OSError that names the call."""

from __future__ import annotations

import ctypes
import os
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
NEW_CGROUP, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET, NEW_NS = (
    0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00020000,
)  # fmt: skip
_DUMPABLE, _CAPBSET_DROP, _NO_NEW_PRIVS, _AMBIENT, _SECCOMP, _NAME = 4, 24, 38, 47, 22, 15
_AMBIENT_CLEAR_ALL, _SECCOMP_FILTER = 4, 2
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION_3 = 0x20080522


def _done(name: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def call(name: str, number: int, *args: Any) -> int:
    """Make a system call by its number; its result."""
    return _done(name, libc.syscall(ctypes.c_long(number), *args))


def setns(pidfd: int, kinds: int) -> None:
    """Enter a process's namespaces; that of processes holds for the next fork."""
    _done("setns", libc.setns(pidfd, kinds))


def set_dumpable(yes: bool) -> None:
    """Whether other processes of this user may trace this one and read it through /proc."""
    _done("prctl", libc.prctl(_DUMPABLE, int(yes), 0, 0, 0))


def set_name(name: str) -> None:
    """The name that `ps` and `top` show, 15 letters."""
    _done("prctl", libc.prctl(_NAME, name.encode()[:15], 0, 0, 0))


def drop_rights() -> None:
    """Give up every capability for good; no program can bring one back."""
    _done("prctl", libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _done("prctl", libc.prctl(_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0))
    for capability in range(64):
        if libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # the kernel knows no more of them
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call("capset", _CAPSET[os.uname().machine], header, (ctypes.c_uint32 * 6)())


def seccomp(program: bytes) -> None:
    """Put a filter on the system calls of this process and of all that it starts."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    _done("seccomp", libc.prctl(_SECCOMP, _SECCOMP_FILTER, ctypes.byref(Program(len(program) // 8, program)), 0, 0))
