"""The template: imports once what every server and kernel needs, and forks a server into a sandbox for the Hub.

The rule: it holds no secret, no database and no connection; what it forks is what it is. It runs outside the sandboxes, has one
thread, and listens on a socket in a folder of its own, to processes of its own user that are in no sandbox.
When a module that it has imported changes on the disk it begins anew; servers that run are not its children and stay.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import select
import socket
import struct
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from hub_config.quick import warm
from hub_config.quick.calling import STALE, STARTED, WELL
from hub_config.quick.fresh import seeded
from hub_config.quick.homes import NOBODYS, noted
from hub_config.quick.join import Bounds, confine, enter, must_have_left, process_space
from hub_config.quick.nursery import Nursery
from hub_config.quick.run import Before

LOOK_SECONDS, ORDER_SECONDS = 5.0, 5.0
MAX_ORDER_BYTES = 1 << 18
#: Who asks has to share these: a sandbox has its own.
SPACES = ("user", "pid", "mnt")


def main() -> NoReturn:
    """Serve the socket that the first argument names; the others are more modules to import."""
    # A thread of an import is missing in whatever is forked.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["HOME"] = NOBODYS
    path = Path(sys.argv[1])
    listener = listen(path)
    for name in (*warm.SERVER, *warm.KERNEL, *warm.lab_imports(), *sys.argv[2:]):
        # What cannot be imported here is the server's or the notebook's own trouble, later, in its own words.
        with suppress(Exception):
            importlib.import_module(name)
    before, files = Before(seeded(), noted()), module_files()
    written = last_written(files)
    if threads := len(os.listdir("/proc/self/task")) - 1:  # noqa: PTH208
        sys.exit(f"{threads} threads were started by an import: what is forked now would miss them")
    gc.collect()
    gc.freeze()
    gc.disable()
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener], [], [], LOOK_SECONDS)
        changed = last_written(files) != written
        if ready:
            serve(listener, before, changed)
        if changed:
            listener.close()
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def listen(path: Path) -> socket.socket:
    """A socket at a path, which may be longer than the kernel takes."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = os.open(path.parent, os.O_PATH | os.O_CLOEXEC)
    listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)
    path.chmod(0o600)
    listener.listen(128)
    return listener


def serve(listener: socket.socket, before: Before, changed: bool) -> None:
    """Take one order, or the question how it is."""
    asking, _address = listener.accept()
    with asking:
        if not is_of_the_house(asking):
            return
        asking.settimeout(ORDER_SECONDS)
        descriptors: list[int] = []
        try:
            message, descriptors, _flags, _ = socket.recv_fds(asking, MAX_ORDER_BYTES, 3)
            if changed:
                asking.send(STALE)
            elif message == WELL:
                asking.send(WELL)
            elif message and len(descriptors) == 3:
                _start(json.loads(message), descriptors, asking, before, listener)
        except (OSError, ValueError):
            traceback.print_exc()
        finally:
            for number in descriptors:
                os.close(number)


def is_of_the_house(asking: socket.socket) -> bool:
    """Whether who asks runs as this user, and in no sandbox."""
    pid, uid, _gid = struct.unpack("3i", asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        same = all(
            Path(f"/proc/{pid}/ns", kind).readlink() == Path("/proc/self/ns", kind).readlink() for kind in SPACES
        )
    except OSError:
        return False
    return uid == os.getuid() and same


def _start(
    order: dict[str, Any], descriptors: list[int], asking: socket.socket, before: Before, listener: socket.socket
) -> None:
    """Fork three times: into the namespaces, into the process space, and away from a parent that is outside of it.

    Whose parent ends outside goes to the machine's init; whose parent ends inside goes to the sandbox's, which is what ends it.
    """
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        process, holder, log = descriptors
        listener.close()
        for group in order["cgroups"]:
            Path(group, "cgroup.procs").write_text(str(os.getpid()), "ascii")
        os.dup2(log, 1)
        os.dup2(log, 2)
        outside = process_space()
        enter(process)
        if inside := os.fork():
            os.waitpid(inside, 0)
            os._exit(0)
        if os.fork():
            os._exit(0)
        must_have_left(outside)
        os.dup2(os.open("/dev/null", os.O_RDWR), 0)
        confine(Bounds.of(order["bounds"]), [holder, asking.fileno()])
        asking.send(STARTED)
        asking.close()
        Nursery(socket.socket(fileno=holder), before).serve(order)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def module_files() -> bytes:
    """Each imported module's file, and each folder that modules are found in."""
    files: Iterable[str | None] = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return b"\0".join(sorted({os.fsencode(name) for name in {*files, *sys.path} if name}))


def last_written(files: bytes) -> int:
    """A number that is another one when a file was written.

    It looks at one name after the other and at no module: what the template touches after a fork is its memory twice.
    """
    found = 0
    for name in re.finditer(rb"[^\0]+", files):
        try:
            at = os.stat(name[0]).st_mtime_ns  # noqa: PTH116  thousands of files
        except OSError:
            at = 0
        found = hash((found, at))
    return found


if __name__ == "__main__":
    main()
