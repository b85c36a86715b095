"""The two kinds of workers: a server on a socket that speaks the OpenAI API itself, and one that does jobs one by one.

The rule: what a worker says is checked before it is believed, since what it read may have taken it over.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from hub_config.models import confined, errors
from hub_config.models.catalogue import Kind, Model
from hub_config.models.config import ServiceConfig
from hub_config.models.worker import Starter, Worker

#: Where a worker finds its weights, and the one folder it can write to that is seen outside.
WEIGHTS, SOCKETS = "/weights", "/socket"
MODULE = "hub_config.models"
HEADER_BYTES, PAYLOAD_BYTES = 8_000_000, 8_000_000
#: Threads' stacks and what an allocator keeps count as well as what is used.
MEMORY_FACTOR, MEMORY_EXTRA_BYTES = 2, 1_000_000_000


def limits(model: Model) -> confined.Limits:
    """Give a worker more than it was measured to take, and no more than that."""
    return confined.Limits(memory_bytes=MEMORY_FACTOR * model.memory_bytes + MEMORY_EXTRA_BYTES)


class ServerWorker(Worker):
    """Chat: llama.cpp's own server behind a socket in a folder of its own, with a key that only this process knows."""

    def __init__(self, name: str, model: Model, config: ServiceConfig) -> None:
        super().__init__(name, model, config)
        self.session: aiohttp.ClientSession | None = None

    async def _start(self, belongings: AsyncExitStack) -> asyncio.subprocess.Process:
        weights, folder, key = (
            self.model.path(self.config.weights),
            self.config.folder / self.name,
            secrets.token_hex(16),
        )
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "s.sock").unlink(missing_ok=True)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        belongings.callback(os.close, opened)
        box = confined.sandbox(
            (weights, f"{WEIGHTS}/{weights.name}"), writable=[(folder, SOCKETS)], threads=self.config.threads
        )
        argv = [
            sys.executable, "-m", f"{MODULE}.serve", "--model", f"{WEIGHTS}/{weights.name}", "--alias", self.name,
            "--socket", f"{SOCKETS}/s.sock", "--api-key-file", "/dev/stdin", "--slots", str(self.config.slots),
            "--context-per-slot", str(self.config.context_per_slot), "--threads", str(self.config.threads),
        ]  # fmt: skip
        process = await confined.start(box, argv, limits(self.model))
        assert process.stdin is not None  # noqa: S101  # asked for
        process.stdin.write(key.encode())
        process.stdin.close()
        # By way of the open folder: a socket's whole path may be 107 bytes long.
        self.session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(f"/proc/self/fd/{opened}/s.sock", limit=0),
            headers={"Authorization": f"Bearer {key}"}, timeout=aiohttp.ClientTimeout(), auto_decompress=False,
        )  # fmt: skip
        belongings.push_async_callback(self.session.close)
        return process

    async def _come_up(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101  # asked for
        if not await process.stdout.readline():
            raise EOFError


class JobWorker(Worker):
    """Does one job at a time, over its standard input and output; it has no network and no folder to write to."""

    def __init__(self, name: str, model: Model, config: ServiceConfig) -> None:
        super().__init__(name, model, config)
        self._turn = asyncio.Lock()

    async def call(
        self, starter: Starter, job: Mapping[str, Any], payload: bytes = b""
    ) -> tuple[dict[str, Any], bytes]:
        """Have a job done. Who leaves ends the process: it would go on for nobody, and others wait."""
        while True:
            async with self.use(starter), self._turn:
                if self.is_ready:  # somebody's leaving may have ended the process while this one waited
                    return await self._do(job, payload)

    async def _do(self, job: Mapping[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
        done = False
        assert self.process is not None  # noqa: S101  # it is ready
        try:
            async with asyncio.timeout(self.config.job_seconds):
                answer = await _exchange(self.process, job, payload)
            done = True
        except TimeoutError:
            raise errors.too_slow(self.name, self.config.job_seconds) from None
        except (OSError, EOFError, ValueError) as error:
            raise errors.failed(self.name) from error
        finally:
            if not done:
                self.fail()
        return answer

    async def _start(self, _belongings: AsyncExitStack) -> asyncio.subprocess.Process:
        kind = JOBS[self.model.kind]
        folder = self.model.path(self.config.weights).parent
        threads = self.config.threads
        argv = [sys.executable, "-m", *kind(self.model.path(Path(WEIGHTS)), threads)]
        box = confined.sandbox((folder, f"{WEIGHTS}/{folder.name}"), threads=threads)
        return await confined.start(box, argv, limits(self.model))

    async def _come_up(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101  # asked for
        await _read(process.stdout)


#: The command of each kind of job, from the file a model is loaded from and the threads it may use.
JOBS: Mapping[Kind, Callable[[Path, int], list[str]]] = {
    "embeddings": lambda path, _threads: [f"{MODULE}.embed", str(path)],
    "transcriptions": lambda path, threads: [f"{MODULE}.hear", str(path.parent), str(threads)],
}


async def _exchange(
    process: asyncio.subprocess.Process, job: Mapping[str, Any], payload: bytes
) -> tuple[dict[str, Any], bytes]:
    assert process.stdin is not None  # noqa: S101  # asked for
    assert process.stdout is not None  # noqa: S101  # asked for
    process.stdin.write(json.dumps({**job, "bytes": len(payload)}).encode() + b"\n")
    process.stdin.write(payload)
    await process.stdin.drain()
    return await _read(process.stdout)


async def _read(stream: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    """Read a line of JSON and the bytes it announces; EOFError or ValueError where they are not that."""
    line = bytearray()
    while not line.endswith(b"\n"):
        try:
            line += await stream.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:  # a long line comes in pieces
            line += await stream.readexactly(error.consumed)
        if len(line) > HEADER_BYTES:
            raise ValueError("header")
    try:
        header = json.loads(line)
    except RecursionError as error:
        raise ValueError("header") from error
    if not isinstance(header, dict) or not isinstance(header.get("bytes"), int):
        raise ValueError("header")
    if not 0 <= header["bytes"] <= PAYLOAD_BYTES:
        raise ValueError("payload")
    return header, await stream.readexactly(header["bytes"])
