"""Servers that are forked from the template into their sandbox; where that cannot be, they start in it as ever.

The rule: a server is in the very namespaces that bubblewrap makes for it, whichever way it came there. What the Hub knows,
polls and ends is bubblewrap, and with it ends everything inside.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from dataclasses import asdict
from pathlib import Path
from subprocess import Popen
from typing import IO, Any

from traitlets import Int, List, Unicode

from grader.sandbox import SCRATCH, Sandbox
from hub_config.quick.calling import STARTED, connect
from hub_config.quick.join import Bounds, why_not
from hub_config.spawner import SandboxSpawner
from hub_config.supervisor import descendants

#: Keeps the sandbox until the server has told its exit code. It is told to end as the server is, and does not listen.
HOLD = ("/bin/sh", "-c", 'trap "" TERM; echo; read -r code; exit "${code:-1}"')
START_SECONDS = 10.0


class NotForked(Exception):
    """The template did not start a server; the message says why."""


class QuickSpawner(SandboxSpawner):
    """Starts each server as a fork of the template, in bubblewrap."""

    #: bubblewrap's init, the shell that holds the sandbox, and the nursery, which tells the server.
    listeners = 3
    template = Unicode(help="The socket of the template.").tag(config=True)
    called_ports = List(Int(), help="The TCP ports that a server may call.").tag(config=True)

    async def launch(self, sandbox: Sandbox, argv: list[str], out: IO[bytes]) -> None:
        try:
            await self._fork(sandbox, argv, out)
        except (NotForked, OSError, TimeoutError) as error:
            self.log.warning("The template starts no server for %s (%s): it starts by itself.", self.user.name, error)
            await super().launch(sandbox, argv, out)

    async def _fork(self, sandbox: Sandbox, argv: list[str], out: IO[bytes]) -> None:
        if why := why_not():
            raise NotForked(why)
        loop = asyncio.get_running_loop()
        with connect(Path(self.template)) as template:
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    process = Popen(
                        sandbox.command(HOLD),
                        env={},
                        stdin=theirs.fileno(),
                        stdout=theirs.fileno(),
                        stderr=out,
                        start_new_session=True,
                    )
                try:
                    ours.setblocking(False)
                    if not await asyncio.wait_for(loop.sock_recv(ours, 1), START_SECONDS):
                        raise NotForked("the sandbox did not start")
                    ours.setblocking(True)
                    await self._order(template, process, self._asked(sandbox, argv), ours, out)
                except BaseException:
                    process.kill()
                    process.wait()
                    raise
        self.holds(process)

    async def _order(
        self, template: socket.socket, process: Popen[bytes], order: dict[str, Any], ours: socket.socket, out: IO[bytes]
    ) -> None:
        """Give the template the order, with the sandbox, what holds it, and the log."""
        inside = os.pidfd_open(descendants(process.pid)[1])
        try:
            socket.send_fds(template, [json.dumps(order).encode()], [inside, ours.fileno(), out.fileno()])
        finally:
            os.close(inside)
        said = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(template, 64), START_SECONDS)
        if said != STARTED:
            raise NotForked(said.decode() or "the fork failed")

    def _asked(self, sandbox: Sandbox, argv: list[str]) -> dict[str, Any]:
        writable = [*SCRATCH, "/dev", *(inside for _path, inside in sandbox.writable)]
        bounds = Bounds(
            tuple(writable), tuple(self.called_ports), self.mem_limit, self.max_processes, self.max_file_bytes
        )
        return {
            "argv": argv, "env": sandbox.environment(), "cwd": sandbox.cwd, "bounds": asdict(bounds), "cgroups": self.groups(),
        }  # fmt: skip
