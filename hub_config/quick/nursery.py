"""The first process in a person's sandbox that is a fork of the template: it forks the server, and then kernels for it.

The rule: it is confined like the server itself, and nothing that it is asked for leaves the sandbox. So a learner who breaks it
has broken into their own house. When the server ends it tells how, and the sandbox ends with it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from hub_config.quick import kernel_calls as kernel
from hub_config.quick.run import Before, become

#: Where the server finds the channel to its nursery.
CHANNEL = "PRACTICUM_NURSERY"
MAX_ORDER_BYTES = 1 << 18
END_SECONDS = 5


class Nursery:
    """The server and the kernels that run now."""

    def __init__(self, holder: socket.socket, before: Before) -> None:
        self._holder, self._before = holder, before
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._running: dict[int, tuple[int, socket.socket | None]] = {}

    def serve(self, order: dict[str, Any]) -> NoReturn:
        """Fork the server and stay until it has ended."""
        env = order["env"] | {CHANNEL: str(self._theirs.fileno())}
        server = self._fork(order["argv"], env, order["cwd"], keep=self._theirs)
        self._theirs.close()
        signal.signal(signal.SIGTERM, lambda *_: _tell(server, signal.SIGTERM))
        kernel.set_name("lab-nursery")
        watched = select.poll()
        watched.register(self._ours, select.POLLIN)
        watched.register(self._watch(server, None), select.POLLIN)
        while True:
            for number, _events in watched.poll():
                if number == self._ours.fileno():
                    asked = self._kernel()
                    if asked is None:
                        watched.unregister(self._ours)  # the server closed it, and will end
                    else:
                        watched.register(asked, select.POLLIN)
                    continue
                watched.unregister(number)
                self._ended(number, server)

    def _watch(self, pid: int, teller: socket.socket | None) -> int:
        process = os.pidfd_open(pid)
        self._running[process] = (pid, teller)
        return process

    def _kernel(self) -> int | None:
        """Fork the kernel that the server asks for, and tell its number; None where nobody asks any more."""
        message, descriptors, _flags, _address = socket.recv_fds(self._ours, MAX_ORDER_BYTES, 1)
        if not message:
            return None
        teller = socket.socket(fileno=descriptors[0])
        order = json.loads(message)
        env = order["env"] | {"JPY_PARENT_PID": str(os.getpid())}
        pid = self._fork(order["argv"], env, order["cwd"])
        teller.send(f"{pid}\n".encode())
        return self._watch(pid, teller)

    def _ended(self, process: int, server: int) -> None:
        pid, teller = self._running.pop(process)
        os.close(process)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if pid == server:
            with suppress(OSError):
                self._holder.send(f"{code if code >= 0 else 128 - code}\n".encode())
                self._holder.settimeout(END_SECONDS)
                self._holder.recv(1)  # nothing comes: it has ended, with that code
            with suppress(ProcessLookupError):  # nobody is left where what held the sandbox has ended first
                os.kill(-1, signal.SIGKILL)  # all that the server left; bubblewrap's init waits for it
            os._exit(0)
        if teller:
            with suppress(OSError), teller:
                teller.send(f"{code}\n".encode())

    def _fork(self, argv: list[str], env: dict[str, str], cwd: str, keep: socket.socket | None = None) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            kernel.set_name("lab-server" if keep else "lab-kernel")
            for held in (self._holder, self._ours, *(() if keep else (self._theirs,))):
                held.close()
            for process, (_pid, teller) in self._running.items():
                os.close(process)
                if teller:
                    teller.close()
            gc.freeze()
            become(argv, env, cwd, self._before)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)


def _tell(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
