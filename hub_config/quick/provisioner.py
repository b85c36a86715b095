"""Kernels that are forked by the nursery of the sandbox instead of being started by the server.

The rule: only an ordinary Python kernel of this Python is; every other one starts as Jupyter starts it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from hub_config.quick.nursery import CHANNEL
from hub_config.quick.run import is_ours

_START_SECONDS = 10


class ForkedKernel:
    """A kernel that is the nursery's child; it answers as a `subprocess.Popen` does."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, teller: socket.socket) -> None:
        self.pid, self._teller = pid, teller
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        if self.returncode is None and select.select([self._teller], [], [], 0)[0]:
            self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; TimeoutError."""
        if self.returncode is None:
            self._teller.settimeout(timeout)
            self._read()
        return int(self.returncode or 0)

    def _read(self) -> None:
        said = self._teller.recv(64)
        # Where the nursery is gone the whole sandbox ends.
        self.returncode = int(said) if said else -signal.SIGKILL
        self._teller.close()

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkingProvisioner(LocalProvisioner):
    """Starts Python kernels by the nursery, where there is one."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start the kernel."""
        if not (os.environ.get(CHANNEL) and is_ours(cmd) and cmd[1:3] == ["-m", "ipykernel_launcher"]):
            return await super().launch_kernel(cmd, **kwargs)
        env, cwd = kwargs.get("env") or dict(os.environ), str(kwargs.get("cwd") or Path.cwd())
        kernel = fork_kernel(cmd, env, cwd)
        self.process = kernel  # type: ignore[assignment]
        self.pid = self.pgid = kernel.pid  # it has a session of its own
        return self.connection_info


def fork_kernel(argv: list[str], env: dict[str, str], cwd: str) -> ForkedKernel:
    """Ask this sandbox's nursery for a kernel."""
    ours, theirs = socket.socketpair()
    with theirs, socket.socket(fileno=os.dup(int(os.environ[CHANNEL]))) as nursery:
        order = json.dumps({"argv": argv, "env": {k: v for k, v in env.items() if k != CHANNEL}, "cwd": cwd})
        socket.send_fds(nursery, [order.encode()], [theirs.fileno()])
    ours.settimeout(_START_SECONDS)
    pid = b""
    while not pid.endswith(b"\n"):
        if not (byte := ours.recv(1)):
            raise RuntimeError("the nursery of this server does not answer; restart the server")
        pid += byte
    return ForkedKernel(int(pid), ours)
