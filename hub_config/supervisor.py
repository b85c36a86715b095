"""Runs the product's services together: starts them in order, starts a dead one again, and leaves nothing running.

Every process below this one comes back to it when its parent dies (a Linux child subreaper), so at the end even the
servers that a killed Hub left behind are found and ended. Those that end before are taken note of, or each server of a day
would leave a dead process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
STOP_SECONDS, MANY_DEATHS, DEATHS_WINDOW_SECONDS = 8.0, 5, 60.0
LOOK_SECONDS = 5.0
LISTEN_FD, BACKLOG = "PRACTICUM_LISTEN_FD", 2048
libc = ctypes.CDLL(None, use_errno=True)


class ServiceFailed(Exception):
    """A service that does not come up, or dies again and again."""

    def __init__(self, name: str, log: Path) -> None:
        super().__init__(name)
        self.name, self.log = name, log


@dataclass(frozen=True)
class Service:
    """A process to keep running; it is ready when its address is there and answers.

    Without an address nothing waits for it or ends with it. What it `listens_on`, a host and a port, is opened here, once for
    all services that name it, and stays open while one of them starts again: who connects then waits, or another answers. The
    number of the open socket stands in the service's LISTEN_FD.
    """

    name: str
    argv: Sequence[str]
    ready_url: str
    env: dict[str, str] = field(default_factory=dict)
    ready_seconds: float = 90
    listens_on: tuple[str, int] | None = None


class Supervisor:
    """Keeps services running until it is told to stop."""

    def __init__(self, services: Sequence[Service], logs: Path, say: Callable[[str], None]) -> None:
        self.services, self.logs, self.say = list(services), logs, say
        self.stopping = asyncio.Event()
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._sockets: dict[tuple[str, int], socket.socket] = {}

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Start all, call `when_ready`, and keep them until a signal; ServiceFailed names the one that fails."""
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.stopping.set)
        keepers = [asyncio.create_task(_take_note_of_ends())]
        try:
            for service in self.services:
                await self._start(service)
                keepers.append(asyncio.create_task(self._keep(service)))
            await self._until_all_ready(keepers)
            if self.stopping.is_set():
                return
            ready = asyncio.create_task(asyncio.to_thread(when_ready))
            stop = asyncio.create_task(self.stopping.wait())
            await asyncio.wait([ready, stop], return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
            await asyncio.wait([stop, *keepers], return_when=asyncio.FIRST_COMPLETED)
            _raise_failure(keepers)
        finally:
            self.stopping.set()
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            await self._stop_all()
            for opened in self._sockets.values():
                opened.close()

    async def _start(self, service: Service) -> None:
        env, handed = {**os.environ, **service.env}, []
        if service.listens_on is not None:
            handed = [self._socket(service, service.listens_on).fileno()]
            env[LISTEN_FD] = str(handed[0])
        with (self.logs / f"{service.name}.log").open("ab") as log:
            self._running[service.name] = await asyncio.create_subprocess_exec(
                *service.argv, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=_die_with_parent, pass_fds=handed,
            )  # fmt: skip

    def _socket(self, service: Service, address: tuple[str, int]) -> socket.socket:
        """The socket of a service's address, opened where it is not."""
        if address not in self._sockets:
            try:
                self._sockets[address] = socket.create_server(address, backlog=BACKLOG)
            except OSError as error:
                log = self.logs / f"{service.name}.log"
                with log.open("a", encoding="utf-8") as said:
                    said.write(f"{type(error).__name__}: {error}\n")
                raise ServiceFailed(service.name, log) from error
        return self._sockets[address]

    async def _keep(self, service: Service) -> None:
        """Start a service again whenever it ends; give up where it dies many times in a minute."""
        deaths: list[float] = []
        while not self.stopping.is_set():
            code = await self._running[service.name].wait()
            if self.stopping.is_set():
                return
            now = time.monotonic()
            deaths = [at for at in deaths if now - at < DEATHS_WINDOW_SECONDS] + [now]
            if len(deaths) >= MANY_DEATHS and service.ready_url:
                raise ServiceFailed(service.name, self.logs / f"{service.name}.log")
            self.say(f"{service.name}: {code} ↻")
            await asyncio.sleep(0.2 * len(deaths))
            await self._start(service)

    async def _until_all_ready(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        """Wait until all answer; who dies again and again never will, and its failure need not wait for that."""
        answers = asyncio.gather(*(self._until_ready(service) for service in self.services if service.ready_url))
        waited: list[asyncio.Future[Any]] = [answers, *keepers]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            _raise_failure(keepers)
            await answers
        finally:
            answers.cancel()

    async def _until_ready(self, service: Service) -> None:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            deadline = time.monotonic() + service.ready_seconds
            while time.monotonic() < deadline and not self.stopping.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    status = (await client.get(service.ready_url)).status_code
                    if status < 500 and status != httpx.codes.NOT_FOUND:
                        return
                await asyncio.sleep(0.1)
        if not self.stopping.is_set():
            raise ServiceFailed(service.name, self.logs / f"{service.name}.log")

    async def _stop_all(self) -> None:
        """End the services, then whatever is left below this process."""
        for process in reversed(list(self._running.values())):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        waits = [asyncio.wait_for(process.wait(), STOP_SECONDS) for process in self._running.values()]
        await asyncio.gather(*waits, return_exceptions=True)
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_SECONDS / 2
            while (left := descendants(os.getpid())) and time.monotonic() < deadline:
                for pid in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                await asyncio.sleep(0.2)
                _reap()


def _raise_failure(keepers: Sequence[asyncio.Task[None]]) -> None:
    for keeper in keepers:
        if keeper.done():
            keeper.result()


def children(pid: int) -> list[int]:
    """The processes that have this one as their parent, those that have ended too."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Every living process below one, found through /proc."""
    found: list[int] = []
    for child in children(pid):
        found += [*([] if is_zombie(child) else [child]), *descendants(child)]
    return found


def is_zombie(pid: int) -> bool:
    """Whether a process has ended, noticed by its parent or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def _take_note_of_ends() -> None:
    """Take note of the end of what came back to this process, for nobody else does.

    Who waits for a process that it has started knows of its end at once: what is there at two looks is nobody's.
    """
    before: set[int] = set()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        ended = set(filter(is_zombie, children(os.getpid())))
        for pid in ended & before:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        before = ended


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _die_with_parent() -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
