"""Which system calls a learner's processes do without, as a filter for the kernel.

The rule: what only a machine's administrator, a debugger or somebody who looks for a hole in the kernel needs is refused.
Everything else passes: learners run programs that nobody has thought of.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

#: Names and numbers on x86_64 and on aarch64; None where there is no such call.
REFUSED: dict[str, tuple[int, int | None]] = {
    # Another process's memory, and the keys that all processes of a user share.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # Parts of the kernel that attackers have used most.
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    # File systems, namespaces, and files by their number instead of their path.
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "move_mount": (429, 429),
    "open_tree": (428, 428), "mount_setattr": (442, 442), "unshare": (272, 97), "setns": (308, 268),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    # The machine.
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "syslog": (103, 116), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "vhangup": (153, 58),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), 435
TRUNCATE = (76, 45)
#: The flags of clone that make a namespace.
NAMESPACES = 0x7E020080
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16


def program(machine: str = "", *, without_truncate: bool = False) -> bytes:
    """The filter as the kernel reads it; KeyError for a machine that it does not know."""
    column, its_number = MACHINES[machine or os.uname().machine]
    refused = [numbers[column] for numbers in REFUSED.values()] + ([TRUNCATE[column]] if without_truncate else [])
    no = _step(_RETURN, _ERROR | errno.EPERM)
    steps = [
        _step(_LOAD, _MACHINE), _step(_EQUAL, its_number, 1, 0), no,  # another machine's calls have other numbers
        _step(_LOAD, _NUMBER), _step(_AT_LEAST, _X32, 0, 1), no,
        # glibc falls back to clone, whose flags can be looked at.
        _step(_EQUAL, CLONE3, 0, 1), _step(_RETURN, _ERROR | errno.ENOSYS),
        *(step for number in refused if number is not None for step in (_step(_EQUAL, number, 0, 1), no)),
        _step(_EQUAL, CLONE[column], 0, 3), _step(_LOAD, _FIRST_ARGUMENT), _step(_ANY_BIT, NAMESPACES, 0, 1), no,
        _step(_RETURN, _ALLOW),
    ]  # fmt: skip
    return b"".join(steps)


@contextmanager
def descriptors() -> Iterator[list[int]]:
    """A descriptor with the filter, as bubblewrap takes it; none on a machine without a list."""
    if os.uname().machine not in MACHINES:
        yield []
        return
    with open(os.memfd_create("seccomp"), "w+b", buffering=0) as file:  # noqa: PTH123
        file.write(program())
        file.seek(0)
        yield [file.fileno()]


def _step(code: int, value: int, if_so: int = 0, else_: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_so, else_, value)
