"""One model's process: started when it is first needed, put away when idle, started again after it died.

The rule: at most one process a model; nobody waits for one without being told, and none ends while a call runs on it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from hub_config.models import confined, errors
from hub_config.models.catalogue import Model
from hub_config.models.config import ServiceConfig
from hub_config.models.processes import resident_bytes

#: Finds room for a worker and brings it up; ServiceError where it cannot.
Starter = Callable[["Worker"], Awaitable[None]]
#: What a process may say for the log while it loads. Afterwards it might quote a learner.
LOGGED_BYTES = 65536
#: A guess for the first second of loading.
FIRST_RETRY_SECONDS, MOST_RETRY_SECONDS = 2.0, 30.0


class Worker(ABC):
    """A model and its process, where there is one."""

    def __init__(self, name: str, model: Model, config: ServiceConfig) -> None:
        self.name, self.model, self.config = name, model, config
        self.running = 0
        self.idle_since = time.monotonic()
        self.process: asyncio.subprocess.Process | None = None
        self.is_ready = self._is_fresh = False
        self.starts = 0
        self._loading: asyncio.Future[None] | None = None
        self._progress, self._began = 0.0, 0.0
        self._belongings = AsyncExitStack()
        self._tasks: list[asyncio.Future[None]] = []

    @abstractmethod
    async def _start(self, belongings: AsyncExitStack) -> asyncio.subprocess.Process:
        """Start the process; what is to be closed at its end goes to its belongings."""

    @abstractmethod
    async def _come_up(self, process: asyncio.subprocess.Process) -> None:
        """Wait until the process answers."""

    @property
    def state(self) -> Literal["away", "loading", "ready"]:
        """Where the model stands."""
        return "ready" if self.is_ready else "loading" if self._loading else "away"

    @property
    def may_make_room(self) -> bool:
        """Whether it may go for another: where memory is tight, two would else take turns loading and never answer."""
        told_to_return = self._is_fresh and time.monotonic() - self.idle_since < MOST_RETRY_SECONDS
        return self.is_ready and self.running == 0 and not told_to_return

    @asynccontextmanager
    async def use(self, starter: Starter) -> AsyncIterator[None]:
        """Have the process up, and keep it for the time of a call; ServiceError where it is not up yet, or cannot be."""
        self.running += 1
        try:
            while not self.is_ready:
                await self._load_once(starter)
            yield
            self._is_fresh = False
        finally:
            self.running -= 1
            self.idle_since = time.monotonic()

    async def put_away(self) -> None:
        """End the process."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})
        await self._end()
        await asyncio.gather(*self._tasks)

    def fail(self) -> None:
        """End the process at once, without waiting: it is stuck, or does something for nobody."""
        self._in_background(self._end())

    def progress(self) -> float:
        """How much of what it takes when it works is in memory; never less than before, and 1 only when it is up."""
        if self.process is not None and not self.is_ready:
            there = resident_bytes(self.process.pid) / self.model.memory_bytes
            self._progress = max(self._progress, min(0.99, there))
        return 1.0 if self.is_ready else self._progress

    async def _load_once(self, starter: Starter) -> None:
        """Load it, or wait with those who already do, and not for long."""
        if self._loading is None:
            self._progress, self._began = 0.0, time.monotonic()
            self._loading = asyncio.ensure_future(starter(self))
            self._loading.add_done_callback(self._loaded)
        task = self._loading
        done, _ = await asyncio.wait({task}, timeout=self.config.wait_seconds)
        if not done:
            raise errors.loading(self.name, self.progress(), self._retry_after())
        if task.cancelled():
            raise errors.failed(self.name)
        task.result()

    def _loaded(self, task: asyncio.Future[None]) -> None:
        self._loading = None
        if not task.cancelled():
            task.exception()  # whoever waits for it sees it; it is no fault that nobody does

    async def bring_up(self) -> None:
        """Start the process and wait until it answers; ServiceError where it does not."""
        self._belongings = AsyncExitStack()
        self.process = process = await self._start(self._belongings)
        self.starts += 1
        self._in_background(self._log(process))
        try:
            async with asyncio.timeout(self.config.load_seconds):
                await self._come_up(process)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            raise errors.failed(self.name) from error
        else:
            self.is_ready = self._is_fresh = True
            self.idle_since = time.monotonic()
            self._in_background(self._watch(process))
        finally:
            if not self.is_ready:
                await self._end()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Notice the process's death, whoever caused it."""
        await process.wait()
        if self.process is process:
            await self._end()

    def _end(self) -> Awaitable[None]:
        """Count the process as gone from now on, and give what remains to be done."""
        process, self.process, self.is_ready = self.process, None, False
        return _close(process, self._belongings)

    async def _log(self, process: asyncio.subprocess.Process) -> None:
        left = LOGGED_BYTES
        assert process.stderr is not None  # noqa: S101  # asked for
        while block := await process.stderr.read(65536):
            if not self.is_ready and left > 0:
                sys.stderr.write(block[:left].decode(errors="replace"))
                left -= len(block)

    def _retry_after(self) -> float:
        """Tell when to come back, by what is in memory after the time it took."""
        if self._progress <= 0:
            return FIRST_RETRY_SECONDS
        spent = time.monotonic() - self._began
        return min(MOST_RETRY_SECONDS, max(1.0, spent / self._progress * (1 - self._progress)))

    def _in_background(self, work: Awaitable[None]) -> None:
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.ensure_future(work))


async def _close(process: asyncio.subprocess.Process | None, belongings: AsyncExitStack) -> None:
    if process is not None:
        await confined.end(process)
        await belongings.aclose()
