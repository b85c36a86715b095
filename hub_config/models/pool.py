"""All models of the service, and the memory they share.

The rule: a model is started only where its memory is free; what is idle longest makes room first.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hub_config.models import errors
from hub_config.models.catalogue import Catalogue, Kind, Model
from hub_config.models.config import ServiceConfig
from hub_config.models.files import is_there, no_program
from hub_config.models.worker import Worker
from hub_config.models.workers import JOBS, JobWorker, ServerWorker

#: The kernel gives a dead process's memory back a little later.
GIVEN_BACK_SECONDS, STEP_SECONDS = 2.0, 0.05


class Pool:
    """The workers by the names of their models."""

    def __init__(self, config: ServiceConfig, models: Catalogue, available: Callable[[], int]) -> None:
        self.config, self.models, self.available = config, models, available
        self.servers = {name: ServerWorker(name, self.model(name), config) for name in self._of("chat")}
        self.jobs = {name: JobWorker(name, self.model(name), config) for name in self._of(*JOBS)}
        self._one_start = asyncio.Lock()

    def workers(self) -> list[Worker]:
        """All of them."""
        return [*self.servers.values(), *self.jobs.values()]

    def model(self, name: str) -> Model:
        """Give the catalogue's entry of a model."""
        return self.models.models[name]

    def asked(self, name: object, kind: Kind) -> str:
        """Give the name of an offered model of a kind; ServiceError where that is not what was asked for."""
        if name not in (known := self._of(kind)):
            raise errors.unknown_model(str(name), ", ".join(known))
        return str(name)

    async def check(self, name: str) -> None:
        """Make sure that what a model is loaded from is on the machine; ServiceError says how to get it."""
        model = self.model(name)
        if model.program is not None and shutil.which(model.program) is None:
            raise errors.missing_program(name, no_program(model.program))
        if not await asyncio.to_thread(is_there, model, self.config.weights):
            raise errors.missing(name)

    async def start(self, worker: Worker) -> None:
        """Bring a worker up: one at a time, so that two do not count on the same memory."""
        await self.check(worker.name)
        async with self._one_start:
            await self._make_room(worker)
            await worker.bring_up()

    @asynccontextmanager
    async def idle_watch(self) -> AsyncIterator[None]:
        """Put away what was idle for long, and everything at the end."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, *(worker.put_away() for worker in self.workers()), return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(5.0, self.config.idle_seconds / 4))
            for worker in self.workers():
                idle_seconds = time.monotonic() - worker.idle_since
                if worker.is_ready and worker.running == 0 and idle_seconds >= self.config.idle_seconds:
                    await worker.put_away()

    async def _make_room(self, worker: Worker) -> None:
        need = worker.model.memory_bytes + self.config.spare_bytes
        while (there := self.available()) < need:
            idle = [one for one in self.workers() if one.may_make_room]
            if not idle:
                raise errors.no_memory(worker.name, need, max(0, there))
            await min(idle, key=lambda one: one.idle_since).put_away()
            await self._until_given_back(need)

    async def _until_given_back(self, need: int) -> None:
        deadline = time.monotonic() + GIVEN_BACK_SECONDS
        while self.available() < need and time.monotonic() < deadline:
            await asyncio.sleep(STEP_SECONDS)

    def _of(self, *kinds: Kind) -> list[str]:
        return [name for name in self.config.models if self.model(name).kind in kinds]
