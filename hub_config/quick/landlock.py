"""Landlock: what of the files and of the loopback a process may reach, whatever its mounts and its user say.

The rule: what is forked from the template runs its Python from a file outside the sandbox, `/proc/self/exe`; no rule here
grants that file, so it cannot be opened from inside.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from hub_config.quick.kernel_calls import call

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _BENEATH, _PORT = 1, 1, 2
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REFER, _TRUNCATE = 1, 2, 4, 8, 1 << 13, 1 << 14
_READS, _OF_A_FILE = _EXECUTE | _READ_FILE | _READ_DIR, _EXECUTE | _READ_FILE | _WRITE_FILE
_CONNECT_TCP = 2
_ABSTRACT_SOCKETS, _SIGNALS = 1, 2
#: From here on files can be moved between folders; from 3 on cutting off a file is looked at, from 4 on ports, from 6 on signals.
NEEDED, WITH_TRUNCATE, WITH_PORTS, WITH_SCOPES = 2, 3, 4, 6


@cache
def version() -> int:
    """The kernel's Landlock; 0 where there is none."""
    try:
        return call("landlock", _CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    except OSError:
        return 0


def restrict(readable: Iterable[Path], writable: Iterable[Path], ports: Iterable[int]) -> None:
    """Let this process and all that it starts read below some folders, write below others, and call only these ports.

    Needs no_new_privs before. Where the kernel's Landlock knows no ports, all can be called.
    """
    everything = (1 << 14) - 1 if version() < WITH_TRUNCATE else (1 << 15) - 1
    nets = _CONNECT_TCP if version() >= WITH_PORTS else 0
    scopes = _ABSTRACT_SOCKETS | _SIGNALS if version() >= WITH_SCOPES else 0
    asked = struct.pack("=QQQ", everything, nets, scopes)
    asked = asked[: 8 if version() < WITH_PORTS else 16 if version() < WITH_SCOPES else 24]
    ruleset = call("landlock", _CREATE, asked, ctypes.c_size_t(len(asked)), ctypes.c_uint32(0))
    try:
        for path in readable:
            _allow(ruleset, path, _READS)
        for path in writable:
            _allow(ruleset, path, everything)
        for port in sorted(set(ports)) if nets else ():
            rule = struct.pack("=QQ", _CONNECT_TCP, port)
            call("landlock", _ADD, ruleset, _PORT, rule, ctypes.c_uint32(0))
        call("landlock", _RESTRICT, ruleset, ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, access: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not path.is_dir():
            access &= _OF_A_FILE | (_TRUNCATE if version() >= WITH_TRUNCATE else 0)
        call("landlock", _ADD, ruleset, _BENEATH, struct.pack("=Qi", access, place), ctypes.c_uint32(0))
    finally:
        os.close(place)
